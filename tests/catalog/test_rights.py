"""Rights of a track: the credit line, the warnings, the filters; nothing here promises anything."""

from dataclasses import replace
from pathlib import Path

import pytest

from catalog.described import described, rights_json
from catalog.licence import address, duties, marks, readable
from catalog.records import Filters, Track, is_vocal, sings
from catalog.rights import Rights, badges, credit

TRACK = Track("a" * 16, "Night Bus", "A. Name", Path("a"), 60.0, 120.0, "CC-BY-4.0", ("Rock",))
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("licence", "warnings"),
    [
        ("CC-BY-4.0", ()),
        ("CC0-1.0", ()),
        ("public domain", ()),
        ("CC-BY-NC-4.0", ("NC",)),
        ("CC-BY-NC-ND-3.0", ("NC", "ND")),
        ("CC-BY-ND", ("ND",)),
        ("CC-BY-NC-SA-4.0", ("NC",)),
        ("free for non-commercial use", ("NC",)),
        ("Epidemic Sound, personal plan", ()),
        ("", ("licence unknown",)),
        ("unknown", ("licence unknown",)),
        ("Unknown licence", ("licence unknown",)),
        ("?", ("licence unknown",)),
        ("none", ("licence unknown",)),
        ("Unknown Records, bought", ()),
        ("(c) 2020 Somebody", ("licence unknown",)),
        ("© Somebody", ("licence unknown",)),
        ("2019 Records", ("licence unknown",)),
        ("All Rights Reserved", ("licence unknown",)),
        ("Copyright 2021 Somebody. CC BY-NC 3.0", ("NC",)),
    ],
)
def test_warnings(licence: str, warnings: tuple[str, ...]) -> None:
    assert marks(licence) == warnings


def test_what_a_licence_asks_for() -> None:
    assert duties("CC-BY-SA-4.0") == (
        "credit the author (BY)", "what is made from it comes under the same licence (SA)",
    )  # fmt: skip
    assert duties("CC0-1.0") == duties("my own") == ()
    assert [readable(name) for name in ("CC-BY-SA-4.0", "CC0-1.0", "CC-PDM-1.0", "CC-BY", "mine 2-1")] == [
        "CC BY-SA 4.0", "CC0 1.0", "CC PDM 1.0", "CC BY", "mine 2-1",
    ]  # fmt: skip
    assert [address(name) for name in ("CC-BY-NC-4.0", "CC0-1.0", "CC-PDM-1.0", "CC-BY", "GPL-2.0")] == [
        "https://creativecommons.org/licenses/by-nc/4.0/", "https://creativecommons.org/publicdomain/zero/1.0/",
        "https://creativecommons.org/publicdomain/mark/1.0/", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("artist", "licence", "rights", "line"),
    [
        ("A. Name", "CC-BY-4.0", Rights(source="https://a.example"),
         '"Night Bus" by A. Name, https://a.example, CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)'),
        ("A. Name", "", Rights(), '"Night Bus" by A. Name'),
        ("A. Name", "(c) 2020", Rights(), '"Night Bus" by A. Name'),
        ("A. Name", "unknown", Rights(), '"Night Bus" by A. Name'),
        ("", "bought", Rights(), '"Night Bus", bought'),
        ("A. Name", "CC0-1.0", Rights(attribution="Ann!"), "Ann!"),
        ("", "", Rights(), ""),
    ],
)  # fmt: skip
def test_the_credit_line(artist: str, licence: str, rights: Rights, line: str) -> None:
    assert credit("Night Bus", artist, licence, rights) == line
    assert replace(TRACK, artist=artist, licence=licence, rights=rights).attribution == line


def test_badges_warn_and_never_promise() -> None:
    assert badges(("NC",), False, False) == ("NC", "not live", "no VOD")
    assert badges((), True, True) == badges((), None, None) == ()
    assert "safe" not in (ROOT / "docs" / "RIGHTS.md").read_text().casefold()


def test_what_is_said_counts_before_what_the_file_says() -> None:
    said = {
        "edit": {"licence": "CC0-1.0", "live_ok": "yes"},
        "sidecar": {"licence": "bought", "vod_ok": "no", "moods": '["calm"]', "tags": '["mine", "Rock"]'},
        "tags": {"moods": '["dark"]', "vocals": "yes"},
    }
    track = described(TRACK, said)
    assert (track.title, track.licence, track.tags, track.moods) == (
        "Night Bus", "CC0-1.0", ("Rock", "mine"), ("calm",),
    )  # fmt: skip
    assert (track.rights.live_ok, track.rights.vod_ok, track.sung) == (True, False, True)
    assert described(TRACK, {}) is TRACK
    assert rights_json(track)["vod_ok"] is False and rights_json(TRACK)["vod_ok"] is None
    again = described(TRACK, {"edit": {"vod_ok": "unknown"}, "sidecar": {"vod_ok": "yes"}})
    assert again.rights.vod_ok is None  # the user knows that he does not know


@pytest.mark.parametrize("name", ["live_ok", "vod_ok"])
def test_filters_pass_only_what_is_marked_so(name: str) -> None:
    filters = Filters(**{name: True})
    for value, passes in ((True, True), (False, False), (None, False)):
        assert filters.passes(replace(TRACK, rights=Rights(**{name: value}))) is passes
        assert Filters().passes(replace(TRACK, rights=Rights(**{name: value})))


def test_filters_by_mood() -> None:
    filters = Filters(moods=frozenset({"CALM", "sad"}))
    assert filters.passes(replace(TRACK, moods=("calm", "bright"))) and not filters.passes(TRACK)
    assert not replace(filters, tags=frozenset({"jazz"})).passes(replace(TRACK, moods=("calm",)))
    assert replace(filters, tags=frozenset({"rock"})).passes(replace(TRACK, moods=("calm",)))


def test_whether_anybody_sings_is_for_the_user_to_say() -> None:
    measured = replace(TRACK, vocals=0.9)
    assert is_vocal(measured) and not is_vocal(replace(measured, sung=False))
    assert is_vocal(replace(TRACK, vocals=0.0, sung=True))
    assert sings(TRACK) is None and sings(replace(TRACK, tags=("song",))) is True
    assert sings(measured) is True and sings(replace(measured, sung=False)) is False
