"""musicnn: three seconds of music to fifty tags, as in its published weights.

Pons et al., "End-to-end learning for music audio tagging at scale", 2018: filters as wide as a timbre or as long as a
rhythm, then three convolutions over time, then the maximum and the mean over time, then two dense layers. Two networks
of this shape are published, one for each vocabulary. Batch normalisation comes behind the ReLU, as in the original.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from .errors import ImportedError
from .tf_checkpoint import read_checkpoint

EPSILON: Final = 1e-3
BANDS: Final = 96
TIMBRE: Final = ((7, 38), (7, 67))  # frames and bands of a filter
RHYTHM: Final = (128, 64, 32)  # frames
FRAMES: Final = (*(frames for frames, _ in TIMBRE), *RHYTHM)
TIMBRE_WIDTH: Final = 204
RHYTHM_WIDTH: Final = 51
FRONT_WIDTH: Final = 2 * TIMBRE_WIDTH + 3 * RHYTHM_WIDTH  # 561
WIDTH: Final = 64
POOLED: Final = FRONT_WIDTH + 3 * WIDTH  # 753
HIDDEN: Final = 200
TAGS: Final = 50

Arrays = Mapping[str, NDArray[np.generic]]


class Musicnn(nn.Module):
    """``(B, T, 96)`` float32, ``features.tag_mel`` -> ``(B, 50)`` logits, in the order of the network's vocabulary."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.BatchNorm2d(1, EPSILON)
        kernels = [*TIMBRE, *((frames, 1) for frames in RHYTHM)]
        widths = [TIMBRE_WIDTH] * len(TIMBRE) + [RHYTHM_WIDTH] * len(RHYTHM)
        self.front = nn.ModuleList(nn.Conv2d(1, width, size) for width, size in zip(widths, kernels, strict=True))
        self.front_norm = nn.ModuleList(nn.BatchNorm2d(width, EPSILON) for width in widths)
        self.middle = nn.ModuleList(nn.Conv1d(width, WIDTH, 7, padding=3) for width in (FRONT_WIDTH, WIDTH, WIDTH))
        self.middle_norm = nn.ModuleList(nn.BatchNorm1d(WIDTH, EPSILON) for _ in self.middle)
        self.pool_norm = nn.BatchNorm1d(2 * POOLED, EPSILON)
        self.dense, self.dense_norm = nn.Linear(2 * POOLED, HIDDEN), nn.BatchNorm1d(HIDDEN, EPSILON)
        self.out = nn.Linear(HIDDEN, TAGS)

    def forward(self, mel: Tensor) -> Tensor:
        x = self.level(mel.unsqueeze(1))
        parts = []
        for convolution, norm, frames in zip(self.front, self.front_norm, FRAMES, strict=True):
            padded = functional.pad(x, (0, 0, (frames - 1) // 2, frames // 2))
            parts.append(norm(functional.relu(convolution(padded))).amax(dim=3))
        front = torch.cat(parts, dim=1)  # (B, 561, T)
        first, second, third = self.middle
        out1 = self.middle_norm[0](functional.relu(first(front)))
        out2 = self.middle_norm[1](functional.relu(second(out1))) + out1
        out3 = self.middle_norm[2](functional.relu(third(out2))) + out2
        whole = torch.cat([front, out1, out2, out3], dim=1)
        pooled = torch.stack([whole.amax(dim=2), whole.mean(dim=2)], dim=2).flatten(
            1
        )  # side by side, channel by channel
        hidden = self.dense_norm(functional.relu(self.dense(self.pool_norm(pooled))))
        logits: Tensor = self.out(hidden)
        return logits


def read_musicnn(index: bytes, data: bytes) -> Musicnn:
    """The network with the weights of a TensorFlow checkpoint's two files, in eval mode.

    Raises ``ImportedError`` for files that are no checkpoint, or another network's.
    """
    arrays = read_checkpoint(index, data)
    network = Musicnn()
    convolutions = [*network.front, *network.middle]
    norms = [network.level, *network.front_norm, *network.middle_norm, network.pool_norm, network.dense_norm]
    with torch.no_grad():
        for at, layer in enumerate(convolutions):
            kernel = _array(arrays, _name("conv2d", at, "kernel"))
            if isinstance(layer, nn.Conv2d):  # (frames, bands, 1, out)
                _fill(layer.weight, kernel.transpose(3, 2, 0, 1), _name("conv2d", at, "kernel"))
            else:  # (frames, channels, 1, out)
                _fill(layer.weight, kernel[:, :, 0].transpose(2, 1, 0), _name("conv2d", at, "kernel"))
            _fill(layer.bias, _array(arrays, _name("conv2d", at, "bias")), _name("conv2d", at, "bias"))
        for at, layer in enumerate((network.dense, network.out)):
            _fill(layer.weight, _array(arrays, _name("dense", at, "kernel")).T, _name("dense", at, "kernel"))
            _fill(layer.bias, _array(arrays, _name("dense", at, "bias")), _name("dense", at, "bias"))
        for at, norm in enumerate(norms):
            for own, theirs in NORMS.items():
                name = _name("batch_normalization", at, theirs)
                _fill(getattr(norm, own), _array(arrays, name), name)
    return network.eval()


NORMS: Final = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def _name(layer: str, at: int, part: str) -> str:
    """TensorFlow numbers layers of a kind in the order in which they were made; the first has no number."""
    return f"{layer}_{at}/{part}" if at else f"{layer}/{part}"


def _array(arrays: Arrays, name: str) -> NDArray[np.generic]:
    if name not in arrays:
        raise ImportedError(f"musicnn: the checkpoint has no {name}; it is another network's: fetch the package again")
    return arrays[name]


def _fill(into: Tensor, array: NDArray[np.generic], name: str) -> None:
    if tuple(into.shape) != array.shape or array.dtype != np.float32:
        raise ImportedError(
            f"musicnn: {name} is {array.dtype} {array.shape}, must be float32 {tuple(into.shape)}; "
            "it is another network's: fetch the package again"
        )
    into.copy_(torch.from_numpy(np.array(array)))
