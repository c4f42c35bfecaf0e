"""The sums that only training needs: by hand where a hand suffices, by property elsewhere."""

import math

import numpy as np
import pytest
import torch

from towers.corpora.corpus import Pair, Split
from towers.losses.ut_cmvmr import contrast
from towers.objective import masked_mse, near


def test_masked_mse_counts_valid_places_only() -> None:
    guess, truth = torch.tensor([[1.0, 5.0], [2.0, 4.0]]), torch.tensor([[0.0, 0.0], [2.0, 2.0]])
    mask = torch.tensor([[True, False], [True, True]])
    assert float(masked_mse(guess, truth, mask)) == pytest.approx((1 + 0 + 4) / 3)


def test_near_never_picks_the_pair_itself_and_stays_in_the_shortlist() -> None:
    similarity = torch.randn(40, 40, generator=torch.Generator().manual_seed(1)) + 5 * torch.eye(40)
    for _ in range(20):
        chosen = near(similarity, 3)
        ranks = (similarity > similarity.gather(1, chosen[:, None])).sum(dim=1)
        assert (chosen != torch.arange(40)).all() and (ranks <= 3).all()  # the true pair is above all three


def test_contrast_of_two_pairs_by_hand() -> None:
    similarity = torch.tensor([[0.5, 0.1], [0.2, 0.4]])
    t = 0.1

    def cross(own: float, other: float) -> float:
        return math.log(1 + math.exp((other - own) / t))

    rows, columns = cross(0.5, 0.1) + cross(0.4, 0.2), cross(0.5, 0.2) + cross(0.4, 0.1)
    assert float(contrast(similarity, t)) == pytest.approx((rows + columns) / 4, rel=1e-4)


def test_mood_by_second_follows_the_course_of_energy() -> None:
    pairs = (
        Pair("a", (), (0.5, 0.3, 0.7), {"energy": [[0.0, 0.0], [28.0, 1.0]]}),
        Pair("b", (), (0.5, 0.3, 0.7), {}),
    )
    moods = Split("train", pairs, *[None] * 4).mood_by_second()  # type: ignore[arg-type]
    np.testing.assert_allclose(moods[0, :, 0], (np.arange(28) + 0.5) / 28, atol=1e-6)
    assert (moods[1, :, 0] == 0.5).all()
    np.testing.assert_allclose(moods[:, :, 1:], np.broadcast_to(np.float32([0.3, 0.7]), (2, 28, 2)))
