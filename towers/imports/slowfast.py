"""SlowFast R50 8x8: a clip of pictures to the action in it, 400 kinds of Kinetics, as in its published weights.

Feichtenhofer et al., "SlowFast networks for video recognition", 2019: a few pictures through a wide network, all of
them through a narrow one, which sends its channels over behind the stem and behind each of three stages. A block is a
convolution over time (or one point), one over the picture, one point, and a shortcut. The output here is the
input of the last layer: the mean over time and picture of the wide network's 2048 channels, then of the narrow one's
256.

Modules have the names of PyTorchVideo's file (``model_state``), so that its weights load strictly.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .weights import load_strictly

CLASSES: Final = 400
MEAN: Final = 0.45  # of a value in [0, 1]
DEVIATION: Final = 0.225
ALPHA: Final = 4  # the wide network sees one picture of so many
BETA: Final = 8  # its channels to the narrow one's
OVER: Final = 2  # channels sent over, to one of the narrow network
DEPTHS: Final = (3, 4, 6, 3)
STEM: Final = 64
OVER_TIME: Final = 7  # pictures that a channel sent over is made of
# Pictures that a block's first convolution is made of, by stage.
SLOW_TIME: Final = (1, 1, 3, 3)
FAST_TIME: Final = (3, 3, 3, 3)


def conv(
    inputs: int, outputs: int, kernel: tuple[int, int, int], stride: tuple[int, int, int] = (1, 1, 1)
) -> nn.Conv3d:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False)


class Stem(nn.Module):
    def __init__(self, outputs: int, time: int) -> None:
        super().__init__()
        self.conv, self.norm = conv(3, outputs, (time, 7, 7), (1, 2, 2)), nn.BatchNorm3d(outputs)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pool(functional.relu(self.norm(self.conv(x))))
        return out


class Branch(nn.Module):
    def __init__(self, inputs: int, inner: int, outputs: int, time: int, stride: int) -> None:
        super().__init__()
        self.conv_a, self.norm_a = conv(inputs, inner, (time, 1, 1)), nn.BatchNorm3d(inner)
        self.conv_b, self.norm_b = conv(inner, inner, (1, 3, 3), (1, stride, stride)), nn.BatchNorm3d(inner)
        self.conv_c, self.norm_c = conv(inner, outputs, (1, 1, 1)), nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm_a(self.conv_a(x)))
        out: Tensor = self.norm_c(self.conv_c(functional.relu(self.norm_b(self.conv_b(y)))))
        return out


class Block(nn.Module):
    def __init__(self, inputs: int, inner: int, outputs: int, time: int, stride: int) -> None:
        super().__init__()
        self.short = inputs != outputs or stride != 1
        if self.short:
            self.branch1_conv = conv(inputs, outputs, (1, 1, 1), (1, stride, stride))
            self.branch1_norm = nn.BatchNorm3d(outputs)
        self.branch2 = Branch(inputs, inner, outputs, time, stride)

    def forward(self, x: Tensor) -> Tensor:
        beside = self.branch1_norm(self.branch1_conv(x)) if self.short else x
        return functional.relu(beside + self.branch2(x))


class Stage(nn.Module):
    def __init__(self, depth: int, inputs: int, outputs: int, time: int, stride: int) -> None:
        super().__init__()
        inner = outputs // 4
        self.res_blocks = nn.Sequential(
            *(Block(outputs if at else inputs, inner, outputs, time, 1 if at else stride) for at in range(depth))
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.res_blocks(x)
        return out


class SendOver(nn.Module):
    """The narrow network's channels, at the wide one's pace, beside its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_fast_to_slow = conv(channels, OVER * channels, (OVER_TIME, 1, 1), (ALPHA, 1, 1))
        self.norm = nn.BatchNorm3d(OVER * channels)

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        return torch.cat([slow, functional.relu(self.norm(self.conv_fast_to_slow(fast)))], dim=1)


class Ways(nn.Module):
    """Both networks' parts of one depth; ``over``: channels of the narrow one that are sent over behind it, if any."""

    def __init__(self, slow: nn.Module, fast: nn.Module, over: int) -> None:
        super().__init__()
        self.multipathway_blocks = nn.ModuleList([slow, fast])
        self.multipathway_fusion = SendOver(over) if over else nn.Identity()

    def forward(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
        slow, fast = self.multipathway_blocks[0](slow), self.multipathway_blocks[1](fast)
        return (self.multipathway_fusion(slow, fast) if isinstance(self.multipathway_fusion, SendOver) else slow), fast


class Projection(nn.Module):
    """To the 400 kinds: loaded with the rest, not used."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, CLASSES)


class SlowFast(nn.Module):
    """``(B, 3, T, H, W)`` float32, scaled by ``MEAN`` and ``DEVIATION``, T a multiple of 4 -> (B, ``width``): 2304 for
    the published ``stem`` of 64 channels and ``depths``; tests build narrow ones of the same class."""

    def __init__(self, stem: int = STEM, depths: Sequence[int] = DEPTHS) -> None:
        super().__init__()
        ways = [Ways(Stem(stem, 1), Stem(stem // BETA, 5), stem // BETA)]
        inputs, outputs = stem, 4 * stem
        for at, depth in enumerate(depths):
            stride = 2 if at else 1
            slow = Stage(depth, inputs + OVER * inputs // BETA, outputs, SLOW_TIME[at], stride)
            fast = Stage(depth, inputs // BETA, outputs // BETA, FAST_TIME[at], stride)
            ways.append(Ways(slow, fast, outputs // BETA if at + 1 < len(depths) else 0))
            inputs, outputs = outputs, 2 * outputs
        self.width = inputs + inputs // BETA
        # The published file counts its pooling, which has no weights, among the blocks.
        self.blocks = nn.ModuleList([*ways, nn.Identity(), Projection(self.width)])

    def forward(self, clip: Tensor) -> Tensor:
        fast = clip
        slow = clip.index_select(2, slow_places(clip.shape[2]).to(clip.device))
        for ways in list(self.blocks)[:-2]:
            slow, fast = ways(slow, fast)
        return torch.cat([slow.mean(dim=(2, 3, 4)), fast.mean(dim=(2, 3, 4))], dim=1)


def slow_places(pictures: int) -> Tensor:
    """Indices of the pictures that the wide network sees: evenly from the first to the last, as published."""
    return torch.linspace(0, pictures - 1, pictures // ALPHA).long()


def read_slowfast(path: Path, stem: int = STEM, depths: Sequence[int] = DEPTHS) -> SlowFast:
    """The network with the weights of PyTorchVideo's file, in eval mode.

    Raises ``ImportedError`` for a file without weights, or whose weights have other names, shapes or types.
    """
    network = SlowFast(stem, depths)
    load_strictly(network, path, "SlowFast", within="model_state")
    return network.eval()
