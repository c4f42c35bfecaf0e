"""The papers' extractors at our size, as backbones: SlowFast, VGGish, and DPVM's two paths on either side.

``paper`` has the papers' widths on our pictures (32 x 32, 16 frames a clip); depths are ours throughout. Vectors are
layer-normed, so that parts and sides share one scale.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from features import spec

from .backbone import Backbone
from .convolutions import AttentiveResNet, ResNet3d, SlowFast, VggNet
from .transformer import PatchTransformer

CONTENT, EMOTION = "content", "emotion"
# Width of a vector, or of each part of it.
WIDTHS = {"small": 64, "paper": 512, "tiny": 8}
CHANNELS: Mapping[str, tuple[int, ...]] = {"small": (12, 24, 48), "paper": (64, 128, 256), "tiny": (4, 4, 8)}


def colour_clip(frames: Tensor) -> Tensor:
    """(B, n, h, w, 3) uint8, or float 0..255 -> (B, 3, n, h, w) float32 around 0."""
    return ((frames.to(torch.float32) - 127.5) / 64.0).permute(0, 4, 1, 2, 3)


class Scaled(nn.Module):
    """Constants of one input picture (rows, columns), by row."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(rows, 1))
        self.register_buffer("deviation", torch.ones(rows, 1))

    def measure(self, sample: Tensor) -> None:
        """``sample`` (n, rows, columns)."""
        by_row = sample.to(torch.float64).transpose(0, 1).flatten(1)
        self.mean.copy_(by_row.mean(dim=1, keepdim=True))
        self.deviation.copy_(by_row.std(dim=1, keepdim=True).clamp(min=1e-3))

    def forward(self, picture: Tensor) -> Tensor:
        return (picture - self.mean) / self.deviation


class SmallBackbone(Backbone):
    """The common part of the four."""

    side: str

    def __init__(self, scale: str) -> None:
        super().__init__()
        self.scale = scale

    def configuration(self) -> dict[str, Any]:
        return {"kind": self.kind, "side": self.side, "scale": self.scale}


class SlowFastVideo(SmallBackbone):
    """``clip_frames`` uint8 (B, 16, 32, 32, 3) -> (B, width)."""

    kind, side, inputs = "slowfast", "video", ("clip_frames",)

    def __init__(self, scale: str) -> None:
        super().__init__(scale)
        first, second, third = CHANNELS[scale]
        self.width = 2 * WIDTHS[scale]
        self.net = SlowFast((second, third), (max(2, first // 2), first), 4, self.width)
        self.norm = nn.LayerNorm(self.width)

    def forward(self, clip_frames: Tensor) -> Tensor:
        vector: Tensor = self.norm(self.net(colour_clip(clip_frames)))
        return vector


class VggishMusic(SmallBackbone):
    """``emotion_mfcc`` float32 (B, 32, 125) -> (B, width); VGGish's own log-mels cost seven times as much here."""

    kind, side, inputs = "vggish", "music", ("emotion_mfcc",)

    def __init__(self, scale: str) -> None:
        super().__init__(scale)
        first, second, third = CHANNELS[scale]
        self.width = 2 * WIDTHS[scale]
        self.scaled = Scaled(spec.EMOTION_MFCC_SHAPE[0])
        self.net = VggNet((first, second, third, 2 * third), self.width)
        self.norm = nn.LayerNorm(self.width)

    def normalise(self, *samples: Tensor) -> None:
        self.scaled.measure(samples[0])

    def forward(self, emotion_mfcc: Tensor) -> Tensor:
        vector: Tensor = self.norm(self.net(self.scaled(emotion_mfcc)))
        return vector


class DpvmVideo(SmallBackbone):
    """``clip_frames`` and ``key_frames`` -> content by a 3D ResNet, emotion by a Transformer on key frames."""

    kind, side, inputs = "dpvm", "video", ("clip_frames", "key_frames")

    def __init__(self, scale: str) -> None:
        super().__init__(scale)
        part = WIDTHS[scale]
        self.width, self.parts = 2 * part, {CONTENT: (0, part), EMOTION: (part, 2 * part)}
        self.content = ResNet3d(CHANNELS[scale], part)
        heads = 4 if part % 4 == 0 else 2
        self.emotion = PatchTransformer(spec.KEY_FRAMES_PER_CLIP, spec.FRAME_SIZE, part, 2, heads, part)
        self.content_norm, self.emotion_norm = nn.LayerNorm(part), nn.LayerNorm(part)

    def forward(self, clip_frames: Tensor, key_frames: Tensor) -> Tensor:
        content = self.content_norm(self.content(colour_clip(clip_frames)))
        emotion = self.emotion_norm(self.emotion(colour_clip(key_frames)))
        return torch.cat([content, emotion], dim=-1)


class DpvmMusic(SmallBackbone):
    """``content_mfcc`` and ``emotion_mfcc`` -> content by a VGGish, emotion by a ResNet with channel attention."""

    kind, side, inputs = "dpvm", "music", ("content_mfcc", "emotion_mfcc")

    def __init__(self, scale: str) -> None:
        super().__init__(scale)
        part = WIDTHS[scale]
        self.width, self.parts = 2 * part, {CONTENT: (0, part), EMOTION: (part, 2 * part)}
        self.content_scaled = Scaled(spec.CONTENT_MFCC_SHAPE[0])
        self.emotion_scaled = Scaled(spec.EMOTION_MFCC_SHAPE[0])
        self.content, self.emotion = VggNet(CHANNELS[scale], part), AttentiveResNet(CHANNELS[scale], part)
        self.content_norm, self.emotion_norm = nn.LayerNorm(part), nn.LayerNorm(part)

    def normalise(self, *samples: Tensor) -> None:
        self.content_scaled.measure(samples[0])
        self.emotion_scaled.measure(samples[1])

    def forward(self, content_mfcc: Tensor, emotion_mfcc: Tensor) -> Tensor:
        content = self.content_norm(self.content(self.content_scaled(content_mfcc)))
        emotion = self.emotion_norm(self.emotion(self.emotion_scaled(emotion_mfcc)))
        return torch.cat([content, emotion], dim=-1)
