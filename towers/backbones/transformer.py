"""A ViViT-like Transformer on key frames: patches of all of them at once (Arnab et al. 2021), at our size."""

import torch
from torch import Tensor, nn

from ..sequence import EncoderLayer


class PatchTransformer(nn.Module):
    """(B, 3, frames, size, size) -> (B, width); patches of 8 x 8 pixels, positions learned."""

    PATCH = 8

    def __init__(self, frames: int, size: int, inner: int, layers: int, heads: int, width: int) -> None:
        super().__init__()
        patches = frames * (size // self.PATCH) ** 2
        self.enter = nn.Conv3d(3, inner, (1, self.PATCH, self.PATCH), stride=(1, self.PATCH, self.PATCH))
        self.position = nn.Parameter(torch.randn(patches, inner) * 0.02)
        self.layers = nn.ModuleList(EncoderLayer(inner, heads, 0.1) for _ in range(layers))
        self.out = nn.Sequential(nn.LayerNorm(inner), nn.Linear(inner, width))

    def forward(self, frames: Tensor) -> Tensor:
        x = self.enter(frames).flatten(2).transpose(1, 2) + self.position
        for layer in self.layers:
            x = layer(x, None)
        vector: Tensor = self.out(x.mean(dim=1))
        return vector
