"""Notes of libraries and playlists, applied when a catalogue is opened: they go before what was measured.

A user's own grid replaces the beats, their bar lines and the tempo; starts and sections move to it. Cues become starts,
exactly where they were put. Nothing of the analysis is changed on disk: without the notes it is as it was.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

import numpy as np

from catalog.notes import EDIT, SIDECAR, Place, Said, counting
from catalog.records import Floats, Loop, Outline, Track
from catalog.starts import APART_S, REACH_S, ROOM_S
from catalog.stored import StoredSegments, StoredTrack
from catalog.tags import tagged_tempo
from features.spec import CLIP_S

from .grid import Grid, grid_of
from .notes import playlists_of, prepared_of
from .prepared import Cue, Prepared

OTHER_S: Final = 3.0  # between the length in a library and the file's: more is another version
NEAR_S: Final = 0.1  # between a measured bar line and the beat of a grid that knows no bars
LEAST_LOOP_S: Final = 12.0  # shorter loops are a DJ's
RANKS: Final = {"hot": 0, "load": 1, "intro": 2, "main": 3, "memory": 4, "loop": 5}  # of two in one place
MOST_RATING: Final = 5


@dataclass(frozen=True, slots=True)
class _Preparation:
    """What holds for one track, in its own time."""

    grid: Grid | None
    cues: tuple[Cue, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a track."""

    first_clip: int
    start_s: float | None  # None: no start there
    border: float = 0.0


def apply_notes(
    tracks: Sequence[StoredTrack],
    segments: StoredSegments,
    said: Mapping[Place, Said],
    places: Mapping[str, Sequence[Place]],
) -> tuple[list[StoredTrack], StoredSegments]:
    """Tracks and their segments with what notes say. ``places``: of each track."""
    if not said:
        return list(tracks), segments
    named = [_named(stored, said, places.get(stored.track.id, ())) for stored in tracks]
    named = _shared(named)
    ends = np.cumsum(segments.counts)
    spans = {
        id: slice(end - count, end)
        for id, count, end in zip(segments.tracks, segments.counts.tolist(), ends.tolist(), strict=True)
    }
    starts_s, borders = segments.starts_s.copy(), segments.borders.copy()
    result: list[StoredTrack] = []
    for stored in named:
        preparation = _preparation(stored.track, said, places.get(stored.track.id, ()))
        if preparation is None:
            result.append(stored)
            continue
        prepared = _with(stored, preparation)
        own = spans.get(stored.track.id, slice(0, 0))
        moved = _starts(_segments(segments, own), prepared, preparation)
        starts_s[own] = [np.nan if segment.start_s is None else segment.start_s for segment in moved]
        borders[own] = [segment.border for segment in moved]
        result.append(prepared)
    return result, replace(segments, starts_s=starts_s, borders=borders)


def _segments(segments: StoredSegments, own: slice) -> list[Segment]:
    columns = (segments.first_clips[own].tolist(), segments.starts_s[own].tolist(), segments.borders[own].tolist())
    return [
        Segment(first, None if start != start else start, border) for first, start, border in zip(*columns, strict=True)
    ]


def _named(stored: StoredTrack, said: Mapping[Place, Said], places: Sequence[Place]) -> StoredTrack:
    """With key, rating, tempo and playlists."""
    track = stored.track
    everything = [said[place] for place in _own(places) if place in said]
    if not everything:
        return stored
    names = [name for own in everything for values in own.values() for name in playlists_of(values)]
    values: dict[str, str] = {}
    whole = _is_whole(track)
    for own in everything if whole else [said[place] for place in places if place in said]:
        # A library speaks of whole files; of a track that is a part of one holds what a user says of that part.
        of_track = own if whole else {origin: own[origin] for origin in (EDIT, SIDECAR) if origin in own}
        for field, (value, _) in counting(of_track).items():
            values.setdefault(field, value)
    tempo_bpm = _number(values.get("tempo"))
    return replace(
        stored,
        track=replace(
            track,
            key=values.get("key", track.key),
            rating=_rating(values.get("rating")) or track.rating,
            tempo_bpm=tagged_tempo(track.tempo_bpm, tempo_bpm) if tempo_bpm else track.tempo_bpm,
            playlists=tuple(dict.fromkeys((*track.playlists, *names))),
        ),
    )


def _own(places: Sequence[Place]) -> list[Place]:
    """A track's places, and the whole files that they are in."""
    return list(dict.fromkeys((*places, *((path, 0.0) for path, _ in places))))


def _shared(tracks: list[StoredTrack]) -> list[StoredTrack]:
    """The files of a recording share playlists, and what one has of key and rating."""
    groups: dict[str, list[StoredTrack]] = {}
    for stored in tracks:
        groups.setdefault(stored.recording, []).append(stored)
    shared: list[StoredTrack] = []
    for stored in tracks:
        group = [other.track for other in groups[stored.recording]]
        if len(group) == 1:
            shared.append(stored)
            continue
        own = stored.track
        playlists = tuple(dict.fromkeys((*own.playlists, *(name for track in group for name in track.playlists))))
        key = own.key or next((track.key for track in group if track.key), "")
        rating = own.rating or next((track.rating for track in group if track.rating), None)
        shared.append(replace(stored, track=replace(own, playlists=playlists, key=key, rating=rating)))
    return shared


def _preparation(track: Track, said: Mapping[Place, Said], places: Sequence[Place]) -> _Preparation | None:
    """What the first place with beats or cues says; None where none does, or it is of another version."""
    for path, begin_s in places:
        own = said.get((path, 0.0))
        prepared = None if own is None else _first_prepared(own)
        if prepared is None:
            continue
        end_s = begin_s + track.duration_s
        if _is_whole(track) and prepared.length_s and abs(prepared.length_s - track.duration_s) > OTHER_S:
            continue
        grid = grid_of(prepared, end_s)
        part = None if grid is None else grid.part(begin_s, end_s)
        cues = tuple(cue.shifted(-begin_s) for cue in prepared.cues)
        if not _is_whole(track):  # ends of the file's intro and outro say nothing of a track in its middle
            cues = tuple(cue for cue in cues if cue.kind not in ("intro", "outro"))
        if (part is not None and len(part.beats_s) > 1) or cues:
            return _Preparation(part if part is not None and len(part.beats_s) > 1 else None, cues)
    return None


def _first_prepared(said: Said) -> Prepared | None:
    value = counting(said).get("prepared")
    return None if value is None else prepared_of({"prepared": value[0]})


def _with(stored: StoredTrack, preparation: _Preparation) -> StoredTrack:
    """The track with its user's beats, tempo and outline."""
    grid, cues, outline = preparation.grid, preparation.cues, stored.outline
    track, beats = stored.track, stored.beats
    if grid is not None:
        track = replace(track, tempo_bpm=round(grid.tempo_bpm, 3))
        beats = grid.beats_s.astype(np.float32)
        if outline is not None:
            downbeats_s = _downbeats(grid, outline.downbeats_s)
            sections_s = np.unique(_snap(outline.sections_s, downbeats_s, beats))
            outline = replace(outline, downbeats_s=downbeats_s, sections_s=sections_s)
    if outline is not None:
        outline = _bounded(outline, cues, track.duration_s)
    return replace(stored, track=track, beats=beats, outline=outline)


def _downbeats(grid: Grid, measured_s: Floats) -> Floats:
    """The grid's bar lines; where it has none, the measured ones that are beats of the grid."""
    if grid.lines.any():
        return grid.beats_s[grid.lines].astype(np.float32)
    if not len(measured_s):
        return measured_s
    nearest = _nearest(grid.beats_s.astype(np.float32), measured_s)
    return np.unique(nearest[np.abs(nearest - measured_s) <= NEAR_S])


def _bounded(outline: Outline, cues: Sequence[Cue], duration_s: float) -> Outline:
    """With the user's intro, outro and long loops."""
    intro_s = next((cue.end_s for cue in cues if cue.kind == "intro" and cue.end_s), outline.intro_s)
    outro_s = next((cue.begin_s for cue in cues if cue.kind == "outro" and cue.begin_s), outline.outro_s)
    if not 0.0 <= intro_s < outro_s <= duration_s:
        intro_s, outro_s = outline.intro_s, outline.outro_s
    own = [
        Loop(cue.begin_s, cue.end_s, 1.0)
        for cue in cues
        if cue.kind == "loop" and cue.begin_s is not None and cue.end_s is not None
        and cue.begin_s >= 0.0 and cue.end_s - cue.begin_s >= LEAST_LOOP_S and cue.end_s <= duration_s
    ]  # fmt: skip
    return replace(outline, intro_s=intro_s, outro_s=outro_s, loops=(*own, *outline.loops)[: max(3, len(own))])


def _starts(segments: list[Segment], stored: StoredTrack, preparation: _Preparation) -> list[Segment]:
    """The segments with starts on the user's beats, and at the user's cues. A track keeps at least one start."""
    starts = [segment.start_s for segment in segments]
    if preparation.grid is not None:
        downbeats_s = stored.outline.downbeats_s if stored.outline is not None else np.zeros(0, np.float32)
        at = [i for i, start in enumerate(starts) if start is not None]
        moved = _snap(np.array([starts[i] for i in at], np.float32), downbeats_s, stored.beats)
        for i, place_s in zip(at, moved.tolist(), strict=True):
            starts[i] = place_s
    cued = _cued(segments, stored, preparation.cues)
    taken = sorted(cued.values())
    last = -APART_S
    result: list[Segment] = []
    for i, segment in enumerate(segments):
        start, border = (cued[i], 1.0) if i in cued else (starts[i], segment.border)
        if start is not None and (start < last + APART_S or (i not in cued and _is_near(start, taken))):
            start = None
        if start is None:
            border = 0.0
        else:
            last = start
        same = start == segment.start_s and border == segment.border
        result.append(segment if same else Segment(segment.first_clip, start, border))
    return result if any(segment.start_s is not None for segment in result) else segments


def _cued(segments: list[Segment], stored: StoredTrack, cues: Sequence[Cue]) -> dict[int, float]:
    """By the number of the segment nearest to it, each cue that may be a start: enough music follows, and the outro has
    not begun. Of two in one segment the one that ranks higher, then the earlier."""
    duration_s = stored.track.duration_s
    last_s = min(duration_s - ROOM_S, duration_s if stored.outline is None else stored.outline.outro_s)
    firsts_s = np.array([segment.first_clip for segment in segments]) * CLIP_S
    best: dict[int, tuple[int, float]] = {}
    for cue in cues:
        if cue.kind not in RANKS or cue.begin_s is None or not 0.0 <= cue.begin_s <= last_s or not len(firsts_s):
            continue
        nearest = int(np.argmin(np.abs(firsts_s - cue.begin_s)))
        if abs(firsts_s[nearest] - cue.begin_s) <= CLIP_S:
            rank = (RANKS[cue.kind], cue.begin_s)
            best[nearest] = min(best.get(nearest, rank), rank)
    return {segment: begin_s for segment, (_, begin_s) in best.items()}


def _is_near(start_s: float, taken: Sequence[float]) -> bool:
    """Whether one of ``taken``, which rise, is within ``REACH_S``."""
    at = bisect(taken, start_s)
    return (at < len(taken) and taken[at] - start_s < REACH_S) or (at > 0 and start_s - taken[at - 1] < REACH_S)


def _snap(times_s: Floats, downbeats_s: Floats, beats_s: Floats) -> Floats:
    """(n,) times at the nearest downbeat, else the nearest beat, within ``REACH_S``; else as they are."""
    result = times_s.copy()
    open_ = np.ones(len(times_s), np.bool_)
    for grid_s in (downbeats_s, beats_s):
        if len(grid_s) and len(times_s):
            nearest = _nearest(grid_s, times_s)
            near = open_ & (np.abs(nearest - times_s) <= REACH_S)
            result[near] = nearest[near]
            open_ &= ~near
    return result


def _nearest(grid_s: Floats, times_s: Floats) -> Floats:
    at = np.clip(np.searchsorted(grid_s, times_s), 1, max(1, len(grid_s) - 1))
    before, behind = grid_s[at - 1], grid_s[np.minimum(at, len(grid_s) - 1)]
    return np.where(times_s - before <= behind - times_s, before, behind).astype(np.float32)


def _is_whole(track: Track) -> bool:
    return track.begin_s == 0.0 and track.end_s is None


def _number(text: str | None) -> float:
    try:
        number = float(text or 0.0)
    except ValueError:
        return 0.0
    return number if isfinite(number) else 0.0


def _rating(text: str | None) -> int | None:
    stars = int(_number(text))
    return stars if 1 <= stars <= MOST_RATING else None
