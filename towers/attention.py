"""Attention written out. The exporter turns torch's single operator for it into ten more nodes, which compute shapes
and transpose the keys back and forth; that costs time on one row of a small graph.
"""

import torch
from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """(B, n, width) over (B, m, width) twice -> (B, n, width); ``bias`` is added to the weights' logarithms, in a
    shape that broadcasts to (B, heads, n, m) (Vaswani et al. 2017, section 3.2)."""
    q, k, v = (
        part.reshape(*part.shape[:2], heads, part.shape[2] // heads).transpose(1, 2) for part in (query, key, value)
    )
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    mixed: Tensor = torch.softmax(scores, dim=-1) @ v
    return mixed.transpose(1, 2).flatten(2)
