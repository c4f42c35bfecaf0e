"""VGGish: .96 s of sound to 128 numbers, as in its published weights.

Hershey et al., "CNN architectures for large-scale audio classification", 2017, trained on AudioSet's forerunner: six
convolutions of 3 x 3 with a ReLU each, four maxima over 2 x 2, three dense layers with a ReLU each. Its release comes
with a second step, a whitening to bytes. EmoMV's release was made without it: its numbers are not negative, a quarter
of them is zero, and the largest is 1.8, where bytes are whole numbers to 255.

Modules have the names of torchvggish's file, so that its weights load strictly.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from torch import Tensor, nn

from features import spec

from .weights import load_strictly

WIDTH: Final = 128
CHANNELS: Final = (64, 128, 256, 256, 512, 512)
POOLED: Final = (0, 1, 3, 5)  # convolutions that are followed by a maximum
HIDDEN: Final = 4096


class Vggish(nn.Module):
    """``(n, 1, 96, 64)`` float32, as ``features.vggish_mel`` -> (n, ``WIDTH``), none negative.

    ``channels``, ``hidden``: the published ones, or those of a narrow network of the same class.
    """

    def __init__(self, channels: Sequence[int] = CHANNELS, hidden: int = HIDDEN) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for at, outputs in enumerate(channels):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            if at in POOLED:
                layers.append(nn.MaxPool2d(2))
            inputs = outputs
        self.features = nn.Sequential(*layers)
        _, frames, bands = spec.VGGISH_MEL_SHAPE
        smaller = 2 ** len(POOLED)
        self.embeddings = nn.Sequential(
            nn.Linear(inputs * (frames // smaller) * (bands // smaller), hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, WIDTH),
            nn.ReLU(),
        )

    def forward(self, examples: Tensor) -> Tensor:
        maps = self.features(examples)
        # Channels last before flattening: the weights come from TensorFlow.
        vector: Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return vector


def read_vggish(path: Path, channels: Sequence[int] = CHANNELS, hidden: int = HIDDEN) -> Vggish:
    """The network with the weights of torchvggish's file, in eval mode.

    Raises ``ImportedError`` for a file without weights, or whose weights have other names, shapes or types.
    """
    network = Vggish(channels, hidden)
    load_strictly(network, path, "VGGish")
    return network.eval()
