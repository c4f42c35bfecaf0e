"""Intervals hold what another run gives, and are no wider than that asks."""

import numpy as np
import pytest

from benchmarks.report.interval import interval, intervals, mean, of_ratio, of_turns, percentiles


def test_an_interval_holds_the_figure_and_is_the_same_each_time() -> None:
    samples = np.random.default_rng(1).lognormal(0.0, 0.3, 400).tolist()
    low, high = interval(samples) or (0.0, 0.0)
    assert low < float(np.median(samples)) < high
    assert interval(samples) == (low, high)


def test_a_busy_second_widens_it() -> None:
    """The same samples, once mixed and once with the slow ones together, as when something else ran."""
    rng = np.random.default_rng(2)
    samples = np.concatenate([rng.normal(1.0, 0.05, 300), rng.normal(1.6, 0.05, 300)])
    apart, mixed = (interval(part.tolist(), mean, 0.0) for part in (samples, rng.permutation(samples)))
    assert apart is not None and mixed is not None
    assert apart[1] - apart[0] > 3 * (mixed[1] - mixed[0])


def test_no_time_is_below_zero() -> None:
    """However wide few samples with a rare long one make it."""
    samples = np.random.default_rng(5).lognormal(-3.0, 2.5, 60)
    (bounds,) = intervals(samples.tolist(), percentiles([99]), 4.0)
    assert bounds is not None and bounds[0] == 0.0 < bounds[1]
    (bounds,) = intervals((samples - 1.0).tolist(), percentiles([99]), 4.0)
    assert bounds is not None and bounds[0] < 0.0


def test_nineteen_of_twenty_runs_lie_within() -> None:
    """Without drift between runs, for the median and the 95th percentile."""
    rng = np.random.default_rng(3)
    truth = np.percentile(rng.lognormal(0.0, 0.3, 1_000_000), (50, 95))
    held = np.zeros(2)
    for _ in range(100):
        found = intervals(rng.lognormal(0.0, 0.3, 400).tolist(), percentiles((50, 95)), drift=0.0)
        held += [one is not None and one[0] <= true <= one[1] for one, true in zip(found, truth, strict=True)]
    assert (held >= 88).all(), held


def test_few_samples_tell_nothing() -> None:
    assert interval([1.0, 2.0, 3.0, 4.0]) is None and interval([]) is None
    assert intervals([1.0, 2.0], percentiles((50, 95))) == [None, None]


def test_of_whole_turns() -> None:
    assert of_turns([1.0]) is None
    low, high = of_turns([1.0, 1.1, 1.2]) or (0.0, 0.0)
    assert (low, high) == (pytest.approx(0.8516, abs=1e-3), pytest.approx(1.3484, abs=1e-3))


def test_of_a_ratio_in_turns_a_common_drift_does_not_count() -> None:
    rng = np.random.default_rng(4)
    drift = np.exp(np.cumsum(rng.normal(0.0, 0.05, 200)))
    theirs = drift * rng.lognormal(0.0, 0.02, 200)
    low, high = of_ratio((2.0 * theirs).tolist(), theirs.tolist()) or (0.0, 0.0)
    assert low < 2.0 < high and high - low < 0.2
