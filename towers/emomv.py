"""EmoMV (Thao et al.): does this music feel as this video does?

Retrieval: both sides to a common space where similar feelings lie near; ``retrieval`` is its multi-task model, which
also classifies the emotion of each side, ``retrieval-single`` does not. Correspondence, its other task, is a classifier
of pairs, see ``Correspondence``: it cannot be indexed, so it is not a system.

The paper lists matched and mismatched pairs; here a batch supplies them: its own pairs, and pairs across it whose
emotions differ. A window is the mean of its clips, as the paper averages its pieces.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batch import Batch, Side, Sizes
from .compact_bilinear import CompactBilinear
from .levels import Standard
from .losses.emomv import contrastive
from .losses.segue import known_class
from .losses.two_branch import mismatched
from .sequence import masked_mean
from .system import GraphModule
from .windows import dual_graphs

NAME = "emomv"
SETTINGS = ("retrieval", "retrieval-single")


@dataclass(frozen=True)
class Scale:
    """``width`` of every layer; the paper's is 64. ``pooled``: of the compact bilinear pooling, 32 in its code."""

    width: int
    pooled: int = 32
    dropout: float = 0.5


SCALES = {"small": Scale(64), "paper": Scale(64), "tiny": Scale(8, 8, 0.0)}


@dataclass(frozen=True)
class Weights:
    """As in the paper, all tasks weigh the same."""

    contrastive: float = 1.0
    emotion: float = 1.0
    margin: float = 1.0


@dataclass(frozen=True)
class Configuration:
    """Everything that shapes the network."""

    setting: str
    scale: Scale
    video_dim: int
    music_dim: int
    emotions: int
    weights: Weights = field(default_factory=Weights)


class Trunk(nn.Module):
    """One side: standardised, one layer, a projection head with a residual; beside it a classifier of emotion."""

    def __init__(self, inputs: int, scale: Scale, emotions: int) -> None:
        super().__init__()
        width = scale.width
        self.standard = Standard(inputs)
        self.enter = nn.Linear(inputs, width)
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, width), nn.Dropout(scale.dropout)
        )
        self.norm = nn.LayerNorm(width)
        self.classes = nn.Sequential(nn.GELU(), nn.Dropout(scale.dropout), nn.Linear(width, max(1, emotions)))

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """(n, inputs) -> embedding (n, width) of unit norm, and the logits of its emotion."""
        entered = self.enter(self.standard(vector))
        return functional.normalize(self.norm(entered + self.head(entered)), dim=-1), self.classes(entered)


class EmoMv(nn.Module):
    """A ``System``, ``Prepared`` by the scales of its inputs."""

    name = NAME
    video_extras: tuple[str, ...] = ()
    music_extras: tuple[str, ...] = ()

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        self.config, self.setting, self.embedding_dim = config, config.setting, config.scale.width
        self.video_trunk = Trunk(config.video_dim, config.scale, config.emotions)
        self.music_trunk = Trunk(config.music_dim, config.scale, config.emotions)

    def prepare(self, train: Batch) -> None:
        for trunk, side in ((self.video_trunk, train.video), (self.music_trunk, train.music)):
            trunk.standard.prepare(masked_mean(side.clips, side.mask))

    def video(self, side: Side) -> Tensor:
        return self.run_trunk(self.video_trunk, side)[0]

    def music(self, side: Side) -> Tensor:
        return self.run_trunk(self.music_trunk, side)[0]

    def run_trunk(self, trunk: Trunk, side: Side) -> tuple[Tensor, Tensor]:
        outputs: tuple[Tensor, Tensor] = trunk(masked_mean(side.clips, side.mask))
        return outputs

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        weights, emotion = self.config.weights, batch.labels.emotion
        video, video_logits = self.run_trunk(self.video_trunk, batch.video)
        music, music_logits = self.run_trunk(self.music_trunk, batch.music)
        distance = 1.0 - video @ music.T
        across = distance[mismatched(emotion, batch.false_pairs())]
        # Matched and mismatched pairs weigh the same: the paper's lists hold as many of each.
        terms = [contrastive(distance.diagonal(), torch.ones(len(batch), dtype=torch.bool), weights.margin)]
        if len(across):
            terms.append(contrastive(across, torch.zeros(len(across), dtype=torch.bool), weights.margin))
        parts = {"contrastive": weights.contrastive * torch.stack(terms).mean()}
        if self.setting == "retrieval":
            parts["emotion"] = weights.emotion * (
                known_class(video_logits, emotion) + known_class(music_logits, emotion)
            )
        total = torch.stack(list(parts.values())).sum()
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def module(self) -> nn.Module:
        return self

    def configuration(self) -> dict[str, Any]:
        return asdict(self.config)

    def graphs(self) -> dict[str, GraphModule]:
        return dual_graphs(self, self.config.video_dim, self.config.music_dim)


class Correspondence(nn.Module):
    """EmoMV's classifier of pairs: trunks, compact bilinear pooling, a fully connected layer, two classes."""

    def __init__(self, video_dim: int, music_dim: int, emotions: int, scale: Scale) -> None:
        super().__init__()
        self.video_trunk = Trunk(video_dim, scale, emotions)
        self.music_trunk = Trunk(music_dim, scale, emotions)
        self.pool = CompactBilinear(scale.width, scale.width, scale.pooled)
        self.classes = nn.Sequential(nn.Linear(scale.pooled, scale.pooled), nn.GELU(), nn.Linear(scale.pooled, 2))

    def prepare(self, video: Tensor, music: Tensor) -> None:
        """Scales of the inputs, (n, dim) each."""
        self.video_trunk.standard.prepare(video)
        self.music_trunk.standard.prepare(music)

    def forward(self, video: Tensor, music: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, dim) each -> logits of matched (n, 2), and of the emotions of either side."""
        (video_vector, v_emotion), (music_vector, m_emotion) = self.video_trunk(video), self.music_trunk(music)
        return self.classes(self.pool(video_vector, music_vector)), v_emotion, m_emotion


def make(setting: str, sizes: Sizes, scale: str) -> EmoMv:
    """Fresh weights for a corpus."""
    return EmoMv(Configuration(setting, SCALES[scale], sizes.video, sizes.music, sizes.emotions))


def build(configuration: Mapping[str, Any]) -> EmoMv:
    """From a stored configuration, with fresh weights."""
    stored = dict(configuration)
    return EmoMv(
        Configuration(**{**stored, "scale": Scale(**stored["scale"]), "weights": Weights(**stored["weights"])})
    )
