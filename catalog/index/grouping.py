"""Segments that a search returned -> tracks: a track is as good as its best segment (max-pooling)."""

import numpy as np
from numpy.typing import NDArray

from catalog.records import Floats


def best_of_each(owners: NDArray[np.int64], scores: Floats, places: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """(at most ``n``,) positions of the best segment of each of the ``n`` best owners, best first.

    For each segment: the number of its track ``owners`` (m,), ``scores`` (m,), and ``places`` (m,), which decide
    between equal scores, the lower one first.
    """
    order = np.lexsort((places, -scores))
    _, firsts = np.unique(owners[order], return_index=True)
    best: NDArray[np.int64] = order[np.sort(firsts)[: max(n, 0)]]
    return best
