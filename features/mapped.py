"""Samples that lie in a file and are mapped, so that hours of them take little memory: what is behind is let go of.

An array of samples is an array, wherever it lies. What reads a long one from end to end calls ``let_go`` every now and
then; for an array in memory, and on a system without ``madvise``, that does nothing.
"""

import mmap
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PIECE: Final = 1 << 21  # numbers, 8 MB


def let_go(values: NDArray[np.floating]) -> None:
    """Let the system take back the memory that mapped ``values`` take; they are read again when they are used."""
    holder: object = values
    while isinstance(holder, np.ndarray):
        holder = holder.base
    if isinstance(holder, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        holder.madvise(mmap.MADV_DONTNEED)


def pieces(values: Floats, length: int = PIECE) -> Iterator[Floats]:
    """``values`` (n,) end to end in pieces of ``length``, the last one shorter; each is let go of after its use."""
    for first in range(0, len(values), length):
        yield values[first : first + length]
        let_go(values)


def extremes(values: Floats) -> tuple[float, float]:
    """The lowest and the highest of ``values`` (n,) and 0; NaN where one of them is."""
    each = [(piece.min(), piece.max()) for piece in pieces(values)]
    lows, highs = zip(*each, strict=True) if each else ((0.0,), (0.0,))
    return float(np.minimum(np.min(lows), 0.0)), float(np.maximum(np.max(highs), 0.0))
