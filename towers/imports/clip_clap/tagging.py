"""Zero-shot tags: the cosine of a clip's vector with the vector of each tag's phrases.

The text towers run once, at the import; the bundle holds a matrix. A tag's vector is the mean over a few templates of
its phrase, brought to unit length again (Radford et al., "Learning transferable visual models from natural language
supervision", 2021, section 3.1.4).
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ImportedError
from .networks import Tower
from .vocabulary import PICTURE_TEMPLATES, SOUND_TEMPLATES, TAGS

LOGITS: Final = 100.0  # CLIP's factor of a cosine
MOST_ALIKE: Final = 0.95  # mean cosine of different tags; weights that work give .3 (CLAP) to .8 (CLIP)


class Tagged(nn.Module):
    """A feature (B, *shape) -> (B, tags): 100 times the cosines of ``network``'s vector with the tags'."""

    def __init__(self, network: nn.Module, vectors: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("vectors", LOGITS * vectors.T.contiguous())

    def forward(self, feature: Tensor) -> Tensor:
        logits: Tensor = self.network(feature) @ self.get_buffer("vectors")
        return logits


def picture_tags(tower: Tower) -> Tagged:
    """``ImportedError`` where the text tower does not separate the tags."""
    return Tagged(
        tower.network, check_apart(tag_vectors(tower, [t.picture for t in TAGS], PICTURE_TEMPLATES), "pictures")
    )


def sound_tags(tower: Tower) -> Tagged:
    """``ImportedError`` where the text tower does not separate the tags."""
    return Tagged(tower.network, check_apart(tag_vectors(tower, [t.sound for t in TAGS], SOUND_TEMPLATES), "sound"))


def tag_vectors(tower: Tower, phrases: Sequence[str], templates: Sequence[str]) -> Tensor:
    """(phrases, E) float32 of unit length."""
    vectors = [tower.texts([template.format(phrase) for phrase in phrases]) for template in templates]
    return functional.normalize(torch.stack(vectors).mean(dim=0), dim=1)


def mean_cosine(vectors: Tensor) -> float:
    """The mean cosine of different rows of unit length."""
    count = len(vectors)
    return float((vectors @ vectors.T).sum() - count) / (count * (count - 1))


def check_apart(vectors: Tensor, side: str) -> Tensor:
    """The same vectors. ``ImportedError`` where all texts have nearly one vector, or vectors are not finite."""
    cosine = mean_cosine(vectors)
    if not cosine <= MOST_ALIKE:
        raise ImportedError(
            f"{side}: the texts of different tags are alike (mean cosine {cosine:.3f}, at most {MOST_ALIKE} is usable)"
            ": this text tower knows no words, as is known of laion/larger_clap_music; take the models that the "
            "program names"
        )
    return vectors
