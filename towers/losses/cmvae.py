"""Losses of CMVAE (Yi et al. 2021, "Cross-modal variational auto-encoder for content-based micro-video background
music recommendation") as pure functions.

Conventions: B pairs; a posterior is a diagonal normal, ``mean`` and ``log_variance`` (B, E); ``similarity`` is (B, B),
cosine, video by row and music by column; ``false`` (B, B) bool: which of them do not belong together.

- ``divergence``: of a posterior from the standard normal (Kingma and Welling 2014, appendix B)
- ``reconstruction``: minus the log-likelihood under a normal of variance 1, without its constant
- ``matching``: hinge over all false pairs, both ways
- ``draw``: a point of the posterior that the gradient passes through
"""

import torch
from torch import Tensor
from torch.nn import functional


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL = 1/2 sum(mean^2 + variance - log variance - 1) per row, then the mean over rows."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1.0).sum(dim=-1).mean()


def reconstruction(guess: Tensor, truth: Tensor) -> Tensor:
    """1/2 sum (guess - truth)^2 per row, then the mean over rows; (B, D) twice."""
    return 0.5 * (guess - truth).square().sum(dim=-1).mean()


def matching(similarity: Tensor, false: Tensor, margin: float) -> Tensor:
    """Mean of max(0, margin - s(anchor, own) + s(anchor, other)) over the false pairs, video- and music-anchored."""
    own = similarity.diagonal()
    by_video = functional.relu(margin - own.unsqueeze(1) + similarity)
    by_music = functional.relu(margin - own.unsqueeze(0) + similarity)
    return (by_video + by_music).masked_fill(~false, 0.0).sum() / (2 * false.sum().clamp(min=1))


def draw(mean: Tensor, log_variance: Tensor) -> Tensor:
    """mean + deviation * noise, of torch's own generator."""
    return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
