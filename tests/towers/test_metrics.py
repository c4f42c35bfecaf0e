"""Measures against brute force."""

import numpy as np
import pytest

from towers import metrics


def brute_rank(scores: list[float], right: int) -> int:
    return 1 + sum(1 for i, score in enumerate(scores) if i != right and score >= scores[right])


@pytest.mark.parametrize("seed", range(4))
def test_ranks_against_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    similarity = rng.integers(0, 6, (40, 40)) / 6.0  # coarse, so that there are ties
    expected = [brute_rank(list(similarity[i]), i) for i in range(40)]
    assert metrics.ranks(similarity).tolist() == expected
    summary = metrics.retrieval(similarity, (1, 5, 10))
    for k in (1, 5, 10):
        assert summary.recall[k] == pytest.approx(100 * sum(rank <= k for rank in expected) / 40)
    assert summary.median_rank == pytest.approx(float(np.median(expected)))


def test_a_constant_similarity_earns_nothing() -> None:
    summary = metrics.retrieval(np.zeros((30, 30)))
    assert summary.recall == {1: 0.0, 5: 0.0, 10: 0.0, 25: 0.0}


def test_chance_is_what_random_orders_give() -> None:
    rng = np.random.default_rng(0)
    got = np.mean([metrics.retrieval(rng.random((50, 50))).recall[5] for _ in range(200)])
    assert metrics.chance(50).recall[5] == 10.0
    assert got == pytest.approx(10.0, abs=0.6)
    assert metrics.chance(4).recall[25] == 100.0


def test_reranking_moves_only_what_is_on_the_shortlist() -> None:
    similarity = np.array([[0.5, 0.9, 0.7, 0.1], [0.9, 0.1, 0.8, 0.7], [0.3, 0.2, 0.9, 0.1], [0.1, 0.2, 0.3, 0.9]])
    shortlist = np.argsort(-similarity, axis=1)[:, :3]
    scores = np.zeros((4, 3))
    scores[0, shortlist[0] == 0] = 1.0  # the matcher finds the first one's answer, third before
    scores[2] = [0.2, 0.9, 0.1]  # and buries that of the third, first before
    scores[3] = [1.0, 0.5, 0.5]
    assert metrics.ranks(similarity).tolist() == [3, 4, 1, 1]
    assert metrics.reordered_ranks(similarity, scores, shortlist).tolist() == [1, 4, 2, 1]
