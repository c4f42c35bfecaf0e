"""The papers' losses as pure functions of tensors.

Conventions: B pairs in a batch; ``video`` and ``music`` are (B, E) float32, unit norm; row i of both is one pair;
``similarity`` is (B, B), cosine, video by row and music by column; a loss is a scalar tensor, a mean over its terms.

- ``triplet``: UT-CMVMR (4), Euclidean distance
- ``ranking``: inter-modal ranking of VM-NET (3), both directions, the most violating negatives only
- ``bridging``: UT-CMVMR (5), mean squared errors between the modalities
- ``matching``: UT-CMVMR, section 2.3, cross-entropy of matched or not
"""

import torch
from torch import Tensor
from torch.nn import functional


def triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """mean max(0, margin + |a - p| - |a - n|) over rows (UT-CMVMR (4)); all (B, E)."""
    return functional.relu(margin + distance(anchor, positive) - distance(anchor, negative)).mean()


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance of rows, (B, E) twice -> (B,); the floor keeps the gradient finite where they coincide."""
    return (a - b).square().sum(dim=-1).clamp(min=1e-12).sqrt()


def hardest(similarity: Tensor, allowed: Tensor) -> Tensor:
    """Per row the most similar column that is ``allowed`` (B, B) bool -> (B,) int64; column 0 where none is."""
    return similarity.masked_fill(~allowed, -torch.inf).argmax(dim=1)


def ranking(
    similarity: Tensor, margin: float, negatives: int, video_weight: float = 1.0, music_weight: float = 3.0
) -> Tensor:
    """VM-NET (3): hinge(margin + d(anchor, positive) - d(anchor, negative)) with d = 1 - cosine.

    Per anchor the ``negatives`` most violating ones count; the mean is over all of them, zeros included. The weights
    are those of the released code: 3 where music is the anchor.
    """
    positive = similarity.diagonal()
    keep = min(negatives, similarity.shape[0] - 1)
    if keep < 1:
        return similarity.sum() * 0.0

    def anchored(rows: Tensor) -> Tensor:
        hinge = functional.relu(margin - positive.unsqueeze(1) + rows)
        own = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
        return hinge.masked_fill(own, 0.0).topk(keep, dim=1).values.mean()

    return video_weight * anchored(similarity) + music_weight * anchored(similarity.T)


def bridging(video: Tensor, music: Tensor, tag: Tensor) -> Tensor:
    """UT-CMVMR (5): MSE(video, tag) + MSE(music, tag) + MSE(video, music), tags being the bridge; all (B, E)."""
    return functional.mse_loss(video, tag) + functional.mse_loss(music, tag) + functional.mse_loss(video, music)


def matching(matched: Tensor, unmatched: Tensor) -> Tensor:
    """UT-CMVMR, section 2.3.3: binary cross-entropy of logits, (B,) of true pairs and any shape of false ones.

    Both kinds weigh the same, however many false pairs there are.
    """
    true = functional.binary_cross_entropy_with_logits(matched, torch.ones_like(matched))
    false = functional.binary_cross_entropy_with_logits(unmatched, torch.zeros_like(unmatched))
    return 0.5 * (true + false)


def contrast(similarity: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding the own partner among the batch, both ways, logits = cosine / ``temperature``.

    InfoNCE (van den Oord et al. 2018); ours beside the paper's terms.
    """
    own = torch.arange(len(similarity))
    logits = similarity / temperature
    return 0.5 * (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own))
