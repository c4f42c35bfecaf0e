"""The confidence interval of a retrieval figure: bootstrap over queries (Efron 1979), percentile intervals.

Ranks are (seeds, queries): all seeds of one system answer the same queries. Queries are drawn with replacement, the
same draw for every seed and, in a comparison, for both systems; seeds are averaged, not drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ranks = npt.NDArray[np.integer]
Measure = Callable[[npt.NDArray[np.floating]], npt.NDArray[np.floating]]

DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure and its 95% interval over the draws."""

    value: float
    low: float
    high: float

    def excludes_zero(self) -> bool:
        return self.low > 0.0 or self.high < 0.0


def recall_at(level: int) -> Measure:
    """Percent of ranks (..., n) up to ``level``, over the last axis."""
    return lambda ranks: 100.0 * (ranks <= level).mean(axis=-1)


def median_rank(ranks: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return np.asarray(np.median(ranks, axis=-1))


def bootstrap(ranks: Ranks, measure: Measure, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Of ``measure``, averaged over seeds."""
    table = np.atleast_2d(ranks).astype(np.float64)
    return _interval(float(measure(table).mean()), [_mean(measure, table, rows) for rows in _rows(table, draws, seed)])


def compare(better: Ranks, worse: Ranks, measure: Measure, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Of the difference ``measure(better) - measure(worse)``, paired by query."""
    left, right = (np.atleast_2d(ranks).astype(np.float64) for ranks in (better, worse))
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"{left.shape[1]} and {right.shape[1]} queries cannot be paired")
    value = float(measure(left).mean() - measure(right).mean())
    drawn = [_mean(measure, left, rows) - _mean(measure, right, rows) for rows in _rows(left, draws, seed)]
    return _interval(value, drawn)


def _rows(table: npt.NDArray[np.floating], draws: int, seed: int) -> npt.NDArray[np.int64]:
    queries = table.shape[1]
    return np.random.default_rng(seed).integers(queries, size=(draws, queries))


def _mean(measure: Measure, table: npt.NDArray[np.floating], rows: npt.NDArray[np.integer]) -> float:
    return float(measure(table[:, rows]).mean())


def _interval(value: float, drawn: list[float]) -> Interval:
    outside = 100.0 * (1.0 - LEVEL) / 2.0
    low, high = np.percentile(drawn, (outside, 100.0 - outside))
    return Interval(value, float(low), float(high))
