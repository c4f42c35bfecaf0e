"""The levels of a pulse: which multiples of its tempo may be called its tempo too."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .tempo import prior
from .tempogram import GRID_BPM, MAX_BPM, MIN_BPM, Tempogram

LEVELS: Final = (1.0, 2.0, 1 / 2, 3.0, 1 / 3, 3 / 2, 2 / 3, 4 / 3, 3 / 4)
SAME: Final = 0.04  # tempi this near, in proportion, are one
MIN_WEIGHT: Final = 0.05
MOST: Final = 6
_ONE_TEMPO: Final = 0.8  # of a track that has its middle tempo
_TAGGED_BPM: Final = (30.0, 300.0)  # range of a tag


@dataclass(frozen=True, slots=True)
class Tempo:
    """``weight`` in [0, 1]: how likely this is called the track's tempo, or how much of the track has it."""

    bpm: float
    weight: float


def tempi(grid: Tempogram, bpm: NDArray[np.float64], usual_bpm: float) -> tuple[Tempo, ...]:
    """The possible tempi of a track: at most six, weights from 0.05 on, the likeliest first; they sum to 1.

    ``bpm`` (n,): the tempo in each window; ``usual_bpm``: that of most beats. Each window adds weight to its tempo and
    its other levels, as far as the onsets repeat there and the level is a usual one.
    """
    weights = np.zeros(len(GRID_BPM))
    for level in LEVELS:
        at = _places(level * bpm)
        inside = at >= 0
        rows = np.flatnonzero(inside)
        heights = np.maximum(grid.heights[rows, at[rows]], 0.0) * grid.weights[rows] * prior(GRID_BPM[at[rows]])
        np.add.at(weights, at[rows], heights)
    peaks: list[Tempo] = []
    rest = weights / max(float(weights.sum()), 1e-12)
    while len(peaks) < MOST and rest.max() > 0.0:
        near = np.abs(np.log2(GRID_BPM / GRID_BPM[int(np.argmax(rest))])) <= np.log2(1.0 + SAME)
        weight = float(rest[near].sum())
        if weight < MIN_WEIGHT and peaks:
            break
        peaks.append(Tempo(_exact(float((GRID_BPM * rest)[near].sum() / weight), usual_bpm), weight))
        rest = np.where(near, 0.0, rest)
    total = sum(tempo.weight for tempo in peaks)
    return tuple(
        Tempo(tempo.bpm, tempo.weight / total) for tempo in sorted(peaks, key=lambda tempo: tempo.weight, reverse=True)
    )


def level_of(grid: Tempogram, bpm: NDArray[np.float64], tagged_bpm: float) -> float:
    """The factor for ``bpm`` (n,) with which most of the track has the tempo ``tagged_bpm``; 1 where no level fits.

    A tag decides between doubles and halves; between thirds and quarters only where onsets repeat at its tempo; and
    never for a track whose tempo changes, since then it holds for a part only.
    """
    if not _TAGGED_BPM[0] <= tagged_bpm <= _TAGGED_BPM[1]:
        return 1.0
    weights = grid.weights + 1e-9
    middle = float(np.exp(np.average(np.log(bpm), weights=weights)))
    if np.average(np.abs(bpm / middle - 1.0) <= SAME, weights=weights) < _ONE_TEMPO:
        return 1.0
    best = min(LEVELS, key=lambda level: abs(np.log(tagged_bpm / (level * middle))))
    if abs(tagged_bpm / (best * middle) - 1.0) > SAME:
        return 1.0
    if best in (1.0, 2.0, 1 / 2):
        return best
    at = _places(best * bpm)
    rows = np.flatnonzero(at >= 0)
    return best if len(rows) and float(grid.heights[rows, at[rows]].mean()) > 0.0 else 1.0


def _places(bpm: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index into ``GRID_BPM`` of the nearest one, -1 outside of it."""
    nearest = np.abs(np.log(GRID_BPM[:, None] / bpm)).argmin(axis=0)
    return np.where((bpm >= MIN_BPM / 1.01) & (bpm <= MAX_BPM * 1.01), nearest, -1)


def _exact(bpm: float, usual_bpm: float) -> float:
    """``bpm`` as a multiple of ``usual_bpm``, where it is one."""
    best = min(LEVELS, key=lambda level: abs(bpm / (level * usual_bpm) - 1.0))
    return best * usual_bpm if abs(bpm / (best * usual_bpm) - 1.0) <= SAME / 2 else bpm
