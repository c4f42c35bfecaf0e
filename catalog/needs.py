"""The features that a bundle's graphs take of a track, so that indexing measures only these."""

from dataclasses import dataclass
from math import prod

from engines.bundle import Bundle
from features.music import PER_CLIP, PER_TRACK
from features.spec import FEATURES, MUSIC_FEATURES

from .errors import BundleMismatchError

RHYTHM = "rhythm"  # kept of every track: ranking reads it whatever the bundle


@dataclass(frozen=True, slots=True)
class Needs:
    """Features by name: ``clip`` of the clip tower; ``sequence`` of the sequence tower; ``track``: all that
    need the whole track; ``kept``: those that the catalogue keeps of each clip beside its vector and its rhythm."""

    clip: tuple[str, ...]
    sequence: tuple[str, ...]
    track: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def kept_width(self) -> int:
        """How many numbers a clip has of ``kept``."""
        return sum(prod(shape_of(name)) for name in self.kept)


def needs_of(bundle: Bundle) -> Needs:
    """Raises ``BundleMismatchError`` for a bundle whose music graphs take a feature that is not measured on music."""
    graphs, pair = bundle.graphs, bundle.graphs.matcher
    clip, sequence = graphs.music_tower.features, graphs.segment.features
    matcher = () if pair is None else tuple(name for name in pair.features if name in MUSIC_FEATURES)
    inputs = [(graphs.music_tower.name, clip, PER_CLIP), (graphs.segment.name, sequence, PER_TRACK)]
    if pair is not None:
        inputs.append((pair.name, matcher, PER_TRACK))
    for graph, names, offered in inputs:
        if missing := [name for name in names if name not in offered]:
            raise BundleMismatchError(
                f"bundle {bundle.path}: graph {graph} takes {', '.join(missing)}, a track is measured for "
                f"{', '.join(offered)}; use another bundle or a newer program"
            )
    features = dict.fromkeys((RHYTHM, *sequence, *matcher))
    return Needs(clip, sequence, tuple(features), tuple(name for name in features if name != RHYTHM))


def row_width(bundle: Bundle) -> int:
    """How many numbers a row of a clip file has: the clip's vector and the features kept behind it."""
    return bundle.manifest.music_dim + needs_of(bundle).kept_width


def shape_of(feature: str) -> tuple[int, ...]:
    """The shape of a feature of one clip."""
    shape = FEATURES[feature]["shape"]
    assert isinstance(shape, list)
    return tuple(shape)
