"""What every scene shares: the grid of pixels, tiling noise, moments in time, and strips that scroll."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .texture import Plane

Canvas: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True)
class Moment:
    """A point of a shot: seconds and frame widths of travel, both since the video's start."""

    t_s: float
    travel: float
    step: float  # travel since about one frame before, for streaks
    accent: float


# tone (h, w) float32 in [0, 1] and tint likewise (0: the palette's main ramp, 1: its second).
Painting: TypeAlias = tuple[Plane, Plane]
Painter: TypeAlias = Callable[[Moment], Painting]


@dataclass(frozen=True)
class Stage:
    """The picture's geometry and raw material. ``x`` runs 0..1 to the right, ``y`` 0..1 down, both (h, w) float32."""

    width: int
    height: int
    x: Plane
    y: Plane
    noise: tuple[Plane, Plane]  # coarse to fine clouds; finer grain
    detail: float

    @property
    def aspect(self) -> float:
        """Height in frame widths."""
        return self.height / self.width

    def zeros(self) -> Plane:
        """A plane of zeros."""
        return np.zeros((self.height, self.width), np.float32)

    def canvas(self, value: int = 0) -> Canvas:
        """A uint8 plane to draw on."""
        return np.full((self.height, self.width), value, np.uint8)

    def count(self, low: int, high: int) -> int:
        """A number of things, by the detail."""
        return round(low + (high - low) * self.detail)


def make_stage(width: int, height: int, noise: tuple[Plane, Plane], detail: float) -> Stage:
    """The grid for a picture size."""
    x = (np.arange(width, dtype=np.float32) + 0.5) / width
    y = (np.arange(height, dtype=np.float32) + 0.5) / height
    grid_x, grid_y = np.meshgrid(x, y)
    return Stage(width, height, grid_x.astype(np.float32), grid_y.astype(np.float32), noise, detail)


def loop(strip: Plane, width: int) -> Plane:
    """A strip that is periodic along x, with its first ``width + 1`` columns repeated at its end, for ``scroll``."""
    return np.concatenate([strip, strip[:, : width + 1]], axis=1)


def scroll(looped: Plane, shift: float, width: int) -> Plane:
    """``width`` columns of a looped strip from column ``shift`` (sub-pixel, any size) on."""
    start = shift % (looped.shape[1] - width - 1)
    left = int(start)
    part = np.float32(start - left)
    return looped[:, left : left + width] * (1 - part) + looped[:, left + 1 : left + 1 + width] * part


def over(below: Plane, above: Plane, alpha: Plane) -> Plane:
    """``above`` laid over ``below``."""
    return below + (above - below) * alpha


def soft(value: Plane, edge: float) -> Plane:
    """A step from 0 to 1 about 0 that is ``edge`` wide."""
    return np.asarray(np.clip(value / np.float32(edge) + np.float32(0.5), 0, 1), np.float32)


def blur(plane: Plane, sigma_px: float) -> Plane:
    """Gaussian blur; nothing below a fifth of a pixel."""
    return plane if sigma_px < 0.2 else np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma_px), np.float32)


def unit(canvas: Canvas) -> Plane:
    """A drawn canvas as a float32 plane in [0, 1]."""
    return np.asarray(canvas * np.float32(1 / 255), np.float32)


def px(value: float) -> int:
    """Pixels in the 1/16 steps that OpenCV draws with ``shift=4``."""
    return int(value * 16)
