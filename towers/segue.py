"""Our own system: both sides described in shared words, and those words compared.

- UT-CMVMR's clips in sequence, with rhythm and flow beside them and unified tags as words;
- DPVM's and EmoMV's emotion path: mood and emotion of each side are words too, and mood is a head of its own;
- VM-NET's ranking with soft intra-modal structure;
- ours: colour, motion and its pulse on the video side, harmony above the tonic on the music side, bins of displacement
  fitted on the training corpus, and the course of energy by its place in the window (see ``concepts``).

Embeddings are linear in the words, so they are small and quick, and every part of a score can be read by itself. The
matcher compares the words of two windows in a non-linear way.

Settings: ``full``, and settings that leave out one part.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .batch import Batch, Side, Sizes
from .concepts import ConceptReader, Concepts, extra_sizes, pad, width_of
from .losses.segue import contrast, known_class, known_direction, known_error, listwise
from .losses.vmnet import ranking, structure
from .second_stage import SecondStage
from .sequence import mlp
from .system import GraphModule
from .windows import dual_graphs

NAME = "segue"
VIDEO_EXTRAS = ("displacement", "colour", "motion", "pulse")
MUSIC_EXTRAS = ("rhythm", "harmony")
# Setting -> the parts that it leaves out.
WITHOUT: Mapping[str, tuple[str, ...]] = {
    "full": (),
    "no-rhythm": ("displacement", "motion", "pulse", "rhythm"),
    "no-colour": ("colour", "harmony"),
    "no-emotion": ("emotion",),
    "no-structure": ("structure",),
    "no-course": ("course",),
    "clips": ("displacement", "colour", "motion", "pulse", "rhythm", "harmony"),
}
SETTINGS = tuple(WITHOUT)


@dataclass(frozen=True)
class Scale:
    """``width`` of a clip's vector, ``hidden`` of the networks on extras, ``embedding`` size."""

    width: int
    hidden: int
    embedding: int


SCALES = {
    "small": Scale(width=128, hidden=64, embedding=128),
    "paper": Scale(width=512, hidden=256, embedding=256),
    "tiny": Scale(width=16, hidden=8, embedding=8),
}


@dataclass(frozen=True)
class Weights:
    """Of each term in the sum."""

    contrast: float = 1.0
    ranking: float = 1.0
    structure: float = 0.2
    course: float = 20.0
    mood: float = 20.0
    tags: float = 1.0
    emotion: float = 0.2
    head: float = 1.0
    second: float = 0.5
    temperature: float = 0.07
    margin: float = 0.2
    negatives: int = 100
    shortlist: int = 24


@dataclass(frozen=True)
class Configuration:
    """Everything that shapes the network."""

    setting: str
    scale: Scale
    video_dim: int
    music_dim: int
    vocabulary: int
    emotions: int
    video_extras: tuple[str, ...]
    music_extras: tuple[str, ...]
    weights: Weights = field(default_factory=Weights)


class Segue(nn.Module):
    """A ``System``, with a hook for constants (``prepare``)."""

    name = NAME
    reranks = True

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        scale = config.scale
        self.config, self.setting, self.embedding_dim = config, config.setting, scale.embedding
        self.video_extras, self.music_extras = config.video_extras, config.music_extras
        sides = ((config.video_dim, config.video_extras), (config.music_dim, config.music_extras))
        self.video_telling, self.music_telling = (
            ConceptReader(dim, scale.width, scale.hidden, extra_sizes(extras), config.vocabulary, config.emotions)
            for dim, extras in sides
        )
        words = width_of(config.vocabulary, config.emotions)
        self.video_words, self.music_words = (nn.Linear(words, scale.embedding) for _ in sides)
        self.second = SecondStage(words)
        self.mood_head = nn.Sequential(mlp(scale.embedding, 64, len(spec.MOOD_AXES)), nn.Sigmoid())

    def prepare(self, train: Batch) -> None:
        """Scales of the inputs, measured on the training split."""
        self.video_telling.prepare(train.video)
        self.music_telling.prepare(train.music)

    def video(self, side: Side) -> Tensor:
        return self.place(self.video_words, self.video_telling(side))

    def music(self, side: Side) -> Tensor:
        return self.place(self.music_words, self.music_telling(side))

    def place(self, words: nn.Linear, concepts: Concepts) -> Tensor:
        return functional.normalize(words(concepts.vector()), dim=-1)

    def score(self, video: Side, music: Side) -> Tensor:
        """The second stage's score of pairs of rows, (B,) in [0, 1]."""
        v, m = self.video_telling(video), self.music_telling(music)
        cosine = (self.place(self.video_words, v) * self.place(self.music_words, m)).sum(dim=-1)
        return torch.sigmoid(self.second(v.vector(), m.vector(), cosine))

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        weights, labels = self.config.weights, batch.labels
        left_out = WITHOUT[self.setting]
        video_concepts, music_concepts = self.video_telling(batch.video), self.music_telling(batch.music)
        video, music = self.place(self.video_words, video_concepts), self.place(self.music_words, music_concepts)
        similarity, false = video @ music.T, batch.false_pairs()
        sides = ((video_concepts, video, batch.video_course), (music_concepts, music, batch.music_course))
        parts = {
            "contrast": contrast(similarity, false, weights.temperature),
            "ranking": ranking(similarity, false, weights.margin, weights.negatives, 1.0, 1.0),
            "tags": sum_of([known_direction(side.tags, labels.tags) for side, _, _ in sides]),
        }
        if "course" not in left_out:
            parts["course"] = sum_of([known_error(side.course, pad(course), side.mask) for side, _, course in sides])
        if "emotion" not in left_out:
            parts["mood"] = sum_of([known_error(side.mood, labels.mood) for side, _, _ in sides])
            parts["emotion"] = sum_of([known_class(side.emotion, labels.emotion) for side, _, _ in sides])
        if "structure" not in left_out:
            parts["structure"] = structure(video, batch.video.clips.mean(dim=1)) + structure(
                music, batch.music.clips.mean(dim=1)
            )
        # The head reads the embedding without a gradient into it: mood is among its words already.
        parts["head"] = sum_of([known_error(self.mood_head(theta.detach()), labels.mood) for _, theta, _ in sides])
        parts["second"] = self.second_loss(
            video_concepts.vector().detach(), music_concepts.vector().detach(), similarity.detach(), false
        )
        total = sum_of([getattr(weights, name) * part for name, part in parts.items()])
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def second_loss(self, videos: Tensor, musics: Tensor, similarity: Tensor, false: Tensor) -> Tensor:
        """The loss of finding the right item in a shortlist, both ways. The arguments are detached: the second stage
        learns from the index and must not change it."""
        count = min(self.config.weights.shortlist, len(similarity) - 1)
        if count < 1:
            return similarity.sum() * 0.0
        terms = []
        for queries, candidates, scores, wrong in (
            (videos, musics, similarity, false),
            (musics, videos, similarity.T, false.T),
        ):
            right = torch.arange(len(scores), device=scores.device).unsqueeze(1)
            rows = torch.cat([right, scores.masked_fill(~wrong, -2.0).topk(count, dim=1).indices], dim=1)
            query, candidate = queries.unsqueeze(1).expand(-1, rows.shape[1], -1), candidates[rows]
            video, music = (query, candidate) if queries is videos else (candidate, query)
            terms.append(listwise(self.second(video, music, scores.gather(1, rows))))
        return sum_of(terms)

    def module(self) -> nn.Module:
        return self

    def configuration(self) -> dict[str, Any]:
        return asdict(self.config)

    def graphs(self) -> dict[str, GraphModule]:
        theta = functional.normalize(torch.randn(3, self.embedding_dim, generator=torch.Generator().manual_seed(1)))
        graphs = dual_graphs(self, self.config.video_dim, self.config.music_dim)
        return {**graphs, "mood": GraphModule(self.mood_head, {"embedding": theta}, ("mood",), ())}


def sum_of(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum()


def make(setting: str, sizes: Sizes, scale: str) -> Segue:
    """Fresh weights for a corpus; of the extras, only those in ``sizes`` are used."""
    left_out = WITHOUT[setting]
    video, music = (
        tuple(name for name in names if name not in left_out and name in sizes.extras)
        for names in (VIDEO_EXTRAS, MUSIC_EXTRAS)
    )
    return Segue(
        Configuration(
            setting,
            SCALES[scale],
            sizes.video,
            sizes.music,
            max(1, sizes.vocabulary),
            max(1, sizes.emotions),
            video,
            music,
        )
    )


def build(configuration: Mapping[str, Any]) -> Segue:
    """From a stored configuration, with fresh weights."""
    stored = dict(configuration)
    return Segue(
        Configuration(
            **{
                **stored,
                "scale": Scale(**stored["scale"]),
                "weights": Weights(**stored["weights"]),
                "video_extras": tuple(stored["video_extras"]),
                "music_extras": tuple(stored["music_extras"]),
            }
        )
    )
