"""Bootstrap intervals: they hold what they should, pair what belongs together, and repeat."""

import numpy as np
import pytest

from towers.intervals import bootstrap, compare, median_rank, recall_at


def test_the_value_is_the_measure_itself() -> None:
    ranks = np.array([[1, 2, 30, 4], [1, 1, 50, 60]])
    assert bootstrap(ranks, recall_at(1)).value == pytest.approx(100 * 3 / 8)
    assert bootstrap(ranks, median_rank).value == pytest.approx((3 + 25.5) / 2)


def test_an_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(100):
        ranks = rng.integers(1, 101, size=(1, 200))  # R@30 is 30 in truth
        interval = bootstrap(ranks, recall_at(30), draws=300, seed=trial)
        held += interval.low <= 30 <= interval.high
    assert 88 <= held <= 100


def test_pairing_sees_what_two_intervals_hide() -> None:
    rng = np.random.default_rng(1)
    worse = rng.integers(1, 101, size=(3, 300))
    better = np.maximum(1, worse - 4)  # always a little better, on the same queries
    difference = compare(better, worse, median_rank)
    assert difference.value == pytest.approx(-4) and difference.excludes_zero()
    apart = [bootstrap(ranks, median_rank) for ranks in (better, worse)]
    assert apart[0].high > apart[1].low  # side by side they overlap


def test_equal_systems_differ_by_nothing_and_other_queries_are_refused() -> None:
    ranks = np.arange(1, 51)[None]
    assert not compare(ranks, ranks, recall_at(10)).excludes_zero()
    with pytest.raises(ValueError, match="cannot be paired"):
        compare(ranks, ranks[:, :40], recall_at(10))
