"""Every loss against values worked out by hand."""

import math

import pytest
import torch

from towers.losses import ut_cmvmr as losses


def test_triplet_by_hand() -> None:
    anchor = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    positive = torch.tensor([[3.0, 4.0], [0.0, 1.0]])  # distances 5 and 1
    negative = torch.tensor([[0.0, 2.0], [5.0, 12.0]])  # distances 2 and 13
    # max(0, 0.5 + 5 - 2) = 3.5 and max(0, 0.5 + 1 - 13) = 0
    assert losses.triplet(anchor, positive, negative, 0.5).item() == pytest.approx(1.75)


def test_distance_has_a_gradient_where_points_coincide() -> None:
    a = torch.zeros(1, 3, requires_grad=True)
    losses.distance(a, torch.zeros(1, 3)).sum().backward()
    assert a.grad is not None
    assert torch.isfinite(a.grad).all()


def test_ranking_by_hand() -> None:
    similarity = torch.tensor([[0.9, 0.85, 0.1], [0.2, 0.5, 0.6], [0.0, 0.1, 0.7]])
    # margin 0.2, video anchors: row 0: 0.2 - 0.9 + 0.85 = 0.15 and 0; row 1: 0 and 0.3; row 2: 0 and 0.
    video = (0.15 + 0.3) / 6
    # music anchors, columns: 0: 0, 0; 1: 0.2 - 0.5 + 0.85 = 0.55 and 0; 2: 0 and 0.2 - 0.7 + 0.6 = 0.1.
    music = (0.55 + 0.1) / 6
    assert losses.ranking(similarity, 0.2, 2).item() == pytest.approx(video + 3 * music)
    # Only the most violating negative of each anchor: the same terms over 3 places.
    assert losses.ranking(similarity, 0.2, 1, 1.0, 0.0).item() == pytest.approx(0.45 / 3)


def test_ranking_never_counts_a_pair_as_its_own_negative() -> None:
    assert losses.ranking(torch.eye(4), 0.5, 100).item() == 0.0


def test_ranking_of_one_pair_is_nothing() -> None:
    assert losses.ranking(torch.tensor([[0.3]]), 0.2, 5).item() == 0.0


def test_hardest_takes_the_most_similar_that_is_allowed() -> None:
    similarity = torch.tensor([[0.9, 0.2, 0.8], [0.1, 0.9, 0.3], [0.5, 0.4, 0.9]])
    allowed = ~torch.eye(3, dtype=torch.bool)
    allowed[0, 2] = False
    assert losses.hardest(similarity, allowed).tolist() == [1, 2, 0]


def test_bridging_by_hand() -> None:
    video, music, tag = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 0.0]])
    assert losses.bridging(video, music, tag).item() == pytest.approx(0.5 + 0.5 + 1.0)


def test_matching_by_hand_weighs_both_kinds_the_same() -> None:
    matched, unmatched = torch.tensor([0.0]), torch.tensor([0.0, math.log(3), 0.0])
    false = (math.log(2) + math.log(4) + math.log(2)) / 3
    assert losses.matching(matched, unmatched).item() == pytest.approx(0.5 * (math.log(2) + false))
