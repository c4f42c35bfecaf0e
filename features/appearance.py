"""How a picture looks: its grey thumbnail, its colour in four numbers, and the image of a clip.

Colourfulness follows D. Hasler and S. Suesstrunk, "Measuring colourfulness in natural images", 2003.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FeatureError
from .picture import check_picture, grey
from .spec import FRAME_SIZE, THUMB_SIZE, THUMBS_PER_CLIP

# Rows: BT.601 luma, red-green and yellow-blue opponents.
_OPPONENTS = ((0.299, 0.587, 0.114), (1.0, -1.0, 0.0), (0.5, 0.5, -1.0))
_EXTREMELY_COLOURFUL = 109.0  # the paper's name for this value of its measure
_WARMTH_NOISE = 16.0  # grey levels; keeps the hue of near-black pictures from deciding


@dataclass(frozen=True, slots=True)
class ColourStats:
    """Four numbers in [0, 1].

    ``brightness``: mean luma. ``contrast``: standard deviation of luma, 1 for half black and half white.
    ``colourfulness``: Hasler and Suesstrunk's measure, 1 at their "extremely colourful". ``warmth``: 0 cold (blue),
    0.5 neutral, 1 warm (red), from the balance of the mean red and blue.
    """

    brightness: float
    contrast: float
    colourfulness: float
    warmth: float


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey ``(64, 64)`` uint8 thumbnail of a canonical RGB picture, each pixel the mean of the area it covers."""
    return shrink(grey(picture))


def shrink(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(64, 64)`` uint8 thumbnail of a ``(90, 160)`` uint8 grey picture."""
    return np.asarray(cv2.resize(luma, (THUMB_SIZE, THUMB_SIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def shrink_colour(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(32, 32, 3)`` uint8 RGB of a canonical picture, each pixel the mean of the area it covers."""
    return np.asarray(cv2.resize(picture, (FRAME_SIZE, FRAME_SIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def detail(luma: NDArray[np.uint8]) -> float:
    """The mean step between neighbours of a uint8 grey picture, down and across together, as a share of white."""
    down, across = cv2.norm(luma[1:], luma[:-1], cv2.NORM_L1), cv2.norm(luma[:, 1:], luma[:, :-1], cv2.NORM_L1)
    height, width = luma.shape
    return float(down / ((height - 1) * width) + across / (height * (width - 1))) / 255.0


def colour_stats(picture: NDArray[np.uint8]) -> ColourStats:
    """Colour of a canonical RGB picture; raises ``FeatureError`` for anything else."""
    check_picture(picture)
    opponents = cv2.transform(picture.astype(np.float32), np.asarray(_OPPONENTS, dtype=np.float32))
    mean, deviation = (values.ravel().tolist() for values in cv2.meanStdDev(opponents))
    red, _, blue, _ = cv2.mean(picture)
    colourful = hypot(deviation[1], deviation[2]) + 0.3 * hypot(mean[1], mean[2])
    return ColourStats(
        brightness=_unit(mean[0] / 255.0),
        contrast=_unit(deviation[0] / 127.5),
        colourfulness=_unit(colourful / _EXTREMELY_COLOURFUL),
        warmth=_unit(0.5 + 0.5 * (red - blue) / (red + blue + _WARMTH_NOISE)),
    )


def clip_image(thumbs: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """One to four ``(64, 64)`` thumbnails, oldest first, side by side: ``(64, 256)`` uint8; the last one is repeated.

    Raises ``FeatureError`` for none, for more than four, and for thumbnails of another shape or type.
    """
    if not 1 <= len(thumbs) <= THUMBS_PER_CLIP:
        raise FeatureError(f"{len(thumbs)} thumbnails for one clip image: give 1 to {THUMBS_PER_CLIP}")
    for thumb in thumbs:
        if thumb.shape != (THUMB_SIZE, THUMB_SIZE) or thumb.dtype != np.uint8:
            raise FeatureError(f"thumbnail is {thumb.dtype} {thumb.shape}, not uint8 ({THUMB_SIZE}, {THUMB_SIZE})")
    return np.concatenate([*thumbs, *[thumbs[-1]] * (THUMBS_PER_CLIP - len(thumbs))], axis=1)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
