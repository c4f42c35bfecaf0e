"""UT-CMVMR (Mao et al.): clips, sequence and rhythm, with unified tags as the bridge between picture and sound.

Retrieval must be able to index, so theta of either side is a function of that side alone; the paper's cross-attention,
which makes each side depend on the other, serves in the matcher, a second stage on the shortlist.

Settings (paper, table 1): SE&R sequence encoders with rhythm and flow embeddings; SE without them; A-SE the mean of the
learned clip embeddings; AE the same on clips that no extractor was trained for (the backbone ``statistics``).

The tag branch takes the pair's TF-IDF vector, where the paper has a sentence encoder: a closed vocabulary needs no
language model. The ranking loss is in the authors' released code and not in the paper.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batch import Batch, Side, Sizes
from .bins import Edges, as_edges, paper_edges
from .losses.ut_cmvmr import bridging, hardest, matching, ranking, triplet
from .matcher import Matcher, near
from .sequence import FlowEmbedding, RhythmEmbedding, SequenceEncoder, masked_mean, mlp
from .system import GraphModule
from .windows import dual_graphs

NAME = "ut-cmvmr"
SETTINGS = ("ae", "a-se", "se", "se-r")


@dataclass(frozen=True)
class Scale:
    """Widths of the sequence stage; the paper's are 768 for rho and 256 for theta."""

    width: int
    layers: int
    heads: int
    dropout: float
    embedding: int


SCALES = {
    "small": Scale(width=128, layers=2, heads=4, dropout=0.1, embedding=128),
    "paper": Scale(width=768, layers=2, heads=8, dropout=0.1, embedding=256),
    "tiny": Scale(width=16, layers=1, heads=2, dropout=0.0, embedding=8),
}


@dataclass(frozen=True)
class Weights:
    """Of each term in the sum; ``margin`` of the triplets in distance, ``ranking_margin`` in cosine."""

    triplet: float = 1.0
    bridging: float = 1.0
    reconstruction: float = 0.1
    decoding: float = 0.5
    matching: float = 0.5
    ranking: float = 1.0
    margin: float = 0.3
    ranking_margin: float = 0.2
    negatives: int = 100
    shortlist: int = 16


@dataclass(frozen=True)
class Configuration:
    """Everything that shapes the network."""

    setting: str
    scale: Scale
    video_dim: int
    music_dim: int
    vocabulary: int
    edges: Edges = field(default_factory=dict)
    weights: Weights = field(default_factory=Weights)


class Branch(nn.Module):
    """One modality's sequence stage.

    ``encode`` gives tokens (B, n, width), their mask (B, n) and rho (B, width), their mean; ``project`` turns rho into
    theta (B, E) of unit norm.
    """

    def __init__(self, config: Configuration, clip_dim: int, extra: str | None, companion: nn.Module | None) -> None:
        super().__init__()
        scale = config.scale
        self.extra, self.companion = extra, companion
        self.average = config.setting in ("a-se", "ae")
        self.encoder: nn.Module
        if self.average:
            self.encoder = nn.Sequential(nn.Linear(clip_dim, scale.width), nn.GELU(), nn.LayerNorm(scale.width))
        else:
            self.encoder = SequenceEncoder(clip_dim, scale.width, scale.layers, scale.heads, scale.dropout)
        self.projection = mlp(scale.width, 2 * scale.width, scale.embedding, scale.dropout)

    def encode(self, side: Side) -> tuple[Tensor, Tensor, Tensor]:
        if self.average:
            rho = self.encoder(masked_mean(side.clips, side.mask))
            return rho.unsqueeze(1), side.mask.any(dim=1, keepdim=True), rho
        added = None if self.companion is None or self.extra is None else self.companion(side.extras[self.extra])
        tokens = self.encoder(side.clips, side.mask, added)
        return tokens, side.mask, masked_mean(tokens, side.mask)

    def project(self, rho: Tensor) -> Tensor:
        return functional.normalize(self.projection(rho), dim=-1)

    def forward(self, side: Side) -> Tensor:
        return self.project(self.encode(side)[2])


class UtCmvmr(nn.Module):
    """A ``System``."""

    name = NAME
    reranks = True

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        scale, width = config.scale, config.scale.width
        self.config, self.setting, self.embedding_dim = config, config.setting, scale.embedding
        rhythmic = config.setting == "se-r"
        edges = config.edges or paper_edges()
        self.video_extras: tuple[str, ...] = ("displacement",) if rhythmic else ()
        self.music_extras: tuple[str, ...] = ("rhythm",) if rhythmic else ()
        flow = FlowEmbedding(edges["displacement"][0], width) if rhythmic else None
        beats = RhythmEmbedding(edges["rhythm"], width) if rhythmic else None
        self.video_branch = Branch(config, config.video_dim, "displacement" if rhythmic else None, flow)
        self.music_branch = Branch(config, config.music_dim, "rhythm" if rhythmic else None, beats)
        self.matcher = Matcher(width, scale.heads, scale.dropout)
        # Only for training: the tag branch, reconstructions of rho, and one decoder for all three modalities.
        self.tag = mlp(config.vocabulary, 2 * scale.embedding, scale.embedding)
        self.rebuild_video = mlp(scale.embedding, width, width)
        self.rebuild_music = mlp(scale.embedding, width, width)
        self.decode = mlp(scale.embedding, width, config.vocabulary)

    def video(self, side: Side) -> Tensor:
        theta: Tensor = self.video_branch(side)
        return theta

    def music(self, side: Side) -> Tensor:
        theta: Tensor = self.music_branch(side)
        return theta

    def module(self) -> nn.Module:
        return self

    def configuration(self) -> dict[str, Any]:
        return asdict(self.config)

    def score(self, video: Side, music: Side) -> Tensor:
        """The matcher's score of pairs of rows, (B,) in [0, 1]."""
        v_tokens, v_mask, v_rho = self.video_branch.encode(video)
        m_tokens, m_mask, m_rho = self.music_branch.encode(music)
        cosine = (self.video_branch.project(v_rho) * self.music_branch.project(m_rho)).sum(dim=-1)
        return torch.sigmoid(self.matcher(v_tokens, v_mask, m_tokens, m_mask, cosine))

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        weights, tags = self.config.weights, batch.labels.tags
        v_tokens, v_mask, v_rho = self.video_branch.encode(batch.video)
        m_tokens, m_mask, m_rho = self.music_branch.encode(batch.music)
        video, music = self.video_branch.project(v_rho), self.music_branch.project(m_rho)
        tag = functional.normalize(self.tag(tags), dim=-1)
        false = batch.false_pairs()
        other_tags = tags @ tags.T < 0.999  # pairs of the same tags are no negatives for one another
        similarity = video @ music.T
        parts = {
            "triplet": triplet(video, music, music[hardest(similarity, false)], weights.margin)
            + triplet(music, video, video[hardest(similarity.T, false.T)], weights.margin)
            + sum_of(
                [triplet(side, tag, tag[hardest(side @ tag.T, other_tags)], weights.margin) for side in (video, music)]
            ),
            "bridging": bridging(video, music, tag),
            "reconstruction": functional.mse_loss(self.rebuild_video(video), v_rho.detach())
            + functional.mse_loss(self.rebuild_music(music), m_rho.detach()),
            "decoding": sum_of(
                [(1.0 - functional.cosine_similarity(self.decode(theta), tags)).mean() for theta in (video, music, tag)]
            ),
            "ranking": ranking(similarity, weights.ranking_margin, weights.negatives, 1.0, 1.0),
            "matching": self.match(v_tokens, v_mask, m_tokens, m_mask, similarity.detach(), false),
        }
        total = sum_of([getattr(weights, name) * part for name, part in parts.items()])
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def match(
        self, video: Tensor, video_mask: Tensor, music: Tensor, music_mask: Tensor, similarity: Tensor, false: Tensor
    ) -> Tensor:
        """Cross-entropy of true pairs against false ones: for each side, a false one from its shortlist."""
        rows = torch.arange(len(video), device=video.device)
        left = torch.cat([rows, rows, near(similarity.T, false.T, self.config.weights.shortlist)])
        right = torch.cat([rows, near(similarity, false, self.config.weights.shortlist), rows])
        logits = self.matcher(video[left], video_mask[left], music[right], music_mask[right], similarity[left, right])
        return matching(logits[: len(rows)], logits[len(rows) :])

    def graphs(self) -> dict[str, GraphModule]:
        return dual_graphs(self, self.config.video_dim, self.config.music_dim)


def sum_of(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum()


def make(setting: str, sizes: Sizes, scale: str) -> UtCmvmr:
    """Fresh weights for a corpus."""
    edges = {name: [list(map(float, part)) for part in fields] for name, fields in sizes.edges.items()}
    return UtCmvmr(Configuration(setting, SCALES[scale], sizes.video, sizes.music, max(1, sizes.vocabulary), edges))


def build(configuration: Mapping[str, Any]) -> UtCmvmr:
    """From a stored configuration, with fresh weights."""
    stored = dict(configuration)
    return UtCmvmr(
        Configuration(
            **{
                **stored,
                "scale": Scale(**stored["scale"]),
                "weights": Weights(**stored["weights"]),
                "edges": as_edges(stored["edges"]),
            }
        )
    )
