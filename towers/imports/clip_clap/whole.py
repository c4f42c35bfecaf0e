"""``clip-clap`` as parts of a bundle: a clip's words are its tags, a window's place is their meaning.

A tag's word is its standard score over a background, on the logistic curve of ``platt`` where there are labels. The
rest is as in ``lite``: squashed, averaged over the window, mapped to the meanings, standardised again, with the doubt
beside. The six axes count in full; each of the many themes counts half.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..lite import Axes, Match, Mood, Place, Scored, Side
from ..part import Modules
from ..vocabulary import AXES
from .tagging import Tagged
from .vocabulary import KINDS, MEANINGS, TAG_NAMES, THEMES

Floats = NDArray[np.float64]

THEME: Final = 0.5
WEIGHTS: Final = (1.0,) * len(AXES) + (THEME,) * len(THEMES)
LEAST: Final = 0.05  # of logits and of meanings: the least deviation to divide by


@dataclass(frozen=True)
class ClipClap(Modules):
    """Everything that joins a bundle (``part.Imported``)."""

    name: ClassVar[str] = "clip-clap"
    video_features: ClassVar[tuple[str, ...]] = ("scene",)
    music_features: ClassVar[tuple[str, ...]] = ("clap_mel",)

    @property
    def facts(self) -> Mapping[str, Any]:
        kinds = {kind: [tag.name for tag in tags] for kind, tags in KINDS.items()}
        return {"axes": list(MEANINGS), "tags": list(TAG_NAMES), "kinds": kinds}


@dataclass(frozen=True)
class Words:
    """Of one side over its background: mean and deviation of each tag (tags,), and the logistic curves' slopes and
    offsets, 1 and 0 where nothing is labelled."""

    mean: Floats
    deviation: Floats
    slope: Floats
    offset: Floats

    def logits(self, raw: Floats) -> Floats:
        """(n, tags) outputs of the network -> log odds."""
        return np.asarray(self.slope * (raw - self.mean) / self.deviation + self.offset)

    def side(self, axes_mean: Floats, axes_deviation: Floats) -> Side:
        """As in ``lite``, where log odds are a difference over a deviation."""
        deviation = self.deviation / self.slope
        mean = self.mean - self.offset * deviation
        rows = (mean, deviation, axes_mean, axes_deviation)
        return Side(*(tuple(np.asarray(row, np.float64).tolist()) for row in rows))


def measure_words(raw: Floats) -> Words:
    """Measure words on a network's outputs over a background (n, tags)."""
    count = raw.shape[1]
    return Words(raw.mean(axis=0), np.maximum(raw.std(axis=0), LEAST), np.ones(count), np.zeros(count))


def squash(logits: Floats) -> Floats:
    """Log odds -> from -1 to 1."""
    return np.asarray(np.tanh(logits / 2))


def build(
    pictures: Tagged,
    sound: Tagged,
    words: tuple[Words, Words],
    raw: tuple[Floats, Floats],
    matrices: tuple[Floats, Floats],
) -> ClipClap:
    """Each pair is (video, music): the words of each side, its network's outputs over its background (n, tags), and its
    matrix (tags, meanings)."""
    sides, places = [], []
    for at, (word, outputs, matrix) in enumerate(zip(words, raw, matrices, strict=True)):
        axes = squash(word.logits(outputs)) @ matrix
        deviation = np.maximum(axes.std(axis=0), LEAST) / np.array(WEIGHTS)
        side = word.side(axes.mean(axis=0), deviation)
        sides.append(side)
        places.append(Place(Axes(torch.tensor(matrix, dtype=torch.float32), side), at).eval())
    return ClipClap(
        video_clip=Scored(pictures, sides[0]).eval(),
        music_clip=Scored(sound, sides[1]).eval(),
        video_place=places[0],
        music_place=places[1],
        match=Match(places[0], places[1]).eval(),
        mood=Mood(len(MEANINGS)).eval(),
    )
