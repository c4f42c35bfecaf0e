"""Noise that tiles: the one source of natural-looking surfaces.

``tile`` sums octaves of smoothed random lattices (value noise), each made periodic, so that a surface can be scrolled
for ever without a seam.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
TILE: Final = 256  # pixels a side; coordinates 0..1 cover it once


def tile(rng: np.random.Generator, octaves: int = 6, first: int = 4, fall: float = 0.55) -> Plane:
    """(TILE, TILE) float32 in [0, 1], periodic in both directions; octave k has ``first * 2**k`` cells a side."""
    total = np.zeros((TILE, TILE), np.float32)
    weight = 1.0
    for octave in range(octaves):
        cells = min(first << octave, TILE)
        lattice = np.pad(rng.random((cells, cells), dtype=np.float32), 2, mode="wrap")
        step = TILE // cells
        big = cv2.resize(lattice, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += weight * big[2 * step : 2 * step + TILE, 2 * step : 2 * step + TILE]
        weight *= fall
    return stretch(total)


def stretch(plane: Plane) -> Plane:
    """The plane scaled so that its 1st and 99th percentiles are 0 and 1, clipped."""
    low, high = np.percentile(plane[::3, ::3], (1, 99))
    return np.asarray(np.clip((plane - low) / max(high - low, 1e-6), 0, 1), np.float32)


def profile(rng: np.random.Generator, size: int, first: int = 3, octaves: int = 5, fall: float = 0.5) -> Plane:
    """(size,) float32 in [0, 1]: a periodic line of hills."""
    x = np.arange(size, dtype=np.float32) / size
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        cells = first << octave
        knots = rng.random(cells, dtype=np.float32)
        at = x * cells
        left = at.astype(np.int64)
        ease = (at - left) ** 2 * (3 - 2 * (at - left))
        total += fall**octave * (knots[left % cells] * (1 - ease) + knots[(left + 1) % cells] * ease)
    return np.asarray((total - total.min()) / max(float(np.ptp(total)), 1e-6), np.float32)


def look(noise: Plane, u: Plane, v: Plane) -> Plane:
    """The tile at (u, v), periodic with period 1; any finite coordinates, float32, all of one shape."""
    scale = np.float32(TILE)
    across, down = (u - np.floor(u)) * scale, (v - np.floor(v)) * scale
    return np.asarray(cv2.remap(noise, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)
