"""Within what a figure of another run is expected, 95 times of 100.

Samples of one run follow one another: a busy second slows down all of its samples. So they are drawn again in blocks
of neighbours (block bootstrap: Künsch 1989, "The jackknife and the bootstrap for general stationary observations",
Annals of Statistics 17), not one by one. Runs also differ as wholes (where memory lies, what the clock does, what else
the machine carries), by ``DRIFT`` as measured between runs (docs/BENCHMARKS.md); the two add as independent errors do.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # Student's quantiles; scipy.stats takes a second to import

Values = NDArray[np.float64]
Statistic = Callable[[Values], Any]  # (..., n) -> (...), or (figures, ...) of several
Interval = tuple[float, float]
BLOCKS: Final = 20
DRAWS: Final = 300
LEAST: Final = 5  # samples; fewer say nothing of their spread
DRIFT: Final = 0.04  # of a time, between runs
LEVEL: Final = (2.5, 97.5)
AT_ONCE: Final = 4_000_000  # samples drawn in one piece


def median(values: Values) -> Any:
    return np.median(values, axis=-1)


def mean(values: Values) -> Any:
    return np.mean(values, axis=-1)


def percentiles(given: Sequence[float]) -> Statistic:
    return lambda values: np.percentile(values, given, axis=-1)


def intervals(samples: Sequence[float], statistic: Statistic, drift: float = DRIFT) -> list[Interval | None]:
    """One interval for each figure that ``statistic`` gives of samples in the order of time; None for each where there
    are fewer than ``LEAST`` samples. The same samples give the same intervals."""
    values = np.asarray(samples, np.float64)
    middle = np.atleast_1d(statistic(values))
    if len(values) < LEAST:
        return [None] * len(middle)
    drawn = np.concatenate([np.atleast_2d(statistic(values[pick])) for pick in picks(len(values))], axis=1)
    low, high = np.percentile(drawn, LEVEL, axis=1)
    # A handful of blocks shows less spread than there is: as t is wider than the normal distribution.
    wider = float(stdtrit(min(BLOCKS, len(values)) - 1, 0.975)) / 1.96
    low = middle - np.hypot(wider * np.maximum(middle - low, 0.0), drift * middle)
    high = middle + np.hypot(wider * np.maximum(high - middle, 0.0), drift * middle)
    if values.min() >= 0.0:  # as times, counts and shares are: no figure of theirs is below zero
        low = np.maximum(low, 0.0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def picks(count: int) -> Iterator[NDArray[np.int64]]:
    """(draws, count) places of samples, some draws at a time: blocks of neighbours that begin anywhere."""
    length = -(-count // BLOCKS)
    rng, step = np.random.default_rng(count), np.arange(length)
    for begin in range(0, DRAWS, at_once := max(1, AT_ONCE // count)):
        draws = min(at_once, DRAWS - begin)
        starts = rng.integers(0, count - length + 1, (draws, -(-count // length)))
        yield (starts[:, :, None] + step).reshape(draws, -1)[:, :count]


def interval(samples: Sequence[float], statistic: Statistic = median, drift: float = DRIFT) -> Interval | None:
    """As `intervals`, of one figure."""
    return intervals(samples, statistic, drift)[0] if len(samples) else None


def of_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval | None:
    """Of the ratio of two medians, from pairs that were measured in turns; a drift falls on both alike."""
    pairs = np.stack([np.asarray(ours, np.float64), np.asarray(theirs, np.float64)])
    if pairs.shape[1] < LEAST:
        return None
    drawn = [median(pairs[:, pick]) for pick in picks(pairs.shape[1])]
    ratios = np.concatenate([ours / np.maximum(theirs, 1e-12) for ours, theirs in drawn])
    low, high = np.percentile(ratios, LEVEL)
    above, below = median(pairs)
    middle = float(above / max(float(below), 1e-12))
    drift = DRIFT / 2 * middle
    return middle - math.hypot(middle - min(low, middle), drift), middle + math.hypot(max(high, middle) - middle, drift)


def of_turns(values: Sequence[float]) -> Interval | None:
    """Of the mean of a few whole runs, by Student's t; None for a single one."""
    turns = np.asarray(values, np.float64)
    if len(turns) < 2:
        return None
    half = float(stdtrit(len(turns) - 1, 0.975) * turns.std(ddof=1) / np.sqrt(len(turns)))
    return float(turns.mean()) - half, float(turns.mean()) + half
