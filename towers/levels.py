"""A window of clip vectors as one vector, before any network: statistics over its valid clips, scaled.

VM-NET calls these video-level and music-level features (sections III-A and III-B). Windows are ``clips`` (B, K, C) with
``mask`` (B, K), any K; values outside the mask are never read.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .batch import masked
from .sequence import MASKED, masked_mean

ORDERS = 5  # the paper's top 5 order statistics
LOW_LEVEL_WIDTH = len(spec.LOW_LEVEL_STATISTICS) * spec.LOW_LEVEL_VALUES  # 1140


def deviation(clips: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation over the valid clips, (B, C); of one clip 0."""
    return variance(clips, mask).clamp(min=0.0).sqrt()


def variance(clips: Tensor, mask: Tensor) -> Tensor:
    centred = masked(clips, mask) - masked_mean(clips, mask).unsqueeze(1)
    return masked_mean(centred.square(), mask)


def largest(clips: Tensor, mask: Tensor) -> Tensor:
    """The largest value of each dimension over the valid clips, (B, C)."""
    return torch.where(mask.unsqueeze(-1), clips, MASKED).amax(dim=1)


def order_statistics(clips: Tensor, mask: Tensor, count: int = ORDERS) -> Tensor:
    """The ``count`` largest values of each dimension, largest first, (B, count * C).

    A window of fewer valid clips repeats its smallest value.
    """
    ordered = torch.where(mask.unsqueeze(-1), clips, MASKED).topk(min(count, clips.shape[1]), dim=1).values
    valid = mask.sum(dim=1, keepdim=True)
    ranks = [ordered[:, 0]]
    for rank in range(1, count):
        known = ordered[:, min(rank, ordered.shape[1] - 1)]
        ranks.append(torch.where(valid > rank, known, ranks[-1]))
    return torch.cat(ranks, dim=-1)


def video_level(clips: Tensor, mask: Tensor) -> Tensor:
    """Mean, standard deviation and top 5 order statistics: (B, 7 C)."""
    return torch.cat([masked_mean(clips, mask), deviation(clips, mask), order_statistics(clips, mask)], dim=-1)


def music_level(clips: Tensor, mask: Tensor) -> Tensor:
    """Mean, standard deviation and maximum: (B, 3 C)."""
    return torch.cat([masked_mean(clips, mask), deviation(clips, mask), largest(clips, mask)], dim=-1)


def low_level(clips: Tensor, mask: Tensor) -> Tensor:
    """Of clips that are [mean, variance, maximum] of 380 values over as many frames each: the window's, (B, 1140).

    The same as over all the frames together: the variance is the mean of the variances plus the variance of the means.
    """
    means, variances, maxima = clips.chunk(3, dim=-1)
    total = masked_mean(variances, mask) + variance(means, mask)
    return torch.cat([masked_mean(means, mask), total, largest(maxima, mask)], dim=-1)


class Standard(nn.Module):
    """(B, D) minus the training mean, over the training deviation; a dimension that never changed becomes 0."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def prepare(self, levels: Tensor) -> None:
        mean = levels.double().mean(dim=0)
        spread = (levels.double() - mean).square().mean(dim=0).sqrt()
        moves = spread > 1e-6 * (1.0 + mean.abs())
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(moves, 1.0 / spread.clamp(min=1e-12), 0.0))

    def forward(self, level: Tensor) -> Tensor:
        return (level - self.mean) * self.scale


class GlobalNormalisation(nn.Module):
    """VM-NET, section III-B: minus the training mean, principal components, unit length; (B, D) -> (B, width).

    Dimensions are first scaled alike, since ours are not whitened before. Levels of at most ``limit`` dimensions keep
    them all, without a projection; ``width`` is the smaller of both. Before ``prepare`` the first ``width`` dimensions
    pass unchanged.
    """

    def __init__(self, level: int, limit: int) -> None:
        super().__init__()
        self.width = min(level, limit)
        self.standard = Standard(level)
        self.components: Tensor | None
        self.register_buffer("components", torch.eye(level, self.width) if level > limit else None)

    def prepare(self, levels: Tensor) -> None:
        """Constants from the training levels (n, D); fewer than ``width`` windows leave zeros behind."""
        self.standard.prepare(levels)
        if self.components is None:
            return
        # n is in the thousands and D may be 16 000, so the smaller of the two Gram matrices is decomposed.
        rows = self.standard(levels).double()
        if rows.shape[0] < rows.shape[1]:
            values, vectors = torch.linalg.eigh(rows @ rows.T)
            axes = rows.T @ vectors / values.clamp(min=1e-12).sqrt()
        else:
            values, axes = torch.linalg.eigh(rows.T @ rows)
        best = torch.arange(len(values) - 1, -1, -1)[: self.width]
        best = best[values[best] > 1e-9 * values[-1].clamp(min=1e-12)]
        self.components.zero_()
        self.components[:, : len(best)] = axes[:, best].to(self.components.dtype)

    def forward(self, level: Tensor) -> Tensor:
        x = self.standard(level)
        return functional.normalize(x if self.components is None else x @ self.components, dim=-1)
