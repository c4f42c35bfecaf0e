"""Retrieval by label and two-class measures, against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from towers import label_metrics as measures


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), queries=st.integers(1, 8), candidates=st.integers(3, 20))
def test_average_precision_is_scikit_learns(seed: int, queries: int, candidates: int) -> None:
    rng = np.random.default_rng(seed)
    similarity = rng.permutation(queries * candidates).reshape(queries, candidates).astype(float)
    asked, offered = rng.integers(3, size=queries), rng.permutation(np.arange(candidates) % 3)
    expected = [average_precision_score(offered == a, row) for a, row in zip(asked, similarity, strict=True)]
    assert measures.mean_average_precision(similarity, asked, offered) == pytest.approx(100 * np.mean(expected))


def test_top_k_by_hand() -> None:
    similarity = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]])
    asked, offered = np.array([1, 0]), np.array([0, 1, 1])
    assert measures.top(similarity, asked, offered, 1) == 0.0
    assert measures.top(similarity, asked, offered, 2) == 50.0
    assert measures.top(similarity, asked, offered, 3) == 100.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(4, 40))
def test_auc_and_f1_are_scikit_learns(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n) % 2 == 0)
    scores = rng.integers(5, size=n).astype(float)  # with ties
    assert measures.auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    assert measures.f1(scores > 2, truth) == pytest.approx(f1_score(truth, scores > 2, zero_division=0))
    assert measures.accuracy(truth, truth) == 100.0
