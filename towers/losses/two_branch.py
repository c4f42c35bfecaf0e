"""Losses of the two-branch baselines as pure functions.

Conventions: B pairs; ``video`` and ``music`` (B, E), unit norm; ``distance`` (B, B) Euclidean, video by row and music
by column; ``false`` (B, B) bool: which of them do not belong together.

- ``triplet``: Pretet et al. 2021, which DPVM calls B-Content
- ``contrastive``: Hadsell, Chopra, LeCun 2006, as EmoMV's baseline uses it
- ``emotions``: cross-entropy of both streams, of B-Emotion and EmoMV's baseline
- ``mismatched``: which pairs EmoMV calls so
"""

import torch
from torch import Tensor
from torch.nn import functional


def distances(video: Tensor, music: Tensor) -> Tensor:
    """Euclidean, (B, B); the floor keeps the gradient finite where points coincide."""
    return (2.0 - 2.0 * video @ music.T).clamp(min=1e-8).sqrt()


def triplet(distance: Tensor, false: Tensor, margin: float) -> Tensor:
    """max(0, margin + d(anchor, own) - d(anchor, other)), both ways, the mean over those above zero.

    Averaging over all of them would let the many easy ones thin the gradient out (Hermans, Beyer, Leibe 2017).
    """
    own = distance.diagonal()
    terms = torch.cat([margin + own.unsqueeze(1) - distance, (margin + own.unsqueeze(0) - distance)])
    terms = functional.relu(terms).masked_fill(~torch.cat([false, false]), 0.0)
    return terms.sum() / (terms > 0).sum().clamp(min=1)


def contrastive(distance: Tensor, mismatch: Tensor, margin: float) -> Tensor:
    """d^2 of true pairs (the diagonal), max(0, margin - d)^2 of the ``mismatch``ed (B, B) bool; half the means' sum.

    Both kinds weigh the same, as in a list of as many matched as mismatched pairs.
    """
    apart = functional.relu(margin - distance).square().masked_fill(~mismatch, 0.0)
    return 0.5 * (distance.diagonal().square().mean() + apart.sum() / mismatch.sum().clamp(min=1))


def mismatched(emotion: Tensor, false: Tensor) -> Tensor:
    """(B, B) bool: video and music of different emotions; where either emotion is unknown (-1), of different music."""
    known = emotion >= 0
    both = known.unsqueeze(1) & known.unsqueeze(0)
    return false & (~both | (emotion.unsqueeze(1) != emotion.unsqueeze(0)))


def emotions(video_logits: Tensor, music_logits: Tensor, emotion: Tensor) -> Tensor:
    """Cross-entropy of the pair's emotion in each stream, summed; (B, n) twice, (B,) int64, -1 where unknown.

    The mean is over the pairs whose emotion is known; 0 where none is.
    """
    known = (emotion >= 0).to(video_logits.dtype)
    truth = emotion.clamp(min=0)
    terms = functional.cross_entropy(video_logits, truth, reduction="none")
    terms = terms + functional.cross_entropy(music_logits, truth, reduction="none")
    return (terms * known).sum() / known.sum().clamp(min=1.0)


def correspondence(logits: Tensor, mismatch: Tensor) -> Tensor:
    """Cross-entropy of matched (the diagonal) or not, (B, B) logits of "matched"; both kinds weigh the same."""
    own = functional.softplus(-logits.diagonal()).mean()
    other = functional.softplus(logits).masked_fill(~mismatch, 0.0).sum() / mismatch.sum().clamp(min=1)
    return 0.5 * (own + other)
