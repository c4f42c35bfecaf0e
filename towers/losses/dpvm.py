"""Losses of DPVM (Gu et al.) as pure functions.

Conventions: B pairs; ``video`` and ``music`` (B, E), unit norm; ``similarity`` (B, B) cosine, video by row and music by
column; ``false`` (B, B) bool: which of them do not belong together; ``polarity`` (B,) in [-1, 1], NaN where unknown.

- ``reconstruction``: L_R, of the content path's shared encoder and decoder
- ``metric``: L_M of either path. The paper's (5) is a bare distance, which a constant map brings to nothing; a margin
  to the false pairs of the batch keeps points apart, as in its content path
- ``polarity_penalty``: the polarity penalty metric loss, PPML
"""

import torch
from torch import Tensor
from torch.nn import functional


def reconstruction(entered: Tensor, decoded: Tensor) -> Tensor:
    """d(V, D(E(V))) or d(M, D(E(M))): the mean squared difference, both (B, W)."""
    return functional.mse_loss(decoded, entered.detach())


def metric(similarity: Tensor, false: Tensor, margin: float) -> Tensor:
    """max(0, margin - s(own) + s(other)), both ways, mean over the terms above zero."""
    own = similarity.diagonal()
    terms = torch.stack([margin - own.unsqueeze(1) + similarity, margin - own.unsqueeze(0) + similarity])
    terms = functional.relu(terms).masked_fill(~false, 0.0)
    return terms.sum() / (terms > 0).sum().clamp(min=1)


def polarity_penalty(similarity: Tensor, polarity: Tensor, false: Tensor) -> Tensor:
    """sum_k sum_{i != k} ( P_ki rho_ki s(v_k, m_i) - s(v_k, m_k) ), divided by the number of its terms.

    P_ki = |polarity_k - polarity_i|; rho_ki = 0 where s(v_k, m_i) < s(v_k, m_k), else 1. A pair whose polarity is
    unknown is not penalised. Music that two pairs share is no false candidate, so ``false`` stands for i != k.
    """
    distance = (polarity.unsqueeze(1) - polarity.unsqueeze(0)).abs().nan_to_num(0.0)
    own = similarity.diagonal().unsqueeze(1)
    above = (similarity.detach() >= own.detach()).to(similarity.dtype)
    terms = (distance * above * similarity - own).masked_fill(~false, 0.0)
    return terms.sum() / false.sum().clamp(min=1)
