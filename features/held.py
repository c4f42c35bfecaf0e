"""A picture is on the screen until the next one comes.

Slide shows, GIFs and recordings that store changes alone hold a picture for seconds or minutes. Up to a second between
two pictures is a low rate of pictures: what moved, moved between them. Beyond it, the first one was held: it fills the
motion slots up to the next, nothing moved meanwhile, and the next one came at once.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .slots import is_held

if TYPE_CHECKING:  # the core calls this, and opens no OpenCV
    from .frame import FrameFeatures


def held(features: "FrameFeatures") -> "FrameFeatures":
    """The features of the same picture a slot later: it looks the same, and nothing moves."""
    return replace(features, speed=0.0, dx=0.0, dy=0.0, onset=0.0, cut=0.0)


def filled(slots: "Sequence[FrameFeatures | None]") -> "list[FrameFeatures | None]":
    """Slot by slot, with pictures that were held in every slot that they fill, to the end too; other holes stay."""
    found = list(slots)
    pictures = [slot for slot, features in enumerate(found) if features is not None]
    for slot, following in itertools.pairwise([*pictures, len(found)]):
        features = found[slot]
        if features is not None and is_held(slot, following):
            found[slot + 1 : following] = [held(features)] * (following - slot - 1)
    return found
