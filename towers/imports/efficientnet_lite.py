"""EfficientNet-Lite0: a picture to 1000 kinds of things (ImageNet-1k), as in its published weights.

Tan and Le, "EfficientNet", 2019, in the variant without squeeze-and-excitation and with ReLU6. Padding is TensorFlow's
SAME, which for a stride of two is not the same on both sides; batch normalisation has TensorFlow's epsilon.
"""

import io
import pickle
import re
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .errors import ImportedError

CLASSES: Final = 1000
EPSILON: Final = 1e-3
CENTRE: Final = 127.0  # of a byte: the network was trained on (x - 127) / 128
SCALE: Final = 128.0
# Repeats, kernel, stride of the first, expansion, channels out.
STAGES: Final = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip


class SameConv(nn.Conv2d):
    """A convolution without bias whose output is as large as its input, over the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), self.kernel_size, self.stride, strict=True):
            missing = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            pads += [missing // 2, missing - missing // 2]
        whole: Tensor = super().forward(functional.pad(x, pads) if any(pads) else x)
        return whole


class Block(nn.Module):
    """Expand, filter each channel, project; the input is added where shapes allow. Names are those of the weights."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        if expansion > 1:
            self.expand_conv, self.bn0 = SameConv(inputs, width), nn.BatchNorm2d(width, EPSILON)
        self.depthwise_conv = SameConv(width, width, kernel, stride, groups=width)
        self.bn1 = nn.BatchNorm2d(width, EPSILON)
        self.project_conv, self.bn2 = SameConv(width, outputs), nn.BatchNorm2d(outputs, EPSILON)
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        y = functional.relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        out: Tensor = x + y if self.adds else y
        return out


class EfficientNetLite(nn.Module):
    """``(B, 3, H, W)`` float32, scaled as ``CENTRE`` and ``SCALE`` say -> ``(B, 1000)`` logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = SameConv(3, 32, 3, 2), nn.BatchNorm2d(32, EPSILON)
        blocks: list[Block] = []
        inputs = 32
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for place in range(repeats):
                blocks.append(Block(inputs, outputs, kernel, stride if place == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.conv_head, self.bn1 = SameConv(inputs, 1280), nn.BatchNorm2d(1280, EPSILON)
        self.fc = nn.Linear(1280, CLASSES)

    def forward(self, pictures: Tensor) -> Tensor:
        x = functional.relu6(self.bn0(self.conv_stem(pictures)))
        for block in self.blocks:
            x = block(x)
        x = functional.relu6(self.bn1(self.conv_head(x)))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


def read_efficientnet(weights: bytes) -> EfficientNetLite:
    """The network with the weights of a ``.pth`` file, in eval mode.

    Raises ``ImportedError`` for bytes that are no weights, or another network's.
    """
    try:
        stored = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
        named = {re.sub(r"(^|\.)_", r"\1", name): value for name, value in stored.items()}
        network = EfficientNetLite()
        network.load_state_dict(named)
    except (RuntimeError, pickle.UnpicklingError, EOFError, AttributeError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImportedError(
            f"EfficientNet-Lite0: weights that cannot be read ({reason}); fetch the package again"
        ) from error
    return network.eval()
