"""From rankings and lists to figures."""

import numpy as np
import pytest
from scipy import stats

from benchmarks import real_measures as figures

RNG = np.random.default_rng(5)


def test_the_share_below_and_the_rank_count_ties_half() -> None:
    assert figures.share_below(0.5, [0.1, 0.5, 0.9, 0.2]) == pytest.approx(2.5 / 4)
    assert figures.rank_of(0.5, [0.1, 0.5, 0.9, 0.2]) == pytest.approx(2.5)
    assert figures.share_below(1.0, [0.1]) == 1.0 and figures.rank_of(1.0, [0.1]) == 1.0


def test_none_of_nine_is_not_surely_none() -> None:
    none = figures.share_of([False] * 9)
    assert none.value == none.low == 0.0 and none.high == pytest.approx(0.299, abs=0.001)  # as Wilson's tables have it
    half = figures.share_of([True, False] * 50)
    assert (half.low, half.high) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_no_recall_beyond_half_of_the_gallery() -> None:
    assert figures.levels(3) == (1,)
    assert figures.levels(29) == (1, 5, 10)
    assert figures.levels(100) == (1, 5, 10, 25)


def test_hubs_of_one_list_for_all_and_of_lists_that_share_nothing() -> None:
    same = figures.hub_figures([["a", "b"]] * 4, 8)
    assert same == {
        "largest": 4.0,
        "shown": 2.0,
        "overlap": 1.0,
        "gini": pytest.approx(0.75),
        "skewness": pytest.approx(stats.skew([4, 4, 0, 0, 0, 0, 0, 0])),
    }
    apart = figures.hub_figures([["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]], 8)
    assert apart == {"largest": 1.0, "shown": 8.0, "overlap": 0.0, "gini": 0.0, "skewness": 0.0}


def test_occurrences_are_of_every_track_and_blind_ones_add_up() -> None:
    assert figures.occurrences([["a", "b"], ["b", "c"]], 5).tolist() == [2, 1, 1, 0, 0]
    blind = figures.random_occurrences([2] * 10, 5)
    assert blind.sum() == pytest.approx(20) and np.all(np.diff(blind) <= 0) and blind[0] > 4


def test_blind_lists_overlap_as_chance_has_it() -> None:
    """Two draws of 5 of 25: the mean of shared / (10 - shared), which is hypergeometric."""
    chances = stats.hypergeom(25, 5, 5)
    expected = sum(chances.pmf(shared) * shared / (10 - shared) for shared in range(6))
    blind = figures.random_hubs([5] * 12, 25)
    assert blind["overlap"].value == pytest.approx(expected, abs=0.004)
    assert blind["overlap"].low < expected < blind["overlap"].high
    assert blind["largest"].low >= 5 * 12 / 25


def test_spearman_is_the_usual_one_and_0_where_nothing_differs() -> None:
    one, other = RNG.integers(0, 5, 30), RNG.normal(size=30)
    assert figures.spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    assert figures.spearman(np.ones(30), other) == 0.0
    found = figures.agreement(list(range(30)), [value**2 for value in range(30)])
    assert found.value == found.low == found.high == pytest.approx(1.0)


def test_a_dial_that_moves_something_and_one_that_does_not() -> None:
    values = [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [3.5, 4.5, 5.5]]
    assert figures.response((-1, 0, 1), values) > 0.6
    assert figures.response((-1, 0, 1), [values[0]] * 3) == pytest.approx(0.0, abs=1e-12)
    moved = figures.change(values[0], values[2])
    assert moved.value == moved.low == moved.high == pytest.approx(2.5)


def test_a_mean_is_over_those_that_have_it() -> None:
    assert figures.mean_measures([{"a": 1.0, "b": 4.0}, {"a": 3.0}]) == {"a": 2.0, "b": 4.0}
