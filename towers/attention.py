"""Attention written out. Of the one operator that torch has for it the exporter makes ten nodes more, which compute
shapes and turn the keys to and fro; on one row of a small graph that is time lost.
"""

import torch
from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """(B, n, width) over (B, m, width) twice -> (B, n, width); ``bias`` is added to the weights' logarithms, in the
    shape of (B, heads, n, m) or what broadcasts to it (Vaswani et al. 2017, section 3.2)."""
    q, k, v = (
        part.reshape(*part.shape[:2], heads, part.shape[2] // heads).transpose(1, 2) for part in (query, key, value)
    )
    alike = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    if bias is not None:
        alike = alike + bias
    mixed: Tensor = torch.softmax(alike, dim=-1) @ v
    return mixed.transpose(1, 2).flatten(2)
