"""Small convolutional networks in the shape of the papers' large ones: VGGish, ResNet with channel attention, ResNet3d,
SlowFast. Each takes one clip and is trained with the rest.

Pooling to one vector is a plain mean over positions, which exports for every batch.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def block2d(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def block3d(inputs: int, outputs: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> nn.Sequential:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(),
    )


class VggNet(nn.Module):
    """(B, rows, columns) -> (B, width): VGGish's pattern (Hershey et al. 2017), convolutions and pooling by two."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for outputs in channels:
            layers += [block2d(inputs, outputs), nn.MaxPool2d(2, ceil_mode=True)]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(inputs, width)

    def forward(self, picture: Tensor) -> Tensor:
        vector: Tensor = self.out(self.layers(picture.unsqueeze(1)).mean(dim=(2, 3)))
        return vector


class ChannelAttention(nn.Module):
    """Squeeze and excitation (Hu et al. 2018): each channel weighed by all of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(4, channels // 8)
        self.net = nn.Sequential(nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.net(x.mean(dim=(2, 3)))
        return x * weights[:, :, None, None]


class AttentiveResidual(nn.Module):
    """Two convolutions with channel attention beside a shortcut; halves the picture."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            block2d(inputs, outputs, 2),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            ChannelAttention(outputs),
        )
        self.short = nn.Conv2d(inputs, outputs, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.short(x))


class AttentiveResNet(nn.Module):
    """(B, rows, columns) -> (B, width): DPVM's ResNet with channel attention, at our size."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.stem = block2d(1, channels[0])
        self.layers = nn.Sequential(
            *[AttentiveResidual(a, b) for a, b in zip(channels, [*channels[1:], channels[-1]], strict=True)]
        )
        self.out = nn.Linear(channels[-1], width)

    def forward(self, picture: Tensor) -> Tensor:
        vector: Tensor = self.out(self.layers(self.stem(picture.unsqueeze(1))).mean(dim=(2, 3)))
        return vector


class Residual3d(nn.Module):
    """Two 3D convolutions beside a shortcut; halves time and picture."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            block3d(inputs, outputs, (3, 3, 3), (2, 2, 2)),
            nn.Conv3d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm3d(outputs),
        )
        self.short = nn.Conv3d(inputs, outputs, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.short(x))


class ResNet3d(nn.Module):
    """(B, 3, frames, h, w) -> (B, width): DPVM's 3D ResNet, at our size."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.stem = block3d(3, channels[0], (3, 3, 3), (1, 2, 2))
        self.layers = nn.Sequential(*[Residual3d(a, b) for a, b in pairwise(channels)])
        self.out = nn.Linear(channels[-1], width)

    def forward(self, clip: Tensor) -> Tensor:
        vector: Tensor = self.out(self.layers(self.stem(clip)).mean(dim=(2, 3, 4)))
        return vector


class SlowFast(nn.Module):
    """(B, 3, frames, h, w) -> (B, width): few frames through a wide network, all through a narrow one (Feichtenhofer et
    al. 2019).

    The fast network sends its channels to the slow one before the second layer.
    """

    def __init__(self, slow: Sequence[int], fast: Sequence[int], every: int, width: int) -> None:
        super().__init__()
        self.every = every
        self.slow_stem = block3d(3, slow[0], (1, 3, 3), (1, 2, 2))
        self.fast_stem = block3d(3, fast[0], (3, 3, 3), (1, 2, 2))
        self.over = nn.Conv3d(fast[0], 2 * fast[0], (5, 1, 1), stride=(every, 1, 1), padding=(2, 0, 0))
        self.slow_layers = nn.Sequential(
            block3d(slow[0] + 2 * fast[0], slow[1], (1, 3, 3), (1, 2, 2)),
            block3d(slow[1], slow[1], (3, 3, 3), (1, 2, 2)),
        )
        self.fast_layers = nn.Sequential(
            block3d(fast[0], fast[1], (3, 3, 3), (2, 2, 2)), block3d(fast[1], fast[1], (3, 3, 3), (2, 2, 2))
        )
        self.out = nn.Linear(slow[1] + fast[1], width)

    def forward(self, clip: Tensor) -> Tensor:
        fast = self.fast_stem(clip)
        slow = torch.cat([self.slow_stem(clip[:, :, :: self.every]), self.over(fast)], dim=1)
        pooled = [self.slow_layers(slow).mean(dim=(2, 3, 4)), self.fast_layers(fast).mean(dim=(2, 3, 4))]
        vector: Tensor = self.out(torch.cat(pooled, dim=-1))
        return vector
