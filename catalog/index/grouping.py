"""Segments that a search returned -> tracks: a track is as good as its best segment (max-pooling)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Floats

BLOCK: Final = 1024  # segments


def best_of_each(owners: NDArray[np.int64], scores: Floats, places: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """(at most ``n``,) positions of the best segment of each of the ``n`` best owners, best first.

    For each segment: the number of its track ``owners`` (m,), ``scores`` (m,), and ``places`` (m,), which decide
    between equal scores, the lower one first.
    """
    sorted_already = bool((scores[1:] < scores[:-1]).all())  # as an index mostly gives them
    order: NDArray[np.int64] = np.arange(len(scores)) if sorted_already else np.lexsort((places, -scores))
    firsts: dict[int, int] = {}  # owner -> its first place in the order
    for begin in range(0, len(order), BLOCK):  # mostly the first block has them all
        for at, owner in enumerate(owners[order[begin : begin + BLOCK]].tolist(), begin):
            if len(firsts) >= n:
                break
            firsts.setdefault(owner, at)
    return order[list(firsts.values())]
