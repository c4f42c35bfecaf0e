"""VM-NET (Hong, Im, Yang 2018): two branches over whole-window statistics, inter-modal ranking, soft intra-modal
structure.

Settings: ``inter`` (ranking both ways), ``inter-intra`` (with the structure loss), ``one-directional`` (ranking with
the video as the anchor, as in a search), ``linear`` (both ways, one linear layer a side), ``dann`` (``inter`` with a
classifier of modalities behind a reversed gradient).

Choices where the paper is silent: the adversary's classifier (one hidden layer of the embedding's size, weight and
strength in ``Weights``); both sides are normalised globally, the music as well, since its statistics have many units; a
branch's input has length sqrt(width), so that fresh layers start at the scale they are made for. The paper whitens
video features before the statistics are taken; here every dimension is scaled afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batch import Batch, Side, Sizes
from .levels import LOW_LEVEL_WIDTH, GlobalNormalisation, low_level, music_level, video_level
from .losses.vmnet import confusion, ranking, reverse, structure
from .system import GraphModule
from .windows import dual_graphs

NAME = "vmnet"
SETTINGS = ("inter", "inter-intra", "one-directional", "linear", "dann")


@dataclass(frozen=True)
class Scale:
    """``video`` and ``music``: widths of the layers, the last being the embedding. ``level``: the most dimensions that
    enter. ``momentum``: of the batch normalisation (1 - the paper's decay)."""

    video: tuple[int, ...]
    music: tuple[int, ...]
    level: int
    momentum: float
    dropout: float = 0.1  # the paper keeps 0.9


SCALES = {
    # Hundreds of steps, where the paper has tens of thousands: the running statistics follow ten times faster.
    "small": Scale(video=(512, 256), music=(512, 256, 256), level=512, momentum=0.1),
    "paper": Scale(video=(2048, 512), music=(2048, 1024, 512), level=1024, momentum=0.01),
    "tiny": Scale(video=(16, 8), music=(16, 16, 8), level=32, momentum=0.1, dropout=0.0),
}


@dataclass(frozen=True)
class Weights:
    """``video`` and ``music``: of the ranking by anchor; ``structure``: per modality; the rest of the losses' terms."""

    video: float = 1.0
    music: float = 3.0
    structure: float = 0.2
    margin: float = 0.1
    negatives: int = 100
    adversary: float = 0.1
    reversal: float = 1.0


@dataclass(frozen=True)
class Configuration:
    """Everything that shapes the network."""

    setting: str
    scale: Scale
    video_dim: int
    music_dim: int
    weights: Weights = field(default_factory=Weights)


class Branch(nn.Module):
    """(B, level) of length 1 -> (B, widths[-1]) of unit norm: layers with ReLU and dropout, batch norm, L2."""

    def __init__(self, level: int, widths: Sequence[int], scale: Scale) -> None:
        super().__init__()
        self.stretch = float(level) ** 0.5
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(pairwise((level, *widths))):
            if index:
                layers += [nn.ReLU(), nn.Dropout(scale.dropout)]
            layers.append(nn.Linear(inputs, outputs))
        self.layers = nn.Sequential(*layers)
        self.norm = nn.BatchNorm1d(widths[-1], eps=1e-3, momentum=scale.momentum)

    def forward(self, level: Tensor) -> Tensor:
        x = self.layers(level * self.stretch)
        if self.training and len(x) < 2:  # a batch of one has no deviation
            norm = self.norm
            x = functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        else:
            x = self.norm(x)
        return functional.normalize(x, dim=-1)


class VmNet(nn.Module):
    """A ``System``, ``Prepared`` by the global normalisation."""

    name = NAME
    video_extras: tuple[str, ...] = ()
    music_extras: tuple[str, ...] = ()

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        scale, linear = config.scale, config.setting == "linear"
        self.config, self.setting, self.embedding_dim = config, config.setting, scale.video[-1]
        self.exact = config.music_dim == LOW_LEVEL_WIDTH
        self.video_global = GlobalNormalisation(7 * config.video_dim, scale.level)
        music_width = LOW_LEVEL_WIDTH if self.exact else 3 * config.music_dim
        # The paper projects the video alone; music is projected where its clip vectors are wider than its own 1140.
        self.music_global = GlobalNormalisation(music_width, max(scale.level, LOW_LEVEL_WIDTH))
        self.video_branch = Branch(self.video_global.width, scale.video[-1:] if linear else scale.video, scale)
        self.music_branch = Branch(self.music_global.width, scale.music[-1:] if linear else scale.music, scale)
        self.adversary: nn.Sequential | None = None  # in training only
        if config.setting == "dann":
            width = self.embedding_dim
            self.adversary = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1), nn.Flatten(0))

    def video_level(self, side: Side) -> Tensor:
        """What the video branch takes, (B, level) of unit norm."""
        level: Tensor = self.video_global(video_level(side.clips, side.mask))
        return level

    def music_statistics(self, side: Side) -> Tensor:
        return low_level(side.clips, side.mask) if self.exact else music_level(side.clips, side.mask)

    def music_level(self, side: Side) -> Tensor:
        """What the music branch takes, (B, level) of unit norm."""
        level: Tensor = self.music_global(self.music_statistics(side))
        return level

    def prepare(self, train: Batch) -> None:
        self.video_global.prepare(video_level(train.video.clips, train.video.mask))
        self.music_global.prepare(self.music_statistics(train.music))

    def video(self, side: Side) -> Tensor:
        embedding: Tensor = self.video_branch(self.video_level(side))
        return embedding

    def music(self, side: Side) -> Tensor:
        embedding: Tensor = self.music_branch(self.music_level(side))
        return embedding

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """(5), by setting."""
        weights = self.config.weights
        video_levels, music_levels = self.video_level(batch.video), self.music_level(batch.music)
        video, music = self.video_branch(video_levels), self.music_branch(music_levels)
        music_weight = 0.0 if self.setting == "one-directional" else weights.music
        parts = {
            "ranking": ranking(
                video @ music.T, batch.false_pairs(), weights.margin, weights.negatives, weights.video, music_weight
            )
        }
        if self.setting == "inter-intra":
            parts["structure"] = weights.structure * (structure(video, video_levels) + structure(music, music_levels))
        if self.adversary is not None:
            logits = (self.adversary(reverse(side, weights.reversal)) for side in (video, music))
            parts["adversary"] = weights.adversary * confusion(*logits)
        total = torch.stack(list(parts.values())).sum()
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def module(self) -> nn.Module:
        return self

    def configuration(self) -> dict[str, Any]:
        return asdict(self.config)

    def graphs(self) -> dict[str, GraphModule]:
        return dual_graphs(self, self.config.video_dim, self.config.music_dim)


def make(setting: str, sizes: Sizes, scale: str) -> VmNet:
    """Fresh weights for a corpus."""
    return VmNet(Configuration(setting, SCALES[scale], sizes.video, sizes.music))


def build(configuration: Mapping[str, Any]) -> VmNet:
    """From a stored configuration, with fresh weights."""
    stored = dict(configuration)
    scale = dict(stored["scale"])
    scale |= {side: tuple(scale[side]) for side in ("video", "music")}
    return VmNet(Configuration(**{**stored, "scale": Scale(**scale), "weights": Weights(**stored["weights"])}))
