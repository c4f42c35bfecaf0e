"""VM-NET's losses against values worked out by hand, and what a step down them does."""

import math

import pytest
import torch
from torch.nn import functional

from towers.losses import vmnet as losses

FALSE = ~torch.eye(3, dtype=torch.bool)


def test_ranking_by_hand() -> None:
    similarity = torch.tensor([[0.9, 0.85, 0.1], [0.2, 0.5, 0.6], [0.0, 0.1, 0.7]])
    # margin 0.2, video anchors: row 0: 0.2 - 0.9 + 0.85 = 0.15 and 0; row 1: 0 and 0.3; row 2: 0 and 0.
    video = (0.15 + 0.3) / 6
    # music anchors, columns: 0: 0, 0; 1: 0.2 - 0.5 + 0.85 = 0.55 and 0; 2: 0 and 0.2 - 0.7 + 0.6 = 0.1.
    music = (0.55 + 0.1) / 6
    assert losses.ranking(similarity, FALSE, 0.2, 100).item() == pytest.approx(video + 3 * music)
    # Only the most violating negative of each anchor: the same terms over 3 places.
    assert losses.ranking(similarity, FALSE, 0.2, 1, 1.0, 0.0).item() == pytest.approx(0.45 / 3)


def test_pairs_that_share_music_are_no_negatives() -> None:
    similarity = torch.tensor([[0.9, 0.85, 0.1], [0.2, 0.5, 0.6], [0.0, 0.1, 0.7]])
    false = FALSE.clone()
    false[0, 1] = false[1, 0] = False
    assert losses.ranking(similarity, false, 0.2, 2).item() == pytest.approx(0.3 / 6 + 3 * 0.1 / 6)


def test_ranking_of_one_pair_is_nothing() -> None:
    assert losses.ranking(torch.tensor([[0.3]]), torch.tensor([[False]]), 0.2, 5).item() == 0.0


def plane(*degrees: float) -> torch.Tensor:
    angles = torch.tensor([math.radians(value) for value in degrees])
    return torch.stack([angles.cos(), angles.sin()], dim=-1)


def test_structure_by_hand() -> None:
    # Before: 1 is nearer to 0 than 2 is. Embedded: the other way round. Angles before: 0-1 10, 0-2 60, 1-2 50.
    before = plane(0, 10, 60)
    embedded = plane(0, 60, 20)  # 0-1 60, 0-2 20, 1-2 40
    c20, c40, c60 = (math.cos(math.radians(value)) for value in (20, 40, 60))
    # From 0: before 1 first, embedded 2 first: differs by c20 - c60. From 1: before 0 first (10 < 50), embedded 2 first
    # (40 < 60): differs by c40 - c60. From 2: before 1 first (50 < 60), embedded 0 first (20 < 40): c20 - c40.
    # Each is twice the gap, and stands twice (j and k change places), over 3 * 2 * 1 triplets.
    expected = 2 * 2 * ((c20 - c60) + (c40 - c60) + (c20 - c40)) / 6
    assert losses.structure(embedded, before).item() == pytest.approx(expected, abs=1e-6)
    assert losses.order_violations(embedded, before).item() == 1.0


def test_structure_is_still_where_orders_agree() -> None:
    before, embedded = plane(0, 10, 60), plane(0, 30, 100).requires_grad_()
    loss = losses.structure(embedded, before)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert embedded.grad is not None
    assert not embedded.grad.any()


def test_structure_equals_the_sum_over_triplets_written_out() -> None:
    generator = torch.Generator().manual_seed(0)
    x = functional.normalize(torch.randn(6, 4, generator=generator), dim=-1)
    y = functional.normalize(torch.randn(6, 5, generator=generator), dim=-1)
    total = 0.0
    for i in range(6):
        for j in range(6):
            for k in range(6):
                if len({i, j, k}) == 3:
                    gap = float(x[i] @ x[j] - x[i] @ x[k])
                    constant = math.copysign(1, gap) - math.copysign(1, float(y[i] @ y[j] - y[i] @ y[k]))
                    total += constant * gap
    assert losses.structure(x, y).item() == pytest.approx(total / 120, rel=1e-5)
    assert losses.structure(x, 3.0 * y, block=5).item() != pytest.approx(total / 120, rel=1e-3)


def test_descending_structure_restores_the_order() -> None:
    generator = torch.Generator().manual_seed(1)
    before = torch.randn(40, 6, generator=generator)
    x = torch.randn(40, 6, generator=generator).requires_grad_()
    at_first = losses.order_violations(x.detach(), before).item()
    optimiser = torch.optim.SGD([x], lr=20.0)
    counts = [at_first]
    for _ in range(60):
        optimiser.zero_grad()
        losses.structure(functional.normalize(x, dim=-1), before).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        counts.append(losses.order_violations(x.detach(), before).item())
    assert 0.4 < at_first < 0.6
    assert counts[1] < counts[0]
    assert counts[-1] < 0.5 * at_first


def test_reversal_turns_the_gradient_round() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    out = losses.reverse(x, 0.5)
    (out * torch.tensor([3.0, 4.0])).sum().backward()  # type: ignore[no-untyped-call]
    assert torch.equal(out, x)
    assert x.grad is not None
    assert x.grad.tolist() == [-1.5, -2.0]


def test_confusion_by_hand() -> None:
    # A logit of ln 3 says "music" with 3/4: wrong of a video costs ln 4, right of music ln 4/3.
    video, music = torch.tensor([math.log(3)]), torch.tensor([math.log(3)])
    assert losses.confusion(video, music).item() == pytest.approx(0.5 * (math.log(4) + math.log(4 / 3)))
