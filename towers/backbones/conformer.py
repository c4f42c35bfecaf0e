"""Clip towers: a small Conformer that turns a 4 s clip into one vector (Gulati et al. 2020; UT-CMVMR, section 2.1).

Both modalities come as a sequence of columns: a clip image is read column by column through its four thumbnails (256
steps of 64 pixels), a log-mel frame by frame (398 steps of 80 bands). Two strided convolutions leave a quarter of the
steps. Lengths are fixed, so positions are a learned table and nothing is masked.

Two choices of ours, where the papers are silent: mean and deviation over the steps are pooled (the deviation separates
a busy clip from a calm one), and the embedding is layer-normed, which keeps both modalities on one scale.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..attention import attend


@dataclass(frozen=True)
class ConformerSize:
    """``width`` of a step, depthwise ``kernel`` in steps, ``channels`` of the first two layers."""

    width: int
    blocks: int
    heads: int
    kernel: int
    expansion: int
    channels: int
    dropout: float


class Subsampling(nn.Module):
    """(B, T, F) -> (B, ceil(T / 4), width) by two 3x3 convolutions of stride 2 and a projection."""

    def __init__(self, features: int, size: ConformerSize) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, size.channels, 3, stride=2, padding=1)
        self.second = nn.Conv2d(size.channels, size.channels, 3, stride=2, padding=1)
        self.out = nn.Linear(size.channels * quarter(features), size.width)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.silu(self.second(functional.silu(self.first(x.unsqueeze(1)))))
        out: Tensor = self.out(x.permute(0, 2, 1, 3).flatten(2))
        return out


class FeedForward(nn.Module):
    def __init__(self, size: ConformerSize) -> None:
        super().__init__()
        inner = size.width * size.expansion
        self.norm = nn.LayerNorm(size.width)
        self.up, self.down = nn.Linear(size.width, inner), nn.Linear(inner, size.width)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.down(functional.silu(self.up(self.norm(x)))))
        return out


class SelfAttention(nn.Module):
    def __init__(self, size: ConformerSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.norm = nn.LayerNorm(size.width)
        self.qkv, self.out = nn.Linear(size.width, 3 * size.width), nn.Linear(size.width, size.width)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.norm(x)).chunk(3, dim=-1)
        out: Tensor = self.dropout(self.out(attend(query, key, value, self.heads)))
        return out


class Convolution(nn.Module):
    """Pointwise, gate, depthwise over time, batch norm, pointwise."""

    def __init__(self, size: ConformerSize) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size.width)
        self.gate, self.out = nn.Linear(size.width, 2 * size.width), nn.Linear(size.width, size.width)
        self.depthwise = nn.Conv1d(size.width, size.width, size.kernel, padding=size.kernel // 2, groups=size.width)
        self.batch_norm = nn.BatchNorm1d(size.width)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, x: Tensor) -> Tensor:
        gated = functional.glu(self.gate(self.norm(x)), dim=-1).transpose(1, 2)
        mixed = functional.silu(self.batch_norm(self.depthwise(gated))).transpose(1, 2)
        out: Tensor = self.dropout(self.out(mixed))
        return out


class ConformerBlock(nn.Module):
    """Half a feed-forward, attention, convolution, half a feed-forward, norm: all residual."""

    def __init__(self, size: ConformerSize) -> None:
        super().__init__()
        self.before, self.after = FeedForward(size), FeedForward(size)
        self.attention, self.convolution = SelfAttention(size), Convolution(size)
        self.norm = nn.LayerNorm(size.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.before(x)
        x = x + self.attention(x)
        x = x + self.convolution(x)
        out: Tensor = self.norm(x + 0.5 * self.after(x))
        return out


class Conformer(nn.Module):
    """(B, steps, features) float32 -> (B, clip_dim) float32."""

    def __init__(self, steps: int, features: int, clip_dim: int, size: ConformerSize) -> None:
        super().__init__()
        self.subsampling = Subsampling(features, size)
        self.position = nn.Parameter(torch.randn(quarter(steps), size.width) * 0.02)
        self.blocks = nn.ModuleList(ConformerBlock(size) for _ in range(size.blocks))
        self.out = nn.Sequential(nn.Linear(2 * size.width, clip_dim), nn.LayerNorm(clip_dim))

    def forward(self, x: Tensor) -> Tensor:
        x = self.subsampling(x) + self.position
        for block in self.blocks:
            x = block(x)
        mean = x.mean(dim=1)
        deviation = ((x - mean.unsqueeze(1)).square().mean(dim=1) + 1e-5).sqrt()
        pooled: Tensor = self.out(torch.cat([mean, deviation], dim=-1))
        return pooled


def quarter(steps: int) -> int:
    """The number of steps that two convolutions of kernel 3, stride 2 and padding 1 leave."""
    for _ in range(2):
        steps = (steps - 1) // 2 + 1
    return steps
