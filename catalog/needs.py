"""What a bundle's graphs ask of a track, so that indexing measures just that."""

from dataclasses import dataclass
from math import prod

from engines.bundle import Bundle
from features.music import PER_CLIP, PER_TRACK
from features.spec import FEATURES, MUSIC_FEATURES

from .errors import BundleMismatchError

RHYTHM = "rhythm"  # kept of every track: ranking reads it whatever the bundle


@dataclass(frozen=True, slots=True)
class Needs:
    """Features by name: ``clip`` of the clip tower; ``sequence`` of the sequence tower; ``track``: all that only a
    whole track tells; ``kept``: what the catalogue keeps of each clip beside its vector and its rhythm."""

    clip: tuple[str, ...]
    sequence: tuple[str, ...]
    track: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def kept_width(self) -> int:
        """How many numbers a clip has of ``kept``."""
        return sum(prod(shape_of(name)) for name in self.kept)


def needs_of(bundle: Bundle) -> Needs:
    """Raises ``BundleMismatchError`` for a bundle whose music graphs take something that is not measured on music."""
    clip, sequence = bundle.features_of("music_clip"), bundle.features_of("music_sequence")
    matcher = tuple(name for name in bundle.features_of("matcher") if name in MUSIC_FEATURES)
    inputs = (("music_clip", clip, PER_CLIP), ("music_sequence", sequence, PER_TRACK), ("matcher", matcher, PER_TRACK))
    for graph, names, offered in inputs:
        if missing := [name for name in names if name not in offered]:
            raise BundleMismatchError(
                f"bundle {bundle.path}: graph {graph} takes {', '.join(missing)}, a track is measured for "
                f"{', '.join(offered)}; use another bundle or a newer program"
            )
    wanted = dict.fromkeys((RHYTHM, *sequence, *matcher))
    return Needs(clip, sequence, tuple(wanted), tuple(name for name in wanted if name != RHYTHM))


def row_width(bundle: Bundle) -> int:
    """How many numbers a clip file has a row: the clip's vector and what is kept behind it."""
    return bundle.manifest.music_dim + needs_of(bundle).kept_width


def shape_of(feature: str) -> tuple[int, ...]:
    """Of one clip's feature."""
    shape = FEATURES[feature]["shape"]
    assert isinstance(shape, list)
    return tuple(shape)
