"""Vectors rounded to the 11 bits that a number of 16 bits has, by one power of two for a whole generation.

They are rounded when they are added: so a search scores them alike before and after they are merged into files.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Floats

Halves = NDArray[np.float16]
TOP: Final = 14  # the largest number is below 2**TOP in a file; half precision ends at 65504
_DROPPED: Final = 13  # bits of a float32's 23


def rounded(vectors: Floats) -> Floats:
    """A copy (m, D), each number rounded to the nearest of 11 bits, even ones where it lies between two."""
    bits = np.ascontiguousarray(vectors, np.float32).view(np.uint32)
    half = np.uint32((1 << (_DROPPED - 1)) - 1)
    kept = (bits + half + ((bits >> np.uint32(_DROPPED)) & np.uint32(1))) & np.uint32(
        ~((1 << _DROPPED) - 1) & 0xFFFFFFFF
    )
    return kept.view(np.float32)


def scale_for(largest: float) -> float:
    """The power of two that brings ``largest`` (> 0, or 0) below ``2 ** TOP``."""
    if not largest:
        return 1.0
    return float(2.0 ** max(-100, min(100, TOP - math.frexp(largest)[1])))


def halves(vectors: Floats, scale: float, width: int) -> Halves:
    """(m, width) half precision of ``vectors`` (m, D) times ``scale``, zeros behind them."""
    packed = np.zeros((len(vectors), width), np.float16)
    np.multiply(vectors, np.float32(scale), out=packed[:, : vectors.shape[1]], casting="same_kind")
    return packed


def singles(packed: Halves, scale: float, dim: int) -> Floats:
    """(m, ``dim``): the vectors that ``halves`` packed."""
    return np.asarray(packed[:, :dim].astype(np.float32) * np.float32(1.0 / scale), np.float32)
