"""CMVAE's losses against values worked out by hand."""

import math

import pytest
import torch

from towers.losses import cmvae as losses


def test_divergence_by_hand() -> None:
    mean = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    log_variance = torch.tensor([[0.0, 0.0], [math.log(4.0), 0.0]])
    # Row 0: (1 + 1 - 0 - 1 + 0) / 2 = 0.5. Row 1: (4 - ln 4 - 1 + 4 + 1 - 0 - 1) / 2 = (7 - ln 4) / 2.
    assert losses.divergence(mean, log_variance).item() == pytest.approx((0.5 + (7 - math.log(4)) / 2) / 2)


def test_divergence_is_that_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(5, 4, generator=generator), torch.randn(5, 4, generator=generator)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    true = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(dim=-1).mean()
    assert losses.divergence(mean, log_variance).item() == pytest.approx(true.item(), rel=1e-5)


def test_reconstruction_by_hand() -> None:
    guess, truth = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    assert losses.reconstruction(guess, truth).item() == pytest.approx((2.5 + 4.5) / 2)


def test_matching_by_hand() -> None:
    similarity = torch.tensor([[0.9, 0.85, 0.1], [0.2, 0.5, 0.6], [0.0, 0.1, 0.7]])
    false = ~torch.eye(3, dtype=torch.bool)
    # Margin 0.2. Video anchors: 0.15 and 0.3. Music anchors: column 1: 0.55; column 2: 0.1. Over 6 places each.
    assert losses.matching(similarity, false, 0.2).item() == pytest.approx((0.15 + 0.3 + 0.55 + 0.1) / 12)
    false[0, 1] = false[1, 0] = False  # the same music: no negatives
    assert losses.matching(similarity, false, 0.2).item() == pytest.approx((0.3 + 0.1) / 8)


def test_draws_have_the_moments_of_the_posterior() -> None:
    torch.manual_seed(0)
    drawn = losses.draw(torch.full((50_000, 1), 2.0), torch.full((50_000, 1), math.log(9.0)))
    assert drawn.mean().item() == pytest.approx(2.0, abs=0.05)
    assert drawn.std().item() == pytest.approx(3.0, abs=0.05)
