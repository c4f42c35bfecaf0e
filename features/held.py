"""A picture is on the screen until the next one comes.

Slide shows, GIFs and recordings that store only changes hold a picture for seconds or minutes. Up to a second between
two pictures is a low picture rate: things moved between them. Beyond it, the first picture was held: it fills the
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
    """The slots, with held pictures in every slot that they fill, also at the end; other holes stay."""
    result = list(slots)
    pictures = [slot for slot, features in enumerate(result) if features is not None]
    for slot, following in itertools.pairwise([*pictures, len(result)]):
        features = result[slot]
        if features is not None and is_held(slot, following):
            result[slot + 1 : following] = [held(features)] * (following - slot - 1)
    return result
