"""How a film reaches its viewers: another screen's gamma and light, no colour, hard coding, lost pictures.

This carries no information about the latent, and music that fits still fits. So a tower that learns from delivered
films learns to ignore it.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.errors import StudioError

Picture = NDArray[np.uint8]
GAMMA: Final = (0.65, 1.5)
GAIN: Final = (0.65, 1.1)
LOST: Final = (0.02, 0.2)  # share of the pictures
QUALITY: Final = (12, 50)  # of JPEG, which loses what a codec short of bits loses


@dataclass(frozen=True)
class Delivery:
    """``gamma`` and ``gain`` act on every channel; ``quality`` of JPEG, 0 for none; ``lost``: share of pictures
    that are replaced by the one before. Raises StudioError for a value out of range."""

    gamma: float = 1.0
    gain: float = 1.0
    grey: bool = False
    quality: int = 0
    lost: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (("gamma", 0.2, 5.0), ("gain", 0.1, 2.0), ("quality", 0, 100), ("lost", 0.0, 0.9)):
            if not least <= getattr(self, name) <= most:  # also refuses NaN
                raise StudioError(f"{name} {getattr(self, name)} is out of range: give {least:g} to {most:g}")


def draw(rng: np.random.Generator) -> Delivery:
    """A random delivery: two in five films stay as they were made, the others change in one way or more."""
    seed = int(rng.integers(2**31))
    chances = rng.random(5)
    gamma, gain, lost, quality = (rng.uniform(*bounds) for bounds in (GAMMA, GAIN, LOST, QUALITY))
    if rng.random() < 1 / 3:
        return Delivery(seed=seed)
    return Delivery(
        gamma=float(gamma) if chances[0] < 0.45 else 1.0,
        gain=float(gain) if chances[1] < 0.3 else 1.0,
        grey=bool(chances[2] < 0.12),
        quality=int(quality) if chances[3] < 0.3 else 0,
        lost=float(lost) if chances[4] < 0.4 else 0.0,
        seed=seed,
    )


def deliver(film: Picture, delivery: Delivery) -> Picture:
    """(n, h, w, 3) uint8 RGB as filmed -> as delivered."""
    levels = np.arange(256) / 255
    table = np.clip(255 * delivery.gain * levels**delivery.gamma + 0.5, 0, 255).astype(np.uint8)
    pictures = [_degrade(np.asarray(cv2.LUT(picture, table), np.uint8), delivery) for picture in film]
    rng = np.random.default_rng([delivery.seed, 4])
    lost = rng.random(len(pictures)) < delivery.lost
    for place in range(1, len(pictures)):
        if lost[place]:
            pictures[place] = pictures[place - 1]
    return np.stack(pictures)


def _degrade(picture: Picture, delivery: Delivery) -> Picture:
    if delivery.grey:
        picture = np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    if delivery.quality:
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, delivery.quality])
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return picture
