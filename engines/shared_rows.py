"""Rows of a batch that are one: what all candidates of a window share. An engine may read it once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def share(row: NDArray[Any], rows: int) -> NDArray[Any]:
    """A view of one row (1, ...) as so many: no copy, and an engine may read it once."""
    return np.broadcast_to(row, (rows, *row.shape[1:]))


def is_shared(array: NDArray[Any]) -> bool:
    """Whether all rows are the same memory."""
    return array.strides[0] == 0 and len(array) > 1
