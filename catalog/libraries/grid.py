"""A library's tempi or beats -> the beats and bar lines of a track."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .prepared import MAX_BEATS, Prepared, Tempo

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """``beats_s`` (n,) rising; ``lines`` (n,) bool, which of them begin a bar, all False where that is not known;
    ``tempo_bpm``, which most of the time is."""

    beats_s: Floats
    lines: NDArray[np.bool_]
    tempo_bpm: float

    def part(self, begin_s: float, end_s: float) -> "Grid":
        """The beats in a part of the file, in the time of the part."""
        inside = (self.beats_s >= begin_s) & (self.beats_s < end_s)
        return Grid(self.beats_s[inside] - begin_s, self.lines[inside], self.tempo_bpm)


def grid_of(prepared: Prepared, end_s: float) -> Grid | None:
    """The beats from the file's begin to ``end_s``; None where the library has none.

    A tempo holds until the next one; the first one also holds before its own begin. A beat that would fall within a
    quarter of a beat before the next tempo is that tempo's first.
    """
    if prepared.tempi:
        return _of_tempi(prepared.tempi, end_s)
    beats_s = np.array(sorted(at for at in prepared.beats_s if 0.0 <= at < end_s))
    if len(beats_s) < 2:
        return None
    return Grid(beats_s, np.zeros(len(beats_s), np.bool_), 60.0 / float(np.median(np.diff(beats_s))))


def _of_tempi(tempi: Sequence[Tempo], end_s: float) -> Grid | None:
    times: list[Floats] = []
    lines: list[NDArray[np.bool_]] = []
    spans: dict[float, float] = {}
    left = MAX_BEATS
    for at, tempo in enumerate(tempi):
        step_s = 60.0 / tempo.bpm
        next_s = tempi[at + 1].begin_s if at + 1 < len(tempi) else end_s
        until_s = end_s if next_s >= end_s else next_s - 0.25 * step_s
        first = 0 if at else int(np.ceil(-tempo.begin_s / step_s))
        count = min(int(np.ceil((until_s - tempo.begin_s) / step_s)) - first, left)
        if count > 0:
            left -= count
            numbers = np.arange(first, first + count, dtype=np.int64)
            times.append(np.asarray(tempo.begin_s + step_s * numbers, np.float64))
            lines.append(_lines(tempo, numbers))
            spans[tempo.bpm] = spans.get(tempo.bpm, 0.0) + count * step_s
    beats_s = np.concatenate([np.zeros(0), *times])
    inside = (beats_s >= 0.0) & (beats_s < end_s)
    if inside.sum() < 2:
        return None
    return Grid(beats_s[inside], np.concatenate(lines)[inside], max(spans, key=lambda bpm: spans[bpm]))


def _lines(tempo: Tempo, at: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not tempo.beat:
        return np.zeros(len(at), np.bool_)
    return np.asarray((at + tempo.beat - 1) % tempo.meter == 0)
