"""Losses of VM-NET (Hong, Im, Yang 2018) as pure functions.

Conventions: B pairs; ``similarity`` is (B, B), cosine, video by row and music by column, d = 1 - cosine (the paper's
negative dot product plus a constant); ``false`` (B, B) bool: which of them do not belong together.

- ``ranking``: the first two terms of (5), inter-modal ranking, the most violating negatives only
- ``structure``: the others, soft intra-modal structure, with (6)
- ``order_violations``: the count that ``structure`` reduces
- ``reverse``, ``confusion``: domain-adversarial training (Ganin et al. 2016), the paper's variant "DANN"
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 64  # rows whose triplets are looked at: 250 000


def ranking(
    similarity: Tensor,
    false: Tensor,
    margin: float,
    negatives: int,
    video_weight: float = 1.0,
    music_weight: float = 3.0,
) -> Tensor:
    """max(0, margin + d(anchor, positive) - d(anchor, negative)), (1), (2) and (5).

    Per anchor the ``negatives`` (at most B - 1) most violating ones count; the mean is over all B times that many
    places, zeros included, as in the released code. Its weights are the defaults: 3 where music is the anchor.
    """
    positive = similarity.diagonal()
    keep = min(negatives, len(similarity) - 1)
    if keep < 1:
        return similarity.sum() * 0.0

    def anchored(rows: Tensor, wrong: Tensor) -> Tensor:
        hinge = functional.relu(margin - positive.unsqueeze(1) + rows).masked_fill(~wrong, 0.0)
        return hinge.topk(keep, dim=1).values.mean()

    return video_weight * anchored(similarity, false) + music_weight * anchored(similarity.T, false.T)


def structure(embedded: Tensor, before: Tensor, block: int = BLOCK) -> Tensor:
    """Mean of C_ijk (x_i.x_j - x_i.x_k) over the triplets of different rows, of one modality: (5) and (6).

    ``embedded`` (B, E) x, unit norm; ``before`` (B, C) x~, what entered the network, compared by cosine.
    C_ijk = sign(x_i.x_j - x_i.x_k) - sign(x~_i.x~_j - x~_i.x~_k) is a constant to the gradient. Where the orders agree
    it is 0; where they differ the term is 2 |x_i.x_j - x_i.x_k|, so descending closes the gap, until the order turns.
    Only the first ``block`` rows are compared: batches are shuffled, so these are a sample.
    """
    x, origin = embedded[:block], functional.normalize(before[:block], dim=-1)
    count = len(x)
    if count < 3:
        return embedded.sum() * 0.0
    near = x @ x.T
    with torch.no_grad():
        disagreement = (order(near) - order(origin @ origin.T)).masked_fill(~distinct(count, x.device), 0.0)
        # C changes its sign when j and k change places, so every product stands twice: once at j, once at k.
        weight = 2.0 * disagreement.sum(dim=2)
    return (weight * near).sum() / (count * (count - 1) * (count - 2))


def order_violations(embedded: Tensor, before: Tensor) -> Tensor:
    """Share of triplets whose order differs between ``embedded`` and ``before``; ties agree with everything."""
    x, origin = functional.normalize(embedded, dim=-1), functional.normalize(before, dim=-1)
    opposite = order(x @ x.T) * order(origin @ origin.T) < 0
    where = distinct(len(x), x.device)
    return (opposite & where).sum() / where.sum()


def order(similarity: Tensor) -> Tensor:
    """sign(s_ij - s_ik), (n, n) -> (n, n, n)."""
    return torch.sign(similarity.unsqueeze(2) - similarity.unsqueeze(1))


def distinct(count: int, device: torch.device) -> Tensor:
    """(n, n, n) bool: i, j and k are three."""
    other = ~torch.eye(count, dtype=torch.bool, device=device)
    return other.unsqueeze(2) & other.unsqueeze(1) & other.unsqueeze(0)


class Reversal(torch.autograd.Function):
    """Identity whose gradient is turned round."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse(x: Tensor, strength: float) -> Tensor:
    """x, with its gradient times -``strength`` (Ganin et al. 2016, section 4.2)."""
    out: Tensor = Reversal.apply(x, strength)  # type: ignore[no-untyped-call]
    return out


def confusion(video_logits: Tensor, music_logits: Tensor) -> Tensor:
    """Cross-entropy of telling the modalities apart; logits (B,) of "this is music"."""
    entropy = functional.binary_cross_entropy_with_logits
    return 0.5 * (
        entropy(video_logits, torch.zeros_like(video_logits)) + entropy(music_logits, torch.ones_like(music_logits))
    )
