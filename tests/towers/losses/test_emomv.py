"""EmoMV's losses, the pooling of its classifier, and our emotion head."""

import math

import pytest
import torch

from towers.compact_bilinear import CompactBilinear
from towers.emotion_head import EmotionHead, EmotionScale
from towers.losses.emomv import contrastive, correspondence
from towers.losses.emotion import agreement_loss, nearness_loss


def test_contrastive_by_hand() -> None:
    distance, matched = torch.tensor([0.5, 0.2, 1.4]), torch.tensor([True, False, False])
    assert float(contrastive(distance, matched, 1.0)) == pytest.approx((0.25 + 0.64 + 0.0) / 3)


def test_correspondence_is_a_cross_entropy_of_two() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    assert float(correspondence(logits, torch.tensor([True, False]))) == pytest.approx(math.log(2))


def test_compact_bilinear_sketches_the_outer_product() -> None:
    torch.manual_seed(0)
    pool = CompactBilinear(6, 5, 4096)
    a, b, c, d = (torch.randn(1, n) for n in (6, 5, 6, 5))
    # Inner products of sketches are those of the outer products, about.
    found = (pool(a, b) * pool(c, d)).sum()
    assert float(found) == pytest.approx(float((a * c).sum() * (b * d).sum()), abs=0.3)


def test_agreement_loss_by_hand() -> None:
    video, music = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.8, 0.2], [0.3, 0.7]])
    same, other = 0.9 * 0.8 + 0.1 * 0.2, 0.9 * 0.3 + 0.1 * 0.7
    expected = 0.5 * (-math.log(same) - math.log(1 - other))
    found = agreement_loss(video, music, torch.tensor([0]), torch.tensor([0, 1]))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_nearness_loss_by_hand() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.5], [0.0, 3.0, -1.0]])
    right = torch.tensor([[True, False, True], [False, False, False]])
    wrong = torch.tensor([[False, True, False], [True, False, True]])
    # By row only the first has a right one, and both of its; by column the first and the last.
    row = math.log(math.exp(2.0) + math.exp(1.0) + math.exp(0.5)) - 0.5 * (2.0 + 0.5)
    columns = 0.5 * (math.log(1 + math.exp(-2.0)) + math.log(1 + math.exp(-1.5)))
    expected = 0.5 * (row + columns)
    assert float(nearness_loss(logits, right, wrong)) == pytest.approx(expected, rel=1e-5)
    # Members are averaged; what is neither right nor wrong, like the second row's own, takes no part.
    other = logits.clone()
    other[1, 1] = 50.0
    assert float(nearness_loss(torch.stack([logits, other]), right, wrong)) == pytest.approx(expected, rel=1e-5)


def test_nearness_loss_without_a_right_one_is_nothing() -> None:
    logits = torch.randn(2, 3, 3, requires_grad=True)
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    loss = nearness_loss(logits, nothing, nothing)
    loss.backward()
    assert float(loss.detach()) == 0.0 and logits.grad is not None and not logits.grad.any()


def test_the_head_learns_what_both_sides_feel_like() -> None:
    torch.manual_seed(0)
    labels = torch.randint(3, (120,))
    video = torch.nn.functional.one_hot(labels, 3).float() @ torch.randn(3, 20) + 0.5 * torch.randn(120, 20)
    music = torch.nn.functional.one_hot(labels, 3).float() @ torch.randn(3, 8) + 0.5 * torch.randn(120, 8)
    head = EmotionHead(20, 8, 3, EmotionScale(members=2, hidden=16, embedding=4))
    head.prepare(video, music)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        head.loss(video, music, labels, labels).backward()
        optimiser.step()
    head.eval()
    with torch.no_grad():
        told, agree = head.video.emotions(video), head.video.emotions(video) @ head.music.emotions(music).T
        seen, heard = head.video(video), head.music(music)
    torch.testing.assert_close(told.sum(dim=1), torch.ones(120))
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    assert float(agree[same].mean()) > 0.7 > 0.3 > float(agree[~same].mean())
    # What is indexed: the probabilities and the points of both members, whose cosine is added.
    assert seen.shape == (120, 3 + 2 * 4)
    torch.testing.assert_close(seen[:, :3], told)
    torch.testing.assert_close(seen[:, 3:].norm(dim=1), torch.ones(120))
    cosine = seen @ heard.T - agree
    assert float(cosine.abs().max()) <= 1.0 + 1e-5
    assert float(cosine[same].mean()) > 0.6 > 0.3 > float(cosine[~same].mean())


def test_rows_of_unknown_emotion_take_no_part_in_the_loss() -> None:
    torch.manual_seed(0)
    head = EmotionHead(6, 5, 3, EmotionScale(members=2, hidden=8, embedding=4, dropout=0.0))
    video, music, labels = torch.randn(9, 6), torch.randn(9, 5), torch.tensor([0, 1, 2, 0, 1, 2, 0, -1, -1])
    known = head.loss(video[:7], music[:7], labels[:7], labels[:7])
    torch.testing.assert_close(head.loss(video, music, labels, labels), known)
