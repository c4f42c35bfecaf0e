"""DPVM's losses, by hand."""

import pytest
import torch

from towers.losses import dpvm

SIMILARITY = torch.tensor([[0.9, 0.95], [0.1, 0.4]])
FALSE = ~torch.eye(2, dtype=torch.bool)


def test_reconstruction_is_the_mean_square_and_leaves_what_entered_alone() -> None:
    entered = torch.tensor([[1.0, 2.0]], requires_grad=True)
    decoded = torch.tensor([[0.0, 4.0]], requires_grad=True)
    loss = dpvm.reconstruction(entered, decoded)
    assert float(loss.detach()) == pytest.approx((1 + 4) / 2)
    loss.backward()
    assert entered.grad is None and decoded.grad is not None


def test_metric_counts_the_terms_above_zero() -> None:
    # rows: .2 - .9 + .95 = .25 and .2 - .4 + .1 < 0; columns: .2 - .4 + .95 = .75 and .2 - .9 + .1 < 0
    assert float(dpvm.metric(SIMILARITY, FALSE, 0.2)) == pytest.approx((0.25 + 0.75) / 2)


def test_polarity_penalty_weighs_what_stands_above_the_own() -> None:
    polarity = torch.tensor([1.0, -0.5])
    # k = 0: the other stands above (.95 > .9), apart by 1.5: 1.5 * .95 - .9; k = 1: below: -.4
    expected = ((1.5 * 0.95 - 0.9) + (-0.4)) / 2
    assert float(dpvm.polarity_penalty(SIMILARITY, polarity, FALSE)) == pytest.approx(expected)


def test_unknown_polarity_is_not_penalised() -> None:
    polarity = torch.tensor([1.0, float("nan")])
    assert float(dpvm.polarity_penalty(SIMILARITY, polarity, FALSE)) == pytest.approx((-0.9 - 0.4) / 2)


def test_the_penalty_pushes_the_false_one_down_and_the_own_up() -> None:
    similarity = SIMILARITY.clone().requires_grad_()
    dpvm.polarity_penalty(similarity, torch.tensor([1.0, -1.0]), FALSE).backward()
    assert similarity.grad is not None
    assert float(similarity.grad[0, 1]) > 0 > float(similarity.grad[0, 0])
    assert float(similarity.grad[1, 0]) == 0.0
