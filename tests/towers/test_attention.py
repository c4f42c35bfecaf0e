"""Attention written out, against the operator that torch has for it."""

import pytest
import torch
from torch.nn import functional

from towers.attention import attend
from towers.sequence import MASKED


@pytest.mark.parametrize("masked", [False, True])
def test_it_is_scaled_dot_product_attention(masked: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, steps, 12, generator=generator) for steps in (5, 7, 7))
    bias = torch.where(torch.arange(7) < torch.tensor([[3], [7]]), 0.0, MASKED)[:, None, None] if masked else None
    q, k, v = (part.unflatten(-1, (3, 4)).transpose(1, 2) for part in (query, key, value))
    expected = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attend(query, key, value, 3, bias), expected)
