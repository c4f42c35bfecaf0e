"""Two-branch baselines: one network a modality on whole-window means, one distance.

Settings:

- ``b-content`` (Pretet et al. 2021; DPVM's baseline of this name): MLP into a common space, triplets over the batch.
- ``b-emotion`` (DPVM's baseline: a two-stream emotion network that is only pretrained on emotions): the streams
  classify emotion, and their hidden layers are drawn together as the embedding.
- ``emomv-baseline`` (EmoMV, section 5.2): streams that classify emotion, a common space at unit length, contrastive
  loss on the Euclidean distance; a logistic regression of matched or not, on the finished distance, is the matcher.

The original of the last trains its regression after the network; here both descend together, and the regression's
gradient stops at the distance, so the network never feels it. Its sigmoid layers at the end of each stream would leave
the common space an input in [0, 1], and are ReLU here. Ranking by 1 / d, as EmoMV does, is ranking by the cosine, since
embeddings have unit length.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batch import Batch, Side, Sizes
from .levels import Standard
from .losses.two_branch import contrastive, correspondence, distances, emotions, mismatched, triplet
from .sequence import masked_mean
from .system import GraphModule
from .windows import dual_graphs

NAME = "two-branch"
SETTINGS = ("b-content", "b-emotion", "emomv-baseline")


@dataclass(frozen=True)
class Scale:
    hidden: int
    embedding: int
    dropout: float


SCALES = {
    "small": Scale(hidden=256, embedding=128, dropout=0.2),
    "paper": Scale(hidden=512, embedding=256, dropout=0.2),
    "tiny": Scale(hidden=16, embedding=8, dropout=0.0),
}


@dataclass(frozen=True)
class Weights:
    """``triplet_margin`` and ``contrastive_margin`` in Euclidean distance; embeddings lie at most 2 apart."""

    triplet_margin: float = 0.4
    contrastive_margin: float = 1.0
    distance: float = 1.0
    emotion: float = 1.0
    correspondence: float = 1.0


@dataclass(frozen=True)
class Configuration:
    """Everything that shapes the network. ``emotions``: classes, 0 where a corpus has none."""

    setting: str
    scale: Scale
    video_dim: int
    music_dim: int
    emotions: int
    weights: Weights = field(default_factory=Weights)


class Stream(nn.Module):
    """One modality: (B, K, C) to the input of its emotion classifier, (B, hidden), and to the common space."""

    def __init__(self, clip_dim: int, config: Configuration) -> None:
        super().__init__()
        scale = config.scale
        self.standard = Standard(clip_dim)
        self.body = nn.Sequential(nn.Linear(clip_dim, scale.hidden), nn.ReLU(), nn.Dropout(scale.dropout))
        self.emotion = nn.Linear(scale.hidden, config.emotions) if classifies(config) else None
        self.projection: nn.Module = nn.Linear(scale.hidden, scale.embedding)
        if config.setting == "emomv-baseline":  # two fully connected layers
            self.projection = nn.Sequential(
                nn.Linear(scale.hidden, scale.hidden), nn.ReLU(), nn.Linear(scale.hidden, scale.embedding)
            )

    def hidden(self, side: Side) -> Tensor:
        hidden: Tensor = self.body(self.standard(masked_mean(side.clips, side.mask)))
        return hidden

    def project(self, hidden: Tensor) -> Tensor:
        return functional.normalize(self.projection(hidden), dim=-1)

    def forward(self, side: Side) -> Tensor:
        return self.project(self.hidden(side))


class TwoBranch(nn.Module):
    """A ``System``, ``Prepared`` by the scales of its inputs."""

    name = NAME
    video_extras: tuple[str, ...] = ()
    music_extras: tuple[str, ...] = ()

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        self.config, self.setting, self.embedding_dim = config, config.setting, config.scale.embedding
        self.video_stream, self.music_stream = Stream(config.video_dim, config), Stream(config.music_dim, config)
        # The logistic regression: logit of "matched" = offset - slope * distance.
        self.regression: nn.ParameterDict | None = None
        self.reranks = config.setting == "emomv-baseline"
        if self.reranks:
            self.regression = nn.ParameterDict({"slope": torch.tensor(1.0), "offset": torch.tensor(1.0)})

    def prepare(self, train: Batch) -> None:
        for stream, side in ((self.video_stream, train.video), (self.music_stream, train.music)):
            stream.standard.prepare(masked_mean(side.clips, side.mask))

    def video(self, side: Side) -> Tensor:
        embedding: Tensor = self.video_stream(side)
        return embedding

    def music(self, side: Side) -> Tensor:
        embedding: Tensor = self.music_stream(side)
        return embedding

    def score(self, video: Side, music: Side) -> Tensor:
        """Probability that pairs of rows match, (B,)."""
        cosine = (self.video(video) * self.music(music)).sum(dim=-1)
        return torch.sigmoid(self.match_logits((2.0 - 2.0 * cosine).clamp(min=1e-8).sqrt()))

    def match_logits(self, distance: Tensor) -> Tensor:
        """Logits of "matched", in the shape of ``distance``; for the setting that has a regression."""
        assert self.regression is not None
        logits: Tensor = self.regression["offset"] - self.regression["slope"] * distance
        return logits

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        weights, labels, false = self.config.weights, batch.labels, batch.false_pairs()
        video_hidden, music_hidden = self.video_stream.hidden(batch.video), self.music_stream.hidden(batch.music)
        distance = distances(self.video_stream.project(video_hidden), self.music_stream.project(music_hidden))
        parts: dict[str, Tensor] = {}
        if self.setting == "b-content":
            parts["triplet"] = triplet(distance, false, weights.triplet_margin)
        elif self.setting == "b-emotion":
            parts["distance"] = weights.distance * distance.diagonal().square().mean()
        else:
            mismatch = mismatched(labels.emotion, false)
            parts["contrastive"] = contrastive(distance, mismatch, weights.contrastive_margin)
            logits = self.match_logits(distance.detach())
            parts["correspondence"] = weights.correspondence * correspondence(logits, mismatch)
        if self.video_stream.emotion is not None and self.music_stream.emotion is not None:
            emotion_logits = self.video_stream.emotion(video_hidden), self.music_stream.emotion(music_hidden)
            parts["emotion"] = weights.emotion * emotions(*emotion_logits, labels.emotion)
        total = torch.stack(list(parts.values())).sum()
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def module(self) -> nn.Module:
        return self

    def configuration(self) -> dict[str, Any]:
        return asdict(self.config)

    def graphs(self) -> dict[str, GraphModule]:
        return dual_graphs(self, self.config.video_dim, self.config.music_dim)


def classifies(config: Configuration) -> bool:
    """Whether there are classes, and a setting that learns them."""
    return config.emotions > 0 and config.setting != "b-content"


def make(setting: str, sizes: Sizes, scale: str) -> TwoBranch:
    """Fresh weights for a corpus."""
    return TwoBranch(Configuration(setting, SCALES[scale], sizes.video, sizes.music, sizes.emotions))


def build(configuration: Mapping[str, Any]) -> TwoBranch:
    """From a stored configuration, with fresh weights."""
    stored = dict(configuration)
    return TwoBranch(
        Configuration(**{**stored, "scale": Scale(**stored["scale"]), "weights": Weights(**stored["weights"])})
    )
