"""Losses of EmoMV (Thao et al.) as pure functions.

Conventions: n pairs of a video and a music; ``distance`` (n,) cosine distance in [0, 2]; ``matched`` (n,) bool.

- ``contrastive``: its retrieval model, section 5.2
- ``correspondence``: its classifier of matched and mismatched pairs
"""

import torch
from torch import Tensor
from torch.nn import functional


def contrastive(distance: Tensor, matched: Tensor, margin: float) -> Tensor:
    """d^2 of matched pairs, max(0, margin - d)^2 of the others, the mean over all (Hadsell et al. 2006)."""
    near = distance.square()
    far = functional.relu(margin - distance).square()
    return torch.where(matched, near, far).mean()


def correspondence(logits: Tensor, matched: Tensor) -> Tensor:
    """Cross-entropy of (n, 2) logits, class 1 being matched."""
    return functional.cross_entropy(logits, matched.long())
