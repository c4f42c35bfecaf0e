"""A clip's raw features to its embedding: scaling, then a network. Scaling lives here, so an exported graph carries it.

``ClipStatistics`` is the clip tower of the setting AE: no learned extractor, only averages. (The papers average
embeddings of public picture and music networks there; ours uses none, so that a corpus is all that training needs.)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .conformer import Conformer, ConformerSize


class VideoClipTower(nn.Module):
    """``clip_image`` uint8 (B, 64, 256), or float 0..255 while training, -> (B, clip_dim) float32."""

    def __init__(self, clip_dim: int, size: ConformerSize | None) -> None:
        super().__init__()
        rows, columns = spec.CLIP_IMAGE_SHAPE
        self.net = ClipStatistics(clip_dim) if size is None else Conformer(columns, rows, clip_dim, size)

    def forward(self, clip_image: Tensor) -> Tensor:
        scaled = (clip_image.to(torch.float32) - 127.5) / 64.0
        embedding: Tensor = self.net(scaled.transpose(1, 2))
        return embedding


class MusicClipTower(nn.Module):
    """``clip_mel`` float32 (B, 398, 80), natural log of power -> (B, clip_dim) float32; normalises by band."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, clip_dim: int, size: ConformerSize | None) -> None:
        super().__init__()
        frames, bands = spec.CLIP_MEL_SHAPE
        self.register_buffer("mean", torch.full((bands,), -5.0))
        self.register_buffer("deviation", torch.full((bands,), 3.0))
        self.net = ClipStatistics(clip_dim) if size is None else Conformer(frames, bands, clip_dim, size)

    def normalise(self, mean: Tensor, deviation: Tensor) -> None:
        """Set the constants, both (80,), measured on the training corpus."""
        self.mean.copy_(mean)
        self.deviation.copy_(deviation.clamp(min=0.1))

    def forward(self, clip_mel: Tensor) -> Tensor:
        embedding: Tensor = self.net((clip_mel - self.mean) / self.deviation)
        return embedding


class ClipStatistics(nn.Module):
    """(B, steps, features) -> (B, clip_dim): mean and deviation over the steps of ``clip_dim / 2`` feature bands."""

    def __init__(self, clip_dim: int) -> None:
        super().__init__()
        self.bands = clip_dim // 2

    def forward(self, x: Tensor) -> Tensor:
        # Interpolated, not pooled: an adaptive pooling of uneven bands has no ONNX operator.
        bands = functional.interpolate(x, size=self.bands, mode="linear", align_corners=True)
        mean = bands.mean(dim=1)
        deviation = ((bands - mean.unsqueeze(1)).square().mean(dim=1) + 1e-5).sqrt()
        return torch.cat([mean, deviation], dim=-1)
