"""Losses of the emotion head, pure. Conventions: ``logits`` (n, c); labels (n,) int64, -1 where unknown."""

import torch
from torch import Tensor

from .segue import FAR


def agreement(video: Tensor, music: Tensor) -> Tensor:
    """(n, m): probability that two independent draws from both sides' classes are the same; rows are probabilities."""
    return video @ music.T


def agreement_loss(video: Tensor, music: Tensor, video_label: Tensor, music_label: Tensor) -> Tensor:
    """Cross-entropy of two sides having the same emotion, over all pairs of the batch; both outcomes weigh half."""
    same = video_label.unsqueeze(1) == music_label.unsqueeze(0)
    known = (video_label >= 0).unsqueeze(1) & (music_label >= 0).unsqueeze(0)
    chance = agreement(video, music).clamp(1e-4, 1.0 - 1e-4)
    terms = []
    for where, likelihood in ((same & known, chance.log()), (~same & known, (1.0 - chance).log())):
        terms.append(-(likelihood * where).sum() / where.sum().clamp(min=1))
    return 0.5 * torch.stack(terms).sum()


def nearness_loss(logits: Tensor, right: Tensor, wrong: Tensor) -> Tensor:
    """Cross-entropy of finding ``right`` among ``right`` and ``wrong``, both ways; (..., n, m), (n, m) bool twice.

    Several right ones count the same (supervised contrastive, Khosla et al. 2020); the mean is over the rows and
    columns that have one; entries that are neither right nor wrong take no part. Each way counts half.
    """
    terms = []
    for scores, hit, miss in ((logits, right, wrong), (logits.mT, right.T, wrong.T)):
        likelihood = scores.masked_fill(~(hit | miss), FAR).log_softmax(dim=-1)
        loss = -(likelihood * hit).sum(dim=-1) / hit.sum(dim=-1).clamp(min=1)
        has_right = hit.any(dim=-1)
        terms.append((loss * has_right).sum(dim=-1) / has_right.sum().clamp(min=1))
    return 0.5 * torch.stack(terms).sum(dim=0).mean()
