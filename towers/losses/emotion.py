"""Losses of the emotion head, pure. Conventions: ``logits`` (n, c); labels (n,) int64, -1 where unknown."""

import torch
from torch import Tensor


def agreement(video: Tensor, music: Tensor) -> Tensor:
    """(n, m): probability that two independent draws from both sides' classes are the same; rows are probabilities."""
    return video @ music.T


def agreement_loss(video: Tensor, music: Tensor, video_label: Tensor, music_label: Tensor) -> Tensor:
    """Cross-entropy of whether two sides feel alike, over all pairs of the batch, either outcome weighing half."""
    same = video_label.unsqueeze(1) == music_label.unsqueeze(0)
    known = (video_label >= 0).unsqueeze(1) & (music_label >= 0).unsqueeze(0)
    chance = agreement(video, music).clamp(1e-4, 1.0 - 1e-4)
    terms = []
    for where, likelihood in ((same & known, chance.log()), (~same & known, (1.0 - chance).log())):
        terms.append(-(likelihood * where).sum() / where.sum().clamp(min=1))
    return 0.5 * torch.stack(terms).sum()
