"""Where a track may be looped: two places that are followed by two bars that are alike.

Beats are compared in timbre and harmony, relative to the track's mean, at distances of whole bars between 12 s and two
minutes: so the work grows with the length of the track, not with its square.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BARS: Final = 2
LEAST_S, MOST_S = 12.0, 120.0
MOST: Final = 3
_MOST_BARS: Final = 96  # between the two places
_LIKE: Final = 0.7  # of two bars; below it they are no loop
_WORST: Final = 0.3  # of each beat of them
_LONG_S: Final = 48.0
_LONG: Final = 0.1  # likeness that a loop of that length gains over one of no length
_APART_S: Final = 8.0  # between the places of two loops in the result
_STEADY: Final = 0.06  # of a loop's length that its beats may be off an even tempo


@dataclass(frozen=True, slots=True)
class Loop:
    """A player may jump from ``to_s`` back to ``from_s``; ``likeness`` in [0, 1] of the two bars that follow each."""

    from_s: float
    to_s: float
    likeness: float


def loops(
    beats_s: Floats, features: Floats, meter: int, lines: NDArray[np.bool_], begin_s: float, end_s: float
) -> list[Loop]:
    """At most three, the best first, inside of ``begin_s`` and ``end_s``.

    ``beats_s`` (n,) rising; ``features`` (n, d) of each beat; ``lines`` (n,) bool: the beats that may be places, every
    ``meter`` beats mostly, all of them where bars are not known.
    """
    length = BARS * meter
    first, end = np.searchsorted(beats_s, (begin_s, end_s))
    beats, values, places = beats_s[first:end], features[first:end], lines[first:end]
    if len(beats) < 2 * length:
        return []
    period_s = float(np.median(np.diff(beats)))
    spread = values.std(axis=0)
    values = (values - values.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    candidates: list[tuple[float, Loop]] = []
    for lag in range(meter, min(len(beats) - length, _MOST_BARS * meter) + 1, meter):
        if not LEAST_S <= lag * period_s <= MOST_S:
            continue
        like = np.einsum("nd,nd->n", values[:-lag], values[lag:])
        runs = np.lib.stride_tricks.sliding_window_view(like, length)
        lengths_s = (beats[lag:] - beats[:-lag])[: len(runs)]
        usable = places[: len(runs)] & places[lag : lag + len(runs)] & (runs.min(axis=1) >= _WORST)
        usable &= np.abs(lengths_s - lag * period_s) <= _STEADY * lag * period_s
        mean = np.where(usable, runs.mean(axis=1), -1.0)
        at = int(np.argmax(mean))
        if mean[at] >= _LIKE:
            worth = float(mean[at]) + _LONG * min(1.0, lag * period_s / _LONG_S)
            candidates.append((worth, Loop(float(beats[at]), float(beats[at + lag]), min(1.0, float(mean[at])))))
    best: list[Loop] = []
    for _, loop in sorted(candidates, key=lambda pair: -pair[0]):
        if len(best) < MOST and all(_is_apart(loop, other) for other in best):
            best.append(loop)
    return best


def _is_apart(a: Loop, b: Loop) -> bool:
    return abs(a.from_s - b.from_s) >= _APART_S or abs(a.to_s - b.to_s) >= _APART_S
