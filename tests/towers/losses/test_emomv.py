"""EmoMV's losses, the pooling of its classifier, and our emotion head."""

import math

import pytest
import torch

from towers.compact_bilinear import CompactBilinear
from towers.emotion_head import EmotionHead, EmotionScale
from towers.losses.emomv import contrastive, correspondence
from towers.losses.emotion import agreement_loss


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


def test_the_head_learns_what_both_sides_feel_like() -> None:
    torch.manual_seed(0)
    labels = torch.randint(3, (120,))
    video = torch.nn.functional.one_hot(labels, 3).float() @ torch.randn(3, 20) + 0.5 * torch.randn(120, 20)
    music = torch.nn.functional.one_hot(labels, 3).float() @ torch.randn(3, 8) + 0.5 * torch.randn(120, 8)
    head = EmotionHead(20, 8, 3, EmotionScale(members=2, dropout=0.2))
    head.prepare(video, music)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        head.loss(video, music, labels, labels).backward()
        optimiser.step()
    head.eval()
    with torch.no_grad():
        told = head.video(video)
        agree = told @ head.music(music).T
    torch.testing.assert_close(told.sum(dim=1), torch.ones(120))
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    assert float(agree[same].mean()) > 0.7 > 0.3 > float(agree[~same].mean())
