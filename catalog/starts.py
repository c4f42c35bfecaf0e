"""Where in a track it may be started.

A start is a place where a listener would press play: music is audible within a second and goes on for at least 45 s
before its stretch ends, and the outro has not begun. It is the border of a section, if one is within 2 s of the
segment's begin, else the nearest downbeat, or beat, or the segment's begin. A track without such a place starts at its
first audible beat; so every track has a start.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.loudness import lufs_of
from features.r128 import BLOCKS_PER_S, Levels
from features.stretches import Stretch, silence_lufs

from .records import Floats

ROOM_S: Final = 45.0  # of music to come
REACH_S: Final = 2.0  # between a segment's begin and its start
LAST_S: Final = 1.0  # no start is nearer to the end
AUDIBLE_LU: Final = 20.0  # below the track's loudness: softer places are no starts
APART_S: Final = 0.25


def starts_of(
    segments_s: Floats,
    duration_s: float,
    levels: Levels,
    stretches: Sequence[Stretch],
    sections_s: Floats,
    strengths: Floats,
    grid_s: Floats,
) -> tuple[Floats, Floats]:
    """(k,) the start of each segment, NaN for no start, at least one is not NaN; and (k,) in [0, 1] how surely a
    section begins there.

    ``segments_s`` (k,) where segments begin; ``sections_s`` and ``strengths`` (m,); ``grid_s``: downbeats, or beats
    where downbeats are not known. All rising.
    """
    starts = np.full(len(segments_s), np.nan)
    borders = np.zeros(len(segments_s))
    loud = _loud_seconds(levels)
    for at, segment_s in enumerate(segments_s):
        place_s, border = _place(float(segment_s), sections_s, strengths, grid_s)
        if _may_start(place_s, stretches, loud) and not _is_near(starts[:at], place_s):
            starts[at], borders[at] = place_s, border
    if np.isnan(starts).all():
        main = max(stretches, key=lambda stretch: stretch.length_s)
        first_s = min(_first_beat(main, grid_s), max(0.0, duration_s - LAST_S))
        at = int(np.argmin(np.abs(segments_s - first_s)))
        starts[at], borders[at] = first_s, 1.0
    return starts.astype(np.float32), borders.astype(np.float32)


def _place(segment_s: float, sections_s: Floats, strengths: Floats, grid_s: Floats) -> tuple[float, float]:
    """Where to start instead of at ``segment_s``, and how surely a section begins there."""
    if len(sections_s):
        nearest = int(np.argmin(np.abs(sections_s - segment_s)))
        if abs(sections_s[nearest] - segment_s) <= REACH_S:
            return float(sections_s[nearest]), float(strengths[nearest])
    if len(grid_s):
        beat_s = float(grid_s[np.argmin(np.abs(grid_s - segment_s))])
        if abs(beat_s - segment_s) <= REACH_S:
            return beat_s, 0.0
    return segment_s, 0.0


def _may_start(start_s: float, stretches: Sequence[Stretch], loud: NDArray[np.bool_]) -> bool:
    block = round(start_s * BLOCKS_PER_S)
    if not 0 <= block < len(loud) or not loud[block]:
        return False
    return any(
        stretch.begin_s - 1 / BLOCKS_PER_S <= start_s < stretch.fall_s - 0.01 and start_s + ROOM_S <= stretch.end_s
        for stretch in stretches
    )


def _is_near(starts: NDArray[np.float64], place_s: float) -> bool:
    """Whether an earlier segment starts there or within ``APART_S``."""
    known = starts[~np.isnan(starts)]
    return bool(len(known)) and place_s < float(known[-1]) + APART_S


def _loud_seconds(levels: Levels) -> NDArray[np.bool_]:
    """(n,) whether the second from each block on is audible, and not just the beginning of a fade."""
    total = np.concatenate([[0.0], np.cumsum(levels.power)])
    at = np.arange(len(levels.power))
    end = np.minimum(at + BLOCKS_PER_S, len(at))
    lufs = levels.lufs
    least = max(silence_lufs(lufs), lufs - AUDIBLE_LU)
    return np.asarray(lufs_of((total[end] - total[at]) / (end - at)) >= least)


def _first_beat(stretch: Stretch, grid_s: Floats) -> float:
    """The first beat of a stretch, or its begin where no beat is near."""
    near = grid_s[(grid_s >= stretch.begin_s - 1 / BLOCKS_PER_S) & (grid_s <= stretch.begin_s + REACH_S)]
    return float(near[0]) if len(near) else stretch.begin_s
