"""An expression lets through what a condition passes; more only where two words have one hash."""

import dataclasses
import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from catalog.index.fields import MOST, TOO_MANY, Fields, Needed, fields_of, needed_by
from catalog.index.track_text import read_track, write_track
from catalog.records import Filters, Track
from catalog.rights import Rights

WORDS = st.sampled_from(["rock", "Rock", "ROCK", "jazz", "straße", "STRASSE", "日本", "vocal", ""])
LICENCES = st.sampled_from(["CC-BY-4.0", "CC-BY", "cc-by-nc-4.0", "CC0-1.0", "mine", ""])
NUMBERS = st.sampled_from([0.0, -1.0, 59.999, 60.0, 120.5, math.inf, math.nan]) | st.floats(0, 200)
TRISTATE = st.sampled_from([None, True, False])
TRACKS = st.builds(
    Track,
    st.just("a"), st.text(), st.text(), st.just(Path("/a")), NUMBERS, NUMBERS, LICENCES, st.lists(WORDS).map(tuple),
    vocals=st.sampled_from([None, 0.0, 0.9]), sung=TRISTATE, moods=st.lists(WORDS).map(tuple),
    playlists=st.lists(WORDS).map(tuple), rights=st.builds(Rights, live_ok=TRISTATE, vod_ok=TRISTATE),
)  # fmt: skip
SETS = st.frozensets(WORDS, max_size=2)
FILTERS = st.builds(
    Filters, min_bpm=st.none() | st.floats(0, 200), max_bpm=st.none() | st.floats(0, 200) | st.just(math.inf),
    licences=st.frozensets(LICENCES, max_size=2), tags=SETS, moods=SETS, playlists=SETS, live_ok=st.booleans(),
    vod_ok=st.booleans(), instrumental=st.booleans(), min_duration_s=st.floats(0, 200),
)  # fmt: skip


def lets_through(needed: Needed, fields: Fields) -> bool:
    low, high, least = needed.low_bpm, needed.high_bpm, needed.least_s
    if (low is not None or high is not None) and not fields.tempo_bpm > 0:
        return False
    if (low is not None and fields.tempo_bpm < low) or (high is not None and fields.tempo_bpm > high):
        return False
    if least is not None and fields.duration_s < least:
        return False
    return all(not set(group).isdisjoint(fields.words) for group in needed.groups)


@given(TRACKS, FILTERS)
def test_an_expression_lets_through_what_passes(track: Track, filters: Filters) -> None:
    needed = needed_by(filters, {track.licence, "CC-BY-4.0"})
    assert needed is not None
    assert lets_through(needed, fields_of(track)) == filters.passes(track)


@given(TRACKS)
def test_fields_are_numbers_that_a_server_takes(track: Track) -> None:
    fields = fields_of(track)
    assert math.isfinite(fields.tempo_bpm) and math.isfinite(fields.duration_s)
    assert list(fields.words) == sorted(set(fields.words)) and all(0 <= word < 1 << 63 for word in fields.words)


@given(TRACKS)
def test_a_track_comes_back_from_its_text(track: Track) -> None:
    assert repr(read_track(write_track(track))) == repr(track)  # NaN is not itself


def test_a_text_of_an_older_or_newer_version() -> None:
    track = Track("a", "", "", Path("/a"), 1.0, 2.0, "", ())
    text = write_track(track)
    assert read_track(text.replace('"key":"",', "").replace('"id"', '"new":1,"id"')) == track


def test_more_words_than_are_kept_pass_every_group() -> None:
    tags = tuple(f"tag {i}" for i in range(MOST + 1))
    fields = fields_of(Track("a", "", "", Path("/a"), 1.0, 2.0, "", tags))
    assert fields.words == (TOO_MANY,)
    needed = needed_by(Filters(tags=frozenset({"tag 3"}), live_ok=True), ())
    assert needed is not None and lets_through(needed, fields)


def test_conditions_without_an_expression() -> None:
    class Odd:
        def passes(self, track: Track) -> bool:
            return True

    assert needed_by(Odd(), ()) is None and needed_by(None, ()) == Needed()
    assert needed_by(Filters(exclude=frozenset({"a"})), ()) is None
    assert needed_by(dataclasses.replace(Filters(), only=frozenset()), ()) is None
    for other in (Filters(keys=frozenset({"Am"})), Filters(min_energy=0.5), Filters(max_energy=0.5)):
        assert needed_by(other, ()) is None  # a server would answer with tracks that do not pass, and none that do
