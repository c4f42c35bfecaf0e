"""DPVM (Gu et al.): a content path and an emotion path, side by side, and their fusion.

Content: one encoder and one decoder that both modalities share, behind an entry layer of their own. Emotion: one MLP a
side into a common space from which emotions are classified. Fusion: the two spliced (``sp``), or spliced and sent
through layers (``in``). ``+ppml`` adds the polarity penalty to every metric loss of the setting.

A window is the mean of its clips; the paper's six segments and sixteen key frames are its clips and theirs. Where a
backbone says which part of a clip's vector is content and which emotion, each path reads its part; else both read all.
Widths, margin and depths are ours: the paper does not give them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .backbones.small import CONTENT, EMOTION
from .batch import Batch, Side, Sizes
from .levels import Standard
from .losses.dpvm import metric, polarity_penalty, reconstruction
from .losses.segue import known_class
from .sequence import masked_mean, mlp
from .system import GraphModule
from .windows import dual_graphs

NAME = "dpvm"
PENALISED = "+ppml"
PATHS = ("content", "emotion", "sp", "in")
SETTINGS = tuple(path + end for path in PATHS for end in ("", PENALISED))


@dataclass(frozen=True)
class Scale:
    """``width`` of the paths' input, ``inner`` of their layers, ``embedding`` of each path and of ``in``."""

    width: int
    inner: int
    embedding: int
    dropout: float = 0.2


SCALES = {
    "small": Scale(width=128, inner=256, embedding=128),
    "paper": Scale(width=512, inner=1024, embedding=256),
    "tiny": Scale(width=12, inner=16, embedding=8, dropout=0.0),
}


@dataclass(frozen=True)
class Weights:
    """Of the paper: .8 and 1 inside the paths, .5, .5 and 1 of content, emotion and fusion."""

    reconstruction: float = 0.8
    content_metric: float = 1.0
    classes: float = 0.8
    emotion_metric: float = 1.0
    content: float = 0.5
    emotion: float = 0.5
    fusion: float = 1.0
    penalty: float = 1.0
    margin: float = 0.3


@dataclass(frozen=True)
class Configuration:
    """Everything that shapes the network; ``*_parts``: the part of a clip's vector that each path reads, (from, to)."""

    setting: str
    scale: Scale
    video_dim: int
    music_dim: int
    emotions: int
    video_parts: dict[str, list[int]]
    music_parts: dict[str, list[int]]
    weights: Weights = field(default_factory=Weights)


class Part(nn.Module):
    """The part of a window's mean clip that a path reads, standardised: (B, stop - start)."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__()
        self.start, self.stop = start, stop
        self.standard = Standard(stop - start)

    def read(self, side: Side) -> Tensor:
        return masked_mean(side.clips, side.mask)[:, self.start : self.stop]

    def forward(self, side: Side) -> Tensor:
        read: Tensor = self.standard(self.read(side))
        return read


class ContentPath(nn.Module):
    """``video`` and ``music``: a side to (B, E) of unit norm, through the encoder that both share."""

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        scale = config.scale
        self.parts = nn.ModuleDict(
            {"video": part_of(config, "video", CONTENT), "music": part_of(config, "music", CONTENT)}
        )
        self.enter = nn.ModuleDict()
        for side, part in self.parts.items():
            assert isinstance(part, Part)
            self.enter[side] = nn.Linear(part.stop - part.start, scale.width)
        self.encoder = mlp(scale.width, scale.inner, scale.embedding, scale.dropout)
        self.decoder = mlp(scale.embedding, scale.inner, scale.width)

    def forward(self, name: str, side: Side) -> tuple[Tensor, Tensor]:
        """(embedding, reconstruction loss of the decoder, a scalar)."""
        entered = self.enter[name](self.parts[name](side))
        encoded = self.encoder(entered)
        return functional.normalize(encoded, dim=-1), reconstruction(entered, self.decoder(encoded))


class EmotionPath(nn.Module):
    """``video`` and ``music``: a side to (B, E) of unit norm and the logits of its emotion."""

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        scale = config.scale
        self.parts = nn.ModuleDict(
            {"video": part_of(config, "video", EMOTION), "music": part_of(config, "music", EMOTION)}
        )
        nets: dict[str, nn.Module] = {}
        for side, part in self.parts.items():
            assert isinstance(part, Part)
            nets[side] = mlp(part.stop - part.start, scale.inner, scale.embedding, scale.dropout)
        self.nets = nn.ModuleDict(nets)
        self.classes = nn.Linear(scale.embedding, max(1, config.emotions))

    def forward(self, name: str, side: Side) -> tuple[Tensor, Tensor]:
        common = self.nets[name](self.parts[name](side))
        return functional.normalize(common, dim=-1), self.classes(common)


class Dpvm(nn.Module):
    """A ``System``, ``Prepared`` by the scales of its inputs."""

    name = NAME
    video_extras: tuple[str, ...] = ()
    music_extras: tuple[str, ...] = ()

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        scale = config.scale
        self.config, self.setting = config, config.setting
        self.path = config.setting.removesuffix(PENALISED)
        self.penalised = config.setting.endswith(PENALISED)
        self.content = None if self.path == "emotion" else ContentPath(config)
        self.emotion = None if self.path == "content" else EmotionPath(config)
        self.fusion = mlp(2 * scale.embedding, scale.inner, scale.embedding) if self.path == "in" else None
        self.embedding_dim = 2 * scale.embedding if self.path == "sp" else scale.embedding

    def prepare(self, train: Batch) -> None:
        for path in (self.content, self.emotion):
            if path is not None:
                for name, side in (("video", train.video), ("music", train.music)):
                    part = path.parts[name]
                    assert isinstance(part, Part)
                    part.standard.prepare(part.read(side))

    def video(self, side: Side) -> Tensor:
        return self.embed("video", side)

    def music(self, side: Side) -> Tensor:
        return self.embed("music", side)

    def embed(self, name: str, side: Side) -> Tensor:
        embeddings = [path(name, side)[0] for path in (self.content, self.emotion) if path is not None]
        return self.fuse(embeddings)

    def fuse(self, embeddings: list[Tensor]) -> Tensor:
        """One path unchanged; two spliced, and for ``in`` sent through layers."""
        if len(embeddings) == 1:
            return embeddings[0]
        spliced = torch.cat(embeddings, dim=-1)
        return functional.normalize(spliced if self.fusion is None else self.fusion(spliced), dim=-1)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        weights, emotion = self.config.weights, batch.labels.emotion
        single = self.path in ("content", "emotion")
        parts: dict[str, Tensor] = {}
        videos: list[Tensor] = []
        musics: list[Tensor] = []
        if self.content is not None:
            video, video_back = self.content("video", batch.video)
            music, music_back = self.content("music", batch.music)
            inside = weights.reconstruction * (video_back + music_back)
            inside = inside + weights.content_metric * self.metric_loss(video, music, batch)
            parts["content"] = inside if single else weights.content * inside
            videos, musics = [*videos, video], [*musics, music]
        if self.emotion is not None:
            video, video_logits = self.emotion("video", batch.video)
            music, music_logits = self.emotion("music", batch.music)
            inside = weights.classes * (known_class(video_logits, emotion) + known_class(music_logits, emotion))
            inside = inside + weights.emotion_metric * self.metric_loss(video, music, batch)
            parts["emotion"] = inside if single else weights.emotion * inside
            videos, musics = [*videos, video], [*musics, music]
        if not single:
            parts["fusion"] = weights.fusion * self.metric_loss(self.fuse(videos), self.fuse(musics), batch)
        total = torch.stack(list(parts.values())).sum()
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def metric_loss(self, video: Tensor, music: Tensor, batch: Batch) -> Tensor:
        """The metric loss of one space, with the penalty where the setting has it."""
        weights, false = self.config.weights, batch.false_pairs()
        similarity = video @ music.T
        loss = metric(similarity, false, weights.margin)
        if self.penalised:
            loss = loss + weights.penalty * polarity_penalty(similarity, batch.labels.polarity, false)
        return loss

    def module(self) -> nn.Module:
        return self

    def configuration(self) -> dict[str, Any]:
        return asdict(self.config)

    def graphs(self) -> dict[str, GraphModule]:
        return dual_graphs(self, self.config.video_dim, self.config.music_dim)


def part_of(config: Configuration, side: str, name: str) -> Part:
    parts, width = (config.video_parts, config.video_dim) if side == "video" else (config.music_parts, config.music_dim)
    start, stop = parts.get(name, (0, width))
    return Part(start, stop)


def make(setting: str, sizes: Sizes, scale: str) -> Dpvm:
    """Fresh weights for a corpus."""
    video, music = (
        {name: list(span) for name, span in parts.items()} for parts in (sizes.video_parts, sizes.music_parts)
    )
    return Dpvm(Configuration(setting, SCALES[scale], sizes.video, sizes.music, sizes.emotions, video, music))


def build(configuration: Mapping[str, Any]) -> Dpvm:
    """From a stored configuration, with fresh weights."""
    stored = dict(configuration)
    return Dpvm(Configuration(**{**stored, "scale": Scale(**stored["scale"]), "weights": Weights(**stored["weights"])}))
