"""Platt's curve: what drew the labels is found again."""

import numpy as np
import pytest

from towers.imports.clip_clap.platt import FLATTEST, platt


def drawn(slope: float, offset: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=count)
    return scores, rng.uniform(size=count) < 1 / (1 + np.exp(-(slope * scores + offset)))


@pytest.mark.parametrize(("slope", "offset"), [(2.0, -1.0), (0.7, 0.5)])
def test_the_curve_that_drew_the_labels_is_found(slope: float, offset: float) -> None:
    found = platt(*drawn(slope, offset))
    assert found == pytest.approx((slope, offset), abs=0.15)


def test_few_labels_make_no_step() -> None:
    """Ten of each, apart without a doubt: plain logistic regression would go to infinity."""
    scores = np.array([-1.0] * 10 + [1.0] * 10)
    slope, offset = platt(scores, scores > 0)
    assert slope == pytest.approx(np.log(11), abs=0.05)  # the targets are 11/12 and 1/12
    assert offset == pytest.approx(0.0, abs=1e-3)


def test_a_tag_that_says_the_contrary_is_nearly_silent() -> None:
    scores, labels = drawn(-1.0, 0.0)
    assert platt(scores, labels)[0] == FLATTEST
