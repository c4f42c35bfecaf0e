"""One side of our own system: a window of clips -> concepts that both sides share.

Every clip gives a vector h by a linear map of the clip's embedding and a small network on the measured extras. From it
come, clip by clip, energy and, over the window, mood, tags and emotion. Their places in the window are kept: picture
and music share most of all when energy rises and falls. The capacity is small on purpose: on a few thousand pairs, a
Transformer learns the noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .batch import Side, masked
from .sequence import masked_mean
from .windows import shape_of

SPREAD = 4.0  # concepts are scaled to about unit deviation before they are compared
STEADY = 0.05  # energy: a course of less deviation is noise


@dataclass(frozen=True)
class Concepts:
    """Of B windows: ``course`` (B, 7) energy of each clip, ``mask`` (B, 7), ``mood`` (B, 3), ``tags`` (B, V) and
    ``emotion`` (B, n) logits; ``clips`` (B, 7, width)."""

    clips: Tensor
    mask: Tensor
    course: Tensor
    mood: Tensor
    tags: Tensor
    emotion: Tensor

    def shape(self) -> Tensor:
        """(B, 7): the course without its mean, in its own deviation; zeros where no clip is."""
        weights = self.mask.to(self.course.dtype)
        count = weights.sum(dim=1, keepdim=True)
        mean = (self.course * weights).sum(dim=1, keepdim=True) / count
        centred = (self.course - mean) * weights
        return centred / ((centred.square().sum(dim=1, keepdim=True) / count + 1e-8).sqrt() + STEADY)

    def vector(self) -> Tensor:
        """(B, 7 + 7 + 3 + V + n): all concepts side by side, each part with about the same spread."""
        return torch.cat(
            [
                (self.course - 0.5) * self.mask * SPREAD,
                self.shape(),
                (self.mood - 0.5) * SPREAD,
                functional.normalize(self.tags, dim=-1) * SPREAD,
                functional.normalize(self.emotion, dim=-1),
            ],
            dim=-1,
        )


def width_of(vocabulary: int, emotions: int) -> int:
    """Of ``Concepts.vector``."""
    return 2 * spec.MAX_CLIPS + len(spec.MOOD_AXES) + vocabulary + emotions


class Extra(nn.Module):
    """A measured feature of each clip, (B, K, ...) -> (B, K, width): roots tame long tails, then a small network."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, values: int, width: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("deviation", torch.ones(values))
        self.line = nn.Linear(values, width)
        self.bend = nn.Sequential(nn.Linear(values, hidden), nn.GELU(), nn.Linear(hidden, width))

    def tame(self, values: Tensor) -> Tensor:
        flat = values.reshape(*values.shape[:2], -1).to(torch.float32)
        return flat.sign() * (flat.abs() + 1e-4).sqrt()

    def prepare(self, values: Tensor, mask: Tensor) -> None:
        rows = self.tame(values)[mask]
        self.mean.copy_(rows.mean(dim=0))
        self.deviation.copy_(rows.std(dim=0).clamp(min=1e-3))

    def forward(self, values: Tensor) -> Tensor:
        scaled = ((self.tame(values) - self.mean) / self.deviation).clamp(-6.0, 6.0)
        combined: Tensor = self.line(scaled) + self.bend(scaled)
        return combined


class ConceptReader(nn.Module):
    """One side. ``extras``: feature name -> how many numbers of it a clip has."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, clip_dim: int, width: int, hidden: int, extras: dict[str, int], vocabulary: int, emotions: int
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(clip_dim))
        self.register_buffer("deviation", torch.ones(clip_dim))
        self.enter = nn.Linear(clip_dim, width)
        self.extras = nn.ModuleDict({name: Extra(values, width, hidden) for name, values in extras.items()})
        self.energy = nn.Linear(width, 1)
        self.mood = nn.Linear(width, len(spec.MOOD_AXES))
        self.tags = nn.Linear(width, vocabulary)
        self.emotion = nn.Linear(width, emotions)

    def prepare(self, side: Side) -> None:
        """Measure the constants on the training split."""
        rows = side.clips[side.mask]
        self.mean.copy_(rows.mean(dim=0))
        self.deviation.copy_(rows.std(dim=0).clamp(min=1e-4))
        for name, extra in self.extras.items():
            assert isinstance(extra, Extra)
            extra.prepare(side.extras[name], side.mask)

    def forward(self, side: Side) -> Concepts:
        clips = self.enter((masked(side.clips, side.mask) - self.mean) / self.deviation)
        for name, extra in self.extras.items():
            clips = clips + extra(masked(side.extras[name], side.mask))
        whole = masked_mean(clips, side.mask)
        course = masked(self.energy(clips).squeeze(-1), side.mask)
        return Concepts(clips, side.mask, pad(course), self.mood(whole), self.tags(whole), self.emotion(whole))


def pad(course: Tensor) -> Tensor:
    """(B, K) -> (B, 7), zeros behind."""
    return functional.pad(course, (0, spec.MAX_CLIPS - course.shape[1]))


def extra_sizes(names: Sequence[str]) -> dict[str, int]:
    """How many numbers a clip has of each feature."""
    return {name: prod(shape_of(name)) for name in names}
