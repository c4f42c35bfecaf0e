"""What libraries say goes before what was measured, where it is of this track."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.libraries.notes import notes_of, playlist_field, playlists_of, prepared_of
from catalog.libraries.prepared import Cue, Prepared, Tempo
from catalog.libraries.trust import apply_notes
from catalog.notes import Place
from catalog.records import Floats, Loop, Outline, Track
from catalog.stored import StoredSegments, StoredTrack

LENGTH_S = 120.0
FILE = Path("/m/a.mp3")
Said = dict[Place, dict[str, dict[str, str]]]


def seconds(*times: float) -> Floats:
    return np.array(times, np.float32)


def stored(id: str = "aa", path: Path = FILE, recording: str = "aa", begin_s: float = 0.0) -> StoredTrack:
    outline = Outline(
        -14.0, 5.0, -1.0, seconds(*[-14.0] * 120), np.zeros(10, np.uint8), ((0.0, LENGTH_S),), 8.0, 110.0,
        seconds(0.2, 31.7, 64.4), seconds(), (Loop(20.0, 52.0, 0.9),)
    )  # fmt: skip
    end_s = None if begin_s == 0.0 else begin_s + LENGTH_S
    track = Track(id, id, "", path, LENGTH_S, 117.0, "", (), begin_s, end_s)
    return StoredTrack(track, seconds(0.2, 0.7), np.zeros((30, 3), np.float32), "c", False, recording, outline)


def segments(starts: Mapping[int, float]) -> StoredSegments:
    """A segment each 4 s; some may be started."""
    numbers = np.arange(27)
    starts_s = np.array([starts.get(i, np.nan) for i in range(27)], np.float32)
    borders = np.array([0.7 if i in starts else 0.0 for i in range(27)], np.float32)
    return StoredSegments(["aa"], np.array([27]), numbers, starts_s, borders, np.zeros((27, 2), np.float32), None)


def started(segments: StoredSegments) -> dict[int, tuple[float, float]]:
    """By the number of a segment, where it may be started, and how surely a section begins there."""
    pairs = enumerate(zip(segments.starts_s.tolist(), segments.borders.tolist(), strict=True))
    return {i: (round(start, 4), round(border, 4)) for i, (start, border) in pairs if not math.isnan(start)}


def said(prepared: Prepared, path: Path = FILE, origin: str = "rekordbox") -> Said:
    return {(path, 0.0): {origin: {note.field: note.value for note in notes_of(path, prepared)}}}


def apply(
    notes: Said, starts: Mapping[int, float], track: StoredTrack | None = None
) -> tuple[StoredTrack, dict[int, tuple[float, float]]]:
    track = track or stored()
    places = {track.track.id: [(track.track.path, track.track.begin_s)]}
    [result], moved = apply_notes([track], segments(starts), notes, places)
    return result, started(moved)


GRID = Prepared("", length_s=121.0, tempo_bpm=120.0, tempi=(Tempo(0.5, 120.0, 1, 4),))


def test_notes_are_what_was_said() -> None:
    prepared = Prepared(
        "x", 5, 120.5, 128.0, "Am", 5, (Tempo(0.1, 128.0, 2, 4),), (1.0, 2.0),
        (Cue("hot", 3.0, None, "ü"), Cue("outro", None, 9.0)), ("P", "Q")
    )  # fmt: skip
    values = said(prepared)[FILE, 0.0]["rekordbox"]
    assert values["key"] == "Am" and values["rating"] == "5" and values["tempo"] == "128.000"
    assert playlists_of({**values, playlist_field(Path("/m/p.m3u8")): "R"}) == ["R", "P", "Q"]
    assert prepared_of(values) == Prepared(
        "", length_s=120.5, tempi=prepared.tempi, beats_s=prepared.beats_s, cues=prepared.cues
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"length_s":1,"tempi":[[0,1e9,1,4]],"beats":[],"cues":[]}', "x"])
def test_what_is_no_preparation_is_none(text: str) -> None:
    assert prepared_of({"prepared": text}) is None
    assert playlists_of({"playlists": text}) == []


def test_the_grid_replaces_beats_tempo_and_bars() -> None:
    track, starts = apply(said(GRID), {0: 0.2, 8: 31.7, 16: 64.9})
    np.testing.assert_allclose(track.beats, np.arange(0.0, LENGTH_S, 0.5), atol=1e-4)
    assert track.outline is not None and track.track.tempo_bpm == 120.0
    np.testing.assert_allclose(track.outline.downbeats_s, np.arange(0.5, LENGTH_S, 2.0), atol=1e-4)
    np.testing.assert_allclose(track.outline.sections_s, [0.5, 32.5, 64.5])
    assert starts == {0: (0.5, 0.7), 8: (32.5, 0.7), 16: (64.5, 0.7)}


@pytest.mark.parametrize(("said_bpm", "counts"), [(118.0, 118.0), (58.5, 58.5), (234.0, 234.0), (150.0, 117.0)])
def test_a_tempo_without_a_grid_counts_as_one_of_a_tag(said_bpm: float, counts: float) -> None:
    track, _ = apply(said(Prepared("", tempo_bpm=said_bpm)), {0: 0.2})
    assert track.track.tempo_bpm == counts


def test_starts_that_meet_are_one() -> None:
    _, starts = apply(said(GRID), {7: 30.4, 8: 31.4, 9: 36.0})
    assert starts == {7: (30.5, 0.7), 9: (36.5, 0.7)}


def test_a_grid_without_bars_keeps_the_measured_bars_that_are_its_beats() -> None:
    track = stored()
    assert track.outline is not None
    track = replace(track, outline=replace(track.outline, downbeats_s=seconds(1.02, 2.98, 5.3)))
    grid = Prepared("", tempi=(Tempo(0.0, 120.0),))
    result, starts = apply(said(grid, origin="mixxx"), {8: 31.8}, track)
    assert result.outline is not None
    np.testing.assert_allclose(result.outline.downbeats_s, [1.0, 3.0])
    assert starts == {8: (32.0, 0.7)}


def test_cues_are_starts_exactly_where_they_were_put() -> None:
    cues = (
        Cue("hot", 17.33, None, "Drop"),
        Cue("memory", 16.9),  # the same segment: the hot cue goes first
        Cue("loop", 40.1, 56.1),
        Cue("hot", 100.0),  # not enough music to come
        Cue("outro", 90.0),
        Cue("intro", 4.2, 9.9),
    )
    track, starts = apply(said(Prepared("", cues=cues)), {4: 16.0, 8: 31.7, 23: 92.0})
    assert starts == {1: (4.2, 1.0), 4: (17.33, 1.0), 8: (31.7, 0.7), 10: (40.1, 1.0), 23: (92.0, 0.7)}
    assert track.outline is not None
    assert (track.outline.intro_s, track.outline.outro_s) == (9.9, 90.0)
    assert track.outline.loops == (Loop(40.1, 56.1, 1.0), Loop(20.0, 52.0, 0.9))
    np.testing.assert_allclose(track.beats, stored().beats)  # cues say nothing of beats


def test_a_start_near_a_cue_gives_way() -> None:
    _, starts = apply(said(Prepared("", cues=(Cue("hot", 18.1),))), {4: 17.0, 5: 20.5})
    assert starts == {5: (18.1, 1.0)}


def test_another_version_is_not_trusted() -> None:
    track, starts = apply(said(replace(GRID, length_s=130.0, key="Am")), {8: 31.7})
    assert len(track.beats) == 2 and starts == {8: (31.7, 0.7)}
    assert track.track.key == "Am"


def test_of_two_libraries_the_first_counts() -> None:
    notes = said(replace(GRID, key="Am", playlists=("P",)))
    notes[FILE, 0.0]["mixxx"] = said(replace(GRID, key="C", rating=3, playlists=("Q", "P")))[FILE, 0.0]["rekordbox"]
    track, _ = apply(notes, {8: 31.7})
    assert (track.track.key, track.track.rating, track.track.playlists) == ("Am", 3, ("P", "Q"))
    notes[FILE, 0.0]["edit"] = {"rating": "1", "key": "Bm"}
    track, _ = apply(notes, {8: 31.7})
    assert (track.track.key, track.track.rating) == ("Bm", 1)


def test_a_track_inside_a_file_has_its_part_of_the_grid() -> None:
    part = replace(
        GRID, length_s=600.0, key="Am", playlists=("P",), cues=(Cue("hot", 217.0), Cue("intro", 200.0, 230.0))
    )
    track, starts = apply(said(part), {4: 16.3}, stored(begin_s=200.25))
    np.testing.assert_allclose(track.beats[:3], [0.25, 0.75, 1.25], atol=1e-4)
    assert starts == {4: (16.75, 1.0)}
    assert (track.track.key, track.track.playlists) == ("", ("P",))
    assert track.outline is not None and track.outline.intro_s == 8.0


def test_what_a_user_says_of_a_part_is_of_that_part() -> None:
    notes = said(replace(GRID, key="Am", rating=2))
    notes[FILE, 0.0]["edit"] = {"key": "C"}
    notes[FILE, 200.25] = {"edit": {"key": "G", "rating": "5"}}
    first, _ = apply(notes, {4: 16.3}, replace(stored(), track=replace(stored().track, end_s=LENGTH_S)))
    second, _ = apply(notes, {4: 16.3}, stored(begin_s=200.25))
    assert (first.track.key, first.track.rating) == ("C", None)
    assert (second.track.key, second.track.rating) == ("G", 5)


def test_files_of_a_recording_share_names_and_not_beats() -> None:
    tracks = [stored(), stored("bb", Path("/m/a.flac"))]
    notes = said(replace(GRID, key="Am", rating=4, playlists=("P",)))
    places: dict[str, list[Place]] = {"aa": [(FILE, 0.0)], "bb": [(Path("/m/a.flac"), 0.0)]}
    own, other = apply_notes(tracks, segments({}), notes, places)[0]
    assert (other.track.key, other.track.rating, other.track.playlists) == ("Am", 4, ("P",))
    assert len(other.beats) == 2 and len(own.beats) > 200


def test_what_is_said_of_a_copy_counts() -> None:
    copy = Path("/n/copy.mp3")
    places: dict[str, list[Place]] = {"aa": [(FILE, 0.0), (copy, 0.0)]}
    [track], _ = apply_notes([stored()], segments({8: 31.7}), said(replace(GRID, key="Am"), copy), places)
    assert track.track.key == "Am" and len(track.beats) > 200


def test_without_notes_nothing_changes() -> None:
    track, own = stored(), segments({8: 31.7})
    assert apply_notes([track], own, {}, {}) == ([track], own)


def test_a_track_keeps_a_start() -> None:
    _, starts = apply(said(replace(GRID, cues=(Cue("hot", 119.0),))), {0: 0.2})
    assert list(starts) == [0]
