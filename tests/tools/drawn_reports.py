"""Reports of drawn samples: the same each time, with a slowdown or a loss of recall planted where a test wants one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.harness import Report, Row, curve_of, percentile_rows
from benchmarks.report.interval import interval, mean

STAGES = {"decode": 0.3, "convert": 0.6, "flow": 0.7, "clip tower": 2.1, "search": 0.9, "rank": 1.2, "end to end": 14.0}
WAYS = {"flat": 1.0, "compact": 0.995}
QUERIES = 200
DRIFT = 0.02  # of a run as a whole: its standard deviation
WANDER, MEMORY = 0.03, 20  # of the machine's speed within a run, and over how many hops it lasts


def latency(
    seed: int, slower: Mapping[str, float] | None = None, hops: int = 600, drift: float = 0.02
) -> dict[str, Any]:
    """Stages whose samples wander slowly, and a whole run that is a little faster or slower than another."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    curves = []
    for stage, middle_ms in STAGES.items():
        factor = (slower or {}).get(stage, 1.0) * float(np.exp(rng.normal(0.0, DRIFT)))
        wander = np.convolve(rng.normal(0.0, WANDER, hops + MEMORY - 1), np.full(MEMORY, MEMORY**-0.5), "valid")
        samples = (factor * middle_ms * np.exp(wander) * rng.lognormal(0.0, 0.15, hops)).tolist()
        rows += percentile_rows(samples, stage=stage)
        curves.append(curve_of(samples, "ms", stage=stage))
    return Report("latency", rows, {"engine": "drawn", "tracks": 20}, curves).to_json()


def search(seed: int, lost: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Recall of each query, with a share of the found tracks lost."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for way, share in WAYS.items():
        own = share * (1.0 - (lost or {}).get(way, 0.0))
        shares = (rng.binomial(32, own, QUERIES) / 32).tolist()
        labels: dict[str, str | int | float] = {"vectors": 1000, "way": way}
        rows.append(Row("recall", float(np.mean(shares)), QUERIES, "", labels, interval(shares, mean, drift=0.0)))
        rows += percentile_rows((rng.lognormal(0.0, 0.1, 600) * 2).tolist(), **labels, queries=1)
    return Report("search", rows, {}).to_json()
