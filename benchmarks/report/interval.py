"""Within what a figure of another run is expected, 95 times of 100.

Samples of one run follow one another: a busy second slows down all of its samples. So they are drawn again in blocks
of neighbours (block bootstrap: Künsch 1989, "The jackknife and the bootstrap for general stationary observations",
Annals of Statistics 17), not one by one. Runs also differ as wholes (where memory lies, what the clock does, what else
the machine carries): times get ``DRIFT`` more on either side, as measured between runs (docs/BENCHMARKS.md).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

Values = NDArray[np.float64]
Statistic = Callable[[Values], Any]  # (n,) -> a number, or an array of them
Interval = tuple[float, float]
BLOCKS: Final = 20
DRAWS: Final = 300
LEAST: Final = 5  # samples; fewer say nothing of their spread
DRIFT: Final = 0.04  # of a time, between runs
LEVEL: Final = (2.5, 97.5)


def intervals(samples: Sequence[float], statistic: Statistic, drift: float = DRIFT) -> list[Interval | None]:
    """One interval for each number that ``statistic`` gives; None for each where there are fewer than ``LEAST``
    samples. The same samples give the same intervals."""
    values = np.asarray(samples, np.float64)
    if len(values) < LEAST:
        return [None] * np.size(statistic(values))
    blocks = np.array_split(values, min(BLOCKS, len(values)))
    picks = np.random.default_rng(len(values)).integers(0, len(blocks), (DRAWS, len(blocks)))
    drawn = np.array([np.atleast_1d(statistic(np.concatenate([blocks[at] for at in pick]))) for pick in picks])
    middle = np.atleast_1d(statistic(values))
    low, high = np.percentile(drawn, LEVEL, axis=0)
    # A handful of blocks shows less spread than there is: as t is wider than the normal distribution.
    wider = float(t.ppf(0.975, len(blocks) - 1)) / 1.96
    low = middle - wider * np.maximum(middle - low, 0.0) - drift * np.abs(middle)
    high = middle + wider * np.maximum(high - middle, 0.0) + drift * np.abs(middle)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def interval(samples: Sequence[float], statistic: Statistic = np.median, drift: float = DRIFT) -> Interval | None:
    """As `intervals`, of one number."""
    return intervals(samples, statistic, drift)[0] if len(samples) else None


def of_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval | None:
    """Of the ratio of two medians, from pairs that were measured in turns; a drift falls on both alike."""
    pairs = np.column_stack([np.asarray(ours, np.float64), np.asarray(theirs, np.float64)])
    if len(pairs) < LEAST:
        return None
    blocks = np.array_split(pairs, min(BLOCKS, len(pairs)))
    picks = np.random.default_rng(len(pairs)).integers(0, len(blocks), (DRAWS, len(blocks)))
    middles = np.array([np.median(np.concatenate([blocks[at] for at in pick]), axis=0) for pick in picks])
    low, high = np.percentile(middles[:, 0] / np.maximum(middles[:, 1], 1e-12), LEVEL)
    middle = float(np.median(pairs[:, 0]) / max(float(np.median(pairs[:, 1])), 1e-12))
    return min(float(low), middle) - DRIFT / 2 * abs(middle), max(float(high), middle) + DRIFT / 2 * abs(middle)


def of_turns(values: Sequence[float]) -> Interval | None:
    """Of the mean of a few whole runs, by Student's t; None for a single one."""
    turns = np.asarray(values, np.float64)
    if len(turns) < 2:
        return None
    half = float(t.ppf(0.975, len(turns) - 1) * turns.std(ddof=1) / np.sqrt(len(turns)))
    return float(turns.mean()) - half, float(turns.mean()) + half
