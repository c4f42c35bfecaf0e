"""What UT-CMVMR's sequence stage is trained with, and a bundle does not carry: tag branch, decoders, the sum of losses.

UT-CMVMR, sections 2.2 and 2.3. The tag branch takes the pair's TF-IDF vector, where the paper has a sentence encoder: a
closed vocabulary needs no language model. Weights are one table below. Ours beside the paper: the VM-NET ranking loss
(its released code adds one as well), the mood head, which reads theta of either side, and the course of energy, which
one decoder reads from theta of either side and each side's tokens tell clip by clip.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .losses.ut_cmvmr import bridging, contrast, hardest, matching, ranking, triplet
from .ut_cmvmr import UtCmvmr


@dataclass(frozen=True)
class Weights:
    """Of each term in the sum; ``margin`` of triplets, ``ranking_margin`` in cosine, ``negatives`` per anchor."""

    contrast: float = 1.0
    ranking: float = 1.0
    triplet: float = 0.5
    bridging: float = 0.2
    reconstruction: float = 0.1
    decoding: float = 0.5
    matching: float = 0.5
    mood: float = 1.0
    course: float = 50.0
    margin: float = 0.3
    ranking_margin: float = 0.2
    negatives: int = 100
    temperature: float = 0.07
    shortlist: int = 16


@dataclass(frozen=True)
class Batch:
    """B pairs: clips (B, 7, C), masks (B, 7), displacement (B, 7), rhythm (B, 7, 3), tags (B, V), mood (B, 3),
    and the energy of each clip on either side, (B, 7) in [0, 1], cut as the clips are."""

    video_clips: Tensor
    video_mask: Tensor
    displacement: Tensor
    music_clips: Tensor
    music_mask: Tensor
    rhythm: Tensor
    tags: Tensor
    mood: Tensor
    video_course: Tensor
    music_course: Tensor


class Objective(nn.Module):
    """``objective(batch) -> (loss, its parts as numbers)``; holds what only training needs."""

    def __init__(self, system: UtCmvmr, vocabulary: int, weights: Weights) -> None:
        super().__init__()
        width, embedding = system.config.preset.sequence_width, system.embedding_dim
        self.system, self.weights = system, weights
        self.tag = mlp(vocabulary, 2 * embedding, embedding)
        self.rebuild_video = mlp(embedding, width, width)
        self.rebuild_music = mlp(embedding, width, width)
        self.decode = mlp(embedding, width, vocabulary)  # one decoder for all three modalities
        self.course = mlp(embedding, width, spec.MAX_CLIPS)  # and one for both
        self.video_energy, self.music_energy = nn.Linear(width, 1), nn.Linear(width, 1)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        system, weights = self.system, self.weights
        v_tokens, v_mask, v_rho = system.video.encode(batch.video_clips, batch.video_mask, batch.displacement)
        m_tokens, m_mask, m_rho = system.music.encode(batch.music_clips, batch.music_mask, batch.rhythm)
        video, music = system.video.project(v_rho), system.music.project(m_rho)
        tag = functional.normalize(self.tag(batch.tags), dim=-1)

        own = torch.eye(len(video), dtype=torch.bool)
        other_tags = batch.tags @ batch.tags.T < 0.999  # pairs of the same tags are no negatives for one another
        similarity = video @ music.T
        worst_music, worst_video = hardest(similarity, ~own), hardest(similarity.T, ~own)
        parts = {
            "contrast": contrast(similarity, weights.temperature),
            "ranking": ranking(similarity, weights.ranking_margin, weights.negatives, 1.0, 1.0),
            "triplet": triplet(video, music, music[worst_music], weights.margin)
            + triplet(music, video, video[worst_video], weights.margin)
            + sum_of(
                triplet(side, tag, tag[hardest(side @ tag.T, other_tags)], weights.margin) for side in (video, music)
            ),
            "bridging": bridging(video, music, tag),
            "reconstruction": functional.mse_loss(self.rebuild_video(video), v_rho.detach())
            + functional.mse_loss(self.rebuild_music(music), m_rho.detach()),
            "decoding": sum_of(
                (1.0 - functional.cosine_similarity(self.decode(theta), batch.tags)).mean()
                for theta in (video, music, tag)
            ),
            "matching": self.match(v_tokens.detach(), v_mask, m_tokens.detach(), m_mask, similarity.detach()),
            "mood": functional.mse_loss(system.mood(video), batch.mood)
            + functional.mse_loss(system.mood(music), batch.mood),
            "course": masked_mse(self.course(video), batch.video_course, batch.video_mask)
            + masked_mse(self.course(music), batch.music_course, batch.music_mask),
        }
        if not system.video.average:
            parts["course"] = (
                parts["course"]
                + masked_mse(self.video_energy(v_tokens).squeeze(-1), batch.video_course, v_mask)
                + masked_mse(self.music_energy(m_tokens).squeeze(-1), batch.music_course, m_mask)
            )
        total = sum_of(getattr(weights, name) * part for name, part in parts.items())
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def match(
        self,
        video: Tensor,
        video_mask: Tensor,
        music: Tensor,
        music_mask: Tensor,
        similarity: Tensor,
    ) -> Tensor:
        """Cross-entropy of true pairs against, for each side, a false one of those that its shortlist would hold.

        Everything given is detached: the second stage learns from the index and must not pull it apart. The very
        hardest would mostly be pairs that fit as well as the true one.
        """
        rows = torch.arange(len(video))
        left = torch.cat([rows, rows, near(similarity.T, self.weights.shortlist)])
        right = torch.cat([rows, near(similarity, self.weights.shortlist), rows])
        cosine = similarity[left, right]
        logits = self.system.matcher(video[left], video_mask[left], music[right], music_mask[right], cosine)
        return matching(logits[: len(rows)], logits[len(rows) :])


def near(similarity: Tensor, shortlist: int) -> Tensor:
    """Per row (B, B) a random one of the ``shortlist`` most similar columns, never its own; (B,) int64."""
    own = torch.eye(len(similarity), dtype=torch.bool)
    best = similarity.masked_fill(own, -2.0).topk(max(1, min(shortlist, len(similarity) - 1)), dim=1).indices
    chosen = torch.randint(best.shape[1], (len(best), 1))
    return best.gather(1, chosen).squeeze(1)


def masked_mse(guess: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of (B, n) over the places where ``mask`` (B, n) is true."""
    return torch.where(mask, guess - truth, 0.0).square().sum() / mask.sum()


def sum_of(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


def crop(lengths: Tensor, starts: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Windows of (B, 7, ...): ``lengths`` (B,) places from ``starts`` (B,), moved to the front -> (values, mask)."""
    places = torch.arange(spec.MAX_CLIPS)
    mask = places < lengths.unsqueeze(1)
    index = (places + starts.unsqueeze(1)).clamp(max=spec.MAX_CLIPS - 1)
    index = index.view(*index.shape, *[1] * (values.dim() - 2)).expand(-1, -1, *values.shape[2:])
    moved = values.gather(1, index)
    keep = mask.view(*mask.shape, *[1] * (values.dim() - 2))
    return torch.where(keep, moved, torch.zeros((), dtype=values.dtype)), mask
