"""Sequence stage: Transformer encoders over at most seven clips, rhythm and flow embeddings, cross-attention.

UT-CMVMR, section 2.2. Attention is written with an explicit float mask: no path depends on the data, so a graph exports
once for every batch and every number of valid clips. Masked clips get weight exactly 0 and their content is never read.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from features import spec

from .attention import attend

# exp(-1e9 - anything) is 0 in float32; minus infinity would turn a fully masked row into NaN.
MASKED = -1e9


class Bins(nn.Module):
    """Value -> code, the number of ``edges`` (ascending) that it reaches; int64, same shape."""

    edges: Tensor

    def __init__(self, edges: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("edges", torch.tensor(list(edges), dtype=torch.float32), persistent=False)
        self.codes = len(edges) + 1

    def forward(self, x: Tensor) -> Tensor:
        return (x.unsqueeze(-1) >= self.edges).sum(dim=-1)


class FlowEmbedding(nn.Module):
    """Displacement (B, n) in frame widths per second -> (B, n, width)."""

    def __init__(self, edges: Sequence[float], width: int) -> None:
        super().__init__()
        self.bins = Bins(edges)
        self.table = nn.Embedding(self.bins.codes, width)

    def forward(self, displacement: Tensor) -> Tensor:
        return look_up(self.table, self.bins(displacement))


class RhythmEmbedding(nn.Module):
    """Rhythm (B, n, 3) in the order of ``RHYTHM_FIELDS`` -> (B, n, width): half beats, a quarter each of the others."""

    def __init__(self, edges: Sequence[Sequence[float]], width: int) -> None:
        super().__init__()
        self.bins = nn.ModuleList(Bins(field) for field in edges)
        widths = (width - 2 * (width // 4), width // 4, width // 4)
        self.tables = nn.ModuleList(
            nn.Embedding(len(field) + 1, part) for field, part in zip(edges, widths, strict=True)
        )

    def forward(self, rhythm: Tensor) -> Tensor:
        fields = zip(self.bins, self.tables, rhythm.unbind(dim=-1), strict=True)
        return torch.cat([look_up(table, bins(values)) for bins, table, values in fields], dim=-1)


def look_up(table: nn.Module, codes: Tensor) -> Tensor:
    """Rows of an ``nn.Embedding``, by indexing: its own operator would export a value with the output's name."""
    assert isinstance(table, nn.Embedding)
    return table.weight[codes]


class Attention(nn.Module):
    """Multi-head attention of (B, n, width) over a context (B, m, width), whose valid places are ``mask`` (B, m); None:
    all of them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        bias = None if mask is None else (~mask).to(x.dtype)[:, None, None, :] * MASKED
        out: Tensor = self.out(attend(self.query(x), self.key(context), self.value(context), self.heads, bias))
        return out


class EncoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.feed = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        normed = self.norm(x)
        x = x + self.dropout(self.attention(normed, normed, mask))
        out: Tensor = x + self.dropout(self.feed(x))
        return out


class SequenceEncoder(nn.Module):
    """Clips (B, 7, clip_dim) and ``extra`` (B, 7, width) or None -> tokens (B, 7, width)."""

    def __init__(self, clip_dim: int, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.Linear(clip_dim, width)
        self.position = nn.Parameter(torch.randn(spec.MAX_CLIPS, width) * 0.02)
        self.layers = nn.ModuleList(EncoderLayer(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, clips: Tensor, mask: Tensor, extra: Tensor | None) -> Tensor:
        x = self.enter(torch.where(mask.unsqueeze(-1), clips, 0.0)) + self.position[: clips.shape[1]]
        if extra is not None:
            x = x + extra
        for layer in self.layers:
            x = layer(x, mask)
        tokens: Tensor = self.norm(x)
        return tokens


class CrossAttention(nn.Module):
    """Each side attends to the other, and the result is added to it (UT-CMVMR (3)): (B, n, width) twice -> the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_video, self.norm_music = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_music, self.to_video = Attention(width, heads), Attention(width, heads)

    def forward(self, video: Tensor, video_mask: Tensor, music: Tensor, music_mask: Tensor) -> tuple[Tensor, Tensor]:
        normed_video, normed_music = self.norm_video(video), self.norm_music(music)
        return (
            video + self.to_music(normed_video, normed_music, music_mask),
            music + self.to_video(normed_music, normed_video, video_mask),
        )


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the valid places: (B, n, width), (B, n) bool -> (B, width). The other places are never read."""
    weights = mask.to(x.dtype)
    total = torch.where(mask.unsqueeze(-1), x, 0.0).sum(dim=1)
    return total / weights.sum(dim=1, keepdim=True).clamp(min=1.0)


def mlp(inputs: int, hidden: int, outputs: int, dropout: float = 0.0) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, outputs))
