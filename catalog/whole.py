"""Whether what the database keeps of a track is whole: types, sizes and values, before anything is computed with them.

A disk or another program may change any column of any row. Such a track is left out and named, all others are read;
``segue catalog verify`` asks the same questions, and so does ``segue index``, which analyses it again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .packing import floats
from .records import Outline, Track, TrackKey
from .stored import StoredSegments

NORM_WITHIN: Final = 1e-3  # of 1
LATE_S: Final = 1.0  # so far behind a track's end a start may lie: lengths are rounded
SEGMENTS: Final = "what is kept of its segments is damaged"
NO_SEGMENT: Final = "has no segment, so nothing finds it"
# What Python raises for bytes, numbers or JSON that are not what they were.
UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
# What ``segments_of`` takes of a track: its vectors, or only how many bytes they have, without reading them.
_COLUMNS: Final = (
    "segments.track, first_clips, starts, borders, moods, {}, length(rhythm) / 12, duration_s "
    "FROM segments LEFT JOIN tracks ON tracks.id = segments.track"
)
SEGMENT_COLUMNS: Final = _COLUMNS.format("vectors")
LEAN_COLUMNS: Final = _COLUMNS.format("CASE typeof(vectors) WHEN 'blob' THEN length(vectors) END")


def check_track(track: Track) -> None:
    """Raises ``ValueError``, which names the field."""
    for name in ("title", "artist", "licence"):
        _need(isinstance(getattr(track, name), str), name)
    _need(_number(track.duration_s) and track.duration_s >= 0, "length")
    _need(_number(track.tempo_bpm), "tempo")
    _need(_number(track.begin_s) and track.begin_s >= 0, "place in its file")
    _need(track.end_s is None or (_number(track.end_s) and track.end_s > track.begin_s), "place in its file")
    _need(all(value is None or _number(value) for value in (track.tagged_lufs, track.tagged_peak_db)), "tagged level")
    _need(all(isinstance(tag, str) for tag in track.tags), "tags")
    _need(track.energy is None or _number(track.energy), "energy")


def check_arrays(**arrays: NDArray[np.floating]) -> None:
    """That all numbers are finite. Raises ``ValueError``, which names the array."""
    for name, values in arrays.items():
        _need(bool(np.isfinite(values).all()), name)


def check_outline(outline: Outline) -> None:
    """Raises ``ValueError``, which names the part."""
    check_arrays(loudness=outline.loudness, sections=outline.sections_s, downbeats=outline.downbeats_s)
    single = (outline.range_lu, outline.true_peak_db, outline.intro_s, outline.outro_s)
    _need(_is_real(outline.lufs) and all(map(_is_real, single)), "loudness")
    _need(all(_number(at) for pair in outline.music_s for at in pair), "stretches of music")
    loops = ((loop.from_s, loop.to_s, loop.likeness) for loop in outline.loops)
    _need(all(_number(value) for loop in loops for value in loop), "loops")
    _need(all(_number(value) for pair in outline.tempi for value in pair), "tempi")
    _need(outline.vocals is None or len(outline.vocals) > 0, "vocals")
    check_key(outline.key)


def check_key(key: TrackKey | None) -> None:
    _need(key is None or (isinstance(key.name, str) and _number(key.confidence) and _number(key.tuning_cents)), "key")


@contextmanager
def told(what: str) -> Iterator[None]:
    """What cannot be read inside is told as damage of ``what``, a ``ValueError``."""
    try:
        yield
    except UNREADABLE as error:
        raise ValueError(f"{what} ({error})") from error


def segments_of(
    rows: Sequence[Any], dim: int, moody: bool | None = None, lean: bool = False
) -> tuple[StoredSegments, dict[str, str]]:
    """Rows of ``SEGMENT_COLUMNS``, by track -> the segments that are whole, with vectors of ``dim`` numbers; and of
    each track whose are not, what is damaged. ``moody``: segments have moods (None: if most of
    these have). ``lean``: rows of ``LEAN_COLUMNS``; without vectors then."""
    faults = {row[0]: SEGMENTS for row in rows if not _fits(row, dim, lean)}
    if moody is None:
        moody = 2 * sum(row[4] is not None for row in rows) > len(rows)
    faults |= {row[0]: "the moods of its segments are damaged" for row in rows if moody and row[4] is None}
    found = _joined([row for row in rows if row[0] not in faults] if faults else rows, dim, lean)
    limits = {row[0]: row[6:] for row in rows}
    wrong = _wrong(found, [limits[track] for track in found.tracks])
    if not wrong:
        return found, faults
    faults |= wrong
    return _joined([row for row in rows if row[0] not in faults], dim, lean), faults


def _fits(row: Any, dim: int, lean: bool) -> bool:
    _, firsts, starts, borders, moods, vectors, clips, length_s = row
    blobs = (firsts, starts, borders, b"" if moods is None else moods, b"" if lean else vectors)
    if not all(isinstance(each, bytes) for each in blobs):
        return False
    size = len(firsts)
    return (
        size > 0
        and size % 4 == 0
        and len(starts) == len(borders) == size
        and (moods is None or len(moods) == 3 * size)
        and (vectors if lean else len(vectors)) == size * dim
        and _number(clips or None)
        and _number(length_s)
    )  # fmt: skip


def _joined(rows: Sequence[Any], dim: int, lean: bool) -> StoredSegments:
    tracks, firsts, starts, borders, moods, vectors = (
        zip(*(row[:6] for row in rows), strict=True) if rows else ((),) * 6
    )
    return StoredSegments(
        list(tracks),
        np.array([len(first) // 4 for first in firsts], np.int64),
        np.frombuffer(b"".join(firsts), "<i4").astype(np.int64),
        floats(b"".join(starts)),
        floats(b"".join(borders)),
        floats(b"" if lean else b"".join(vectors)).reshape(-1, dim),
        None if None in moods or not moods else floats(b"".join(moods)).reshape(-1, 3),
    )


def _wrong(found: StoredSegments, limits: Sequence[tuple[int, float]]) -> dict[str, str]:
    """Of each track whose numbers cannot be, which these are. ``limits``: the clips and seconds that each has."""
    if not found.tracks:
        return {}
    clips, length_s = np.repeat(np.array(limits, np.float64), found.counts, axis=0).T
    with np.errstate(invalid="ignore"):
        checks = {
            "the first clips of its segments are damaged": (found.first_clips >= 0) & (found.first_clips < clips),
            "the starts of its segments are damaged": np.isnan(found.starts_s)
            | ((found.starts_s >= 0) & (found.starts_s <= length_s + LATE_S)),
            "the borders of its segments are damaged": np.isfinite(found.borders),
        }
    if len(found.vectors):
        squares = np.einsum("ij,ij->i", found.vectors, found.vectors)
        with np.errstate(invalid="ignore"):
            near = np.abs(np.sqrt(squares) - 1.0) <= NORM_WITHIN
        checks = {"the vectors of its segments are damaged": near} | checks
    if found.moods is not None:
        checks["the moods of its segments are damaged"] = np.isfinite(found.moods).all(axis=1)
    firsts = np.cumsum(found.counts) - found.counts
    faults: dict[str, str] = {}
    for name, good in checks.items():
        if not good.all():
            whole = np.logical_and.reduceat(good, firsts)
            faults |= {found.tracks[n]: name for n in np.flatnonzero(~whole)}
    return faults


def _need(whole: bool, name: str) -> None:
    if not whole:
        raise ValueError(name)


def _number(value: object) -> bool:
    return _is_real(value) and isfinite(value)  # type: ignore[arg-type]


def _is_real(value: object) -> bool:
    return isinstance(value, float | int) and value == value
