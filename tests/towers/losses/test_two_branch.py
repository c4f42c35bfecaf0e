"""The two-branch baselines' losses against values worked out by hand."""

import math

import pytest
import torch

from towers.losses import two_branch as losses

DISTANCE = torch.tensor([[0.1, 0.4, 1.0], [0.9, 0.5, 0.6], [1.2, 1.1, 0.2]])
FALSE = ~torch.eye(3, dtype=torch.bool)


def test_distances_are_euclidean_and_have_a_gradient_where_points_coincide() -> None:
    video = torch.tensor([[1.0, 0.0], [0.6, 0.8]], requires_grad=True)
    music = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    distance = losses.distances(video, music)
    expected = [[1e-4, math.sqrt(2)], [math.hypot(0.4, 0.8), math.hypot(0.6, 0.2)]]
    assert distance.detach().numpy() == pytest.approx(torch.tensor(expected).numpy(), abs=1e-6)
    distance.sum().backward()  # type: ignore[no-untyped-call]
    assert video.grad is not None
    assert torch.isfinite(video.grad).all()


def test_triplet_by_hand() -> None:
    # Margin 0.5, video anchors: 0.5 + 0.1 - 0.4 = 0.2, 0; 0.5 + 0.5 - 0.9 = 0.1, 0.5 + 0.5 - 0.6 = 0.4; 0, 0.
    # Music anchors (columns): 0, 0; 0.5 + 0.5 - 0.4 = 0.6, 0; 0, 0.5 + 0.2 - 0.6 = 0.1.
    assert losses.triplet(DISTANCE, FALSE, 0.5).item() == pytest.approx((0.2 + 0.1 + 0.4 + 0.6 + 0.1) / 5)
    shared = FALSE.clone()
    shared[0, 1] = shared[1, 0] = False  # the same music: no negatives
    assert losses.triplet(DISTANCE, shared, 0.5).item() == pytest.approx((0.4 + 0.1) / 2)


def test_triplet_without_a_violation_is_nothing() -> None:
    assert losses.triplet(2.0 * FALSE.float(), FALSE, 0.5).item() == 0.0


def test_contrastive_by_hand() -> None:
    # True pairs: 0.01, 0.25, 0.04. False ones within 1: 0.6, 0, 0.1, 0.4, 0, 0 short of the margin.
    expected = 0.5 * ((0.01 + 0.25 + 0.04) / 3 + (0.36 + 0.01 + 0.16) / 6)
    assert losses.contrastive(DISTANCE, FALSE, 1.0).item() == pytest.approx(expected)


def test_mismatched_are_those_of_another_emotion() -> None:
    emotion = torch.tensor([1, 1, 0, -1])
    false = ~torch.eye(4, dtype=torch.bool)
    false[2, 3] = false[3, 2] = False  # these share their music
    assert losses.mismatched(emotion, false).int().tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [1, 1, 0, 0],
        [1, 1, 0, 0],
    ]


def test_emotions_by_hand() -> None:
    video = torch.tensor([[math.log(3), 0.0], [5.0, -2.0]])
    music = torch.tensor([[0.0, 0.0], [1.0, 7.0]])
    # Row 0: ln 4/3 of the video, ln 2 of the music; row 1 is unknown.
    expected = math.log(4 / 3) + math.log(2)
    assert losses.emotions(video, music, torch.tensor([0, -1])).item() == pytest.approx(expected, rel=1e-5)
    assert losses.emotions(video, music, torch.tensor([-1, -1])).item() == 0.0


def test_correspondence_by_hand() -> None:
    logits = torch.tensor([[math.log(3), 0.0], [math.log(3), 0.0]])
    # Matched: ln 4/3 and ln 2. Mismatched: ln 2 and ln 4.
    expected = 0.5 * ((math.log(4 / 3) + math.log(2)) / 2 + (math.log(2) + math.log(4)) / 2)
    assert losses.correspondence(logits, ~torch.eye(2, dtype=torch.bool)).item() == pytest.approx(expected, rel=1e-5)
