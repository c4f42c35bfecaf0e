"""Losses of our own system, by hand; what is unknown takes no part."""

import math

import pytest
import torch

from towers.losses import segue

NAN = float("nan")


def test_contrast_of_two_pairs_by_hand() -> None:
    similarity = torch.tensor([[0.5, 0.1], [0.2, 0.4]])
    t = 0.1

    def cross(own: float, other: float) -> float:
        return math.log(1 + math.exp((other - own) / t))

    rows, columns = cross(0.5, 0.1) + cross(0.4, 0.2), cross(0.5, 0.2) + cross(0.4, 0.1)
    false = ~torch.eye(2, dtype=torch.bool)
    assert float(segue.contrast(similarity, false, t)) == pytest.approx((rows + columns) / 4, rel=1e-4)


def test_pairs_that_share_their_music_are_no_wrong_answers() -> None:
    similarity = torch.tensor([[0.1, 0.9, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    music = torch.tensor([7, 7, 8])
    false = music.unsqueeze(0) != music.unsqueeze(1)
    alone = similarity[[0, 2]][:, [0, 2]]
    expected = segue.contrast(alone, ~torch.eye(2, dtype=torch.bool), 0.1)
    # The two rows that share have the same loss as if the other were not there.
    rows = torch.nn.functional.cross_entropy(alone / 0.1, torch.arange(2), reduction="none")
    found = segue.contrast(similarity, false, 0.1)
    assert float(found) == pytest.approx(float((2 * rows[0] + math.log(math.exp(10) + 2) - 10) / 3), abs=1e-4)
    assert expected > 0


def test_known_error_leaves_out_the_unknown_and_the_masked() -> None:
    guess = torch.tensor([[1.0, 5.0, 3.0]], requires_grad=True)
    truth = torch.tensor([[0.0, NAN, 1.0]])
    loss = segue.known_error(guess, truth, torch.tensor([[True, True, False]]))
    assert float(loss.detach()) == pytest.approx(1.0)
    loss.backward()
    assert guess.grad is not None and guess.grad.tolist() == [[2.0, 0.0, 0.0]]


def test_known_direction_and_class_skip_rows_without_an_answer() -> None:
    guess, truth = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    assert float(segue.known_direction(guess, truth)) == pytest.approx(1.0)
    logits = torch.tensor([[0.0, 0.0], [9.0, 0.0]])
    assert float(segue.known_class(logits, torch.tensor([1, -1]))) == pytest.approx(math.log(2))
    assert float(segue.known_class(logits, torch.tensor([-1, -1]))) == 0.0


def test_listwise_wants_the_first() -> None:
    assert float(segue.listwise(torch.tensor([[1.0, 1.0, 1.0, 1.0]]))) == pytest.approx(math.log(4))
