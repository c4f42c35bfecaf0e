"""Rows of requests: cut into runs of a size, padded to a fixed one, joined again."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import Arrays
from .errors import EngineError
from .shared_rows import is_shared, share

SIZES: Final = (1, 2, 4, 8, 16, 32)

Outputs = dict[str, NDArray[Any]]


def checked_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Batch sizes as a tuple; ``EngineError`` for sizes that are not positive or do not ascend."""
    if not sizes or sizes[0] < 1 or any(low >= high for low, high in pairwise(sizes)):
        raise EngineError(f"sizes are {list(sizes)}, must be positive and ascend")
    return tuple(sizes)


def padded_size(rows: int, sizes: Sequence[int] = SIZES) -> int:
    """The smallest of ``sizes`` that holds ``rows``; ``rows`` is at most the last of them."""
    return next(size for size in sizes if size >= rows)


def pad(array: NDArray[Any], size: int) -> NDArray[Any]:
    """``array`` with its last row repeated up to ``size`` rows: a valid row, so that no mask is all false."""
    missing = size - len(array)
    if is_shared(array):
        return share(array[:1], size)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array


def cut(inputs: Arrays, largest: int) -> Iterator[tuple[Outputs, int]]:
    """Views of at most ``largest`` rows each, in order, with how many rows each has."""
    rows = len(next(iter(inputs.values())))
    for start in range(0, rows, largest):
        count = min(largest, rows - start)
        yield {name: array[start : start + count] for name, array in inputs.items()}, count


def join(parts: Sequence[Arrays]) -> Outputs:
    """Join arrays of the same names along the batch axis."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
