"""Conformers on a clip's picture strip and on its log-mel, and plain statistics of the same, as backbones.

Scaling is done here, so that an exported graph contains it. ``statistics`` is the clip stage of UT-CMVMR's setting AE:
no learned extractor, only averages. (The papers average embeddings of public picture and music networks there; ours
uses none, so that training needs nothing but a corpus.)
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .backbone import Backbone
from .conformer import Conformer, ConformerSize

# Clip vector, then the conformers of either side.
WIDTHS = {"small": 128, "paper": 512, "tiny": 16}
VIDEO_SIZES = {
    "small": ConformerSize(width=96, blocks=3, heads=4, kernel=15, expansion=3, channels=16, dropout=0.1),
    "paper": ConformerSize(width=512, blocks=6, heads=8, kernel=31, expansion=4, channels=512, dropout=0.1),
    "tiny": ConformerSize(width=16, blocks=1, heads=2, kernel=7, expansion=2, channels=4, dropout=0.0),
}
MUSIC_SIZES = {
    "small": ConformerSize(width=96, blocks=2, heads=4, kernel=15, expansion=3, channels=16, dropout=0.1),
    "paper": ConformerSize(width=512, blocks=2, heads=8, kernel=31, expansion=4, channels=512, dropout=0.1),
    "tiny": ConformerSize(width=16, blocks=1, heads=2, kernel=7, expansion=2, channels=4, dropout=0.0),
}


class VideoClipTower(Backbone):
    """``clip_image`` uint8 (B, 64, 256), or float 0..255 while training, -> (B, width) float32."""

    inputs = ("clip_image",)

    def __init__(self, kind: str, scale: str) -> None:
        super().__init__()
        rows, columns = spec.CLIP_IMAGE_SHAPE
        self.kind, self.scale, self.width = kind, scale, WIDTHS[scale]
        self.learned = kind == "conformer"
        self.net = (
            Conformer(columns, rows, self.width, VIDEO_SIZES[scale]) if self.learned else ClipStatistics(self.width)
        )

    def configuration(self) -> dict[str, Any]:
        return {"kind": self.kind, "side": "video", "scale": self.scale}

    def forward(self, clip_image: Tensor) -> Tensor:
        scaled = (clip_image.to(torch.float32) - 127.5) / 64.0
        embedding: Tensor = self.net(scaled.transpose(1, 2))
        return embedding


class MusicClipTower(Backbone):
    """``clip_mel`` float32 (B, 398, 80), natural log of power -> (B, width) float32; normalises by band."""

    inputs = ("clip_mel",)
    mean: Tensor
    deviation: Tensor

    def __init__(self, kind: str, scale: str) -> None:
        super().__init__()
        frames, bands = spec.CLIP_MEL_SHAPE
        self.kind, self.scale, self.width = kind, scale, WIDTHS[scale]
        self.learned = kind == "conformer"
        self.register_buffer("mean", torch.full((bands,), -5.0))
        self.register_buffer("deviation", torch.full((bands,), 3.0))
        self.net = (
            Conformer(frames, bands, self.width, MUSIC_SIZES[scale]) if self.learned else ClipStatistics(self.width)
        )

    def configuration(self) -> dict[str, Any]:
        return {"kind": self.kind, "side": "music", "scale": self.scale}

    def normalise(self, *samples: Tensor) -> None:
        """Band means and deviations of clips (n, 398, 80)."""
        sample = samples[0]
        frames = sample.to(torch.float64).reshape(-1, sample.shape[-1])
        self.mean.copy_(frames.mean(dim=0))
        self.deviation.copy_(frames.std(dim=0).clamp(min=0.1))

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
