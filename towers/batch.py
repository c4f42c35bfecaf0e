"""The input of a system: windows of clip vectors of either modality, and the labels of the pairs.

Behind the clip stage (backbones, or feature files) every clip is one vector, so every system trains on the same
vectors, in seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Side:
    """One modality of B pairs, K <= 7 clips each.

    ``clips`` (B, K, C) float32, valid ones first; ``mask`` (B, K) bool, never all false in a row; ``extras``: features
    of each clip that a sequence stage takes beside the vectors, (B, K, ...) under their names in ``features.spec``.
    """

    clips: Tensor
    mask: Tensor
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.clips)

    def rows(self, rows: Tensor) -> "Side":
        return Side(self.clips[rows], self.mask[rows], {name: value[rows] for name, value in self.extras.items()})


@dataclass(frozen=True)
class Labels:
    """Of B pairs; a corpus that lacks one gives its default.

    ``tags`` (B, V) TF-IDF weights, zeros where unknown; ``mood`` (B, 3) in [0, 1], NaN where unknown; ``emotion`` (B,)
    int64, -1 where unknown; ``polarity`` (B,) in [-1, 1], NaN where unknown; ``music`` (B,) int64, equal for pairs that
    share their music; ``course`` (B, K) energy of each clip in [0, 1], NaN where unknown.
    """

    tags: Tensor
    mood: Tensor
    emotion: Tensor
    polarity: Tensor
    music: Tensor
    course: Tensor

    def rows(self, rows: Tensor) -> "Labels":
        return Labels(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})


@dataclass(frozen=True)
class Batch:
    """B pairs. ``video_course`` and ``music_course`` (B, K): the labels' course, cut as each side's window was."""

    video: Side
    music: Side
    labels: Labels
    video_course: Tensor
    music_course: Tensor

    def __len__(self) -> int:
        return len(self.video)

    def rows(self, rows: Tensor) -> "Batch":
        return Batch(
            self.video.rows(rows),
            self.music.rows(rows),
            self.labels.rows(rows),
            self.video_course[rows],
            self.music_course[rows],
        )

    def false_pairs(self) -> Tensor:
        """(B, B) bool: video i and music j do not belong together; pairs that share their music do."""
        return self.labels.music.unsqueeze(1) != self.labels.music.unsqueeze(0)


@dataclass(frozen=True)
class Sizes:
    """The sizes of a corpus and its backbones that a system is built for.

    ``video`` and ``music``: widths of the clip vectors. ``vocabulary``: tags. ``emotions``: classes. ``edges``: bins
    fitted on the training split, by feature and field, ascending. ``extras``: features of clips that exist beside the
    vectors. ``video_parts`` and ``music_parts``: where each part of a clip vector stands, if a backbone has parts.
    """

    video: int
    music: int
    vocabulary: int
    emotions: int
    edges: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    extras: frozenset[str] = frozenset()
    video_parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    music_parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def masked(values: Tensor, mask: Tensor) -> Tensor:
    """``values`` (B, K, ...) with zeros where ``mask`` (B, K) is false; the values there are never read."""
    keep = mask.view(*mask.shape, *[1] * (values.dim() - 2))
    return torch.where(keep, values, torch.zeros((), dtype=values.dtype, device=values.device))
