"""Some rows of a generation, scored exactly: copied together for FAISS, which knows no other way to look at few rows.

Each thread keeps the place that it copies them to: to get as much memory anew for each search takes most of its time.
"""

import threading
from typing import Any, Final

import faiss as _typed
import numpy as np
from numpy.typing import NDArray

from catalog.records import Floats

FAISS: Final[Any] = _typed  # its own types do not know the arguments by name


class Scanner(threading.local):
    """Of rows of ``width`` numbers in half precision, as bytes (rows, 2 * width)."""

    def __init__(self, packed: NDArray[np.uint8], width: int) -> None:
        self._packed = packed
        self._few = FAISS.IndexScalarQuantizer(width, FAISS.ScalarQuantizer.QT_fp16, FAISS.METRIC_INNER_PRODUCT)
        self._few.is_trained = True
        self._place = packed[:0]  # FAISS's own memory for the copies; it only grows

    def best(self, query: Floats, count: int, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
        """The ``count`` best of ``rows`` (m,) for ``query`` (1, width), best first, and their scores."""
        if len(rows) > len(self._place):
            width = self._packed.shape[1]
            self._few.codes.resize(len(rows) * width)
            self._place = FAISS.rev_swig_ptr(self._few.codes.data(), len(rows) * width).reshape(-1, width)
        np.take(self._packed, rows, axis=0, out=self._place[: len(rows)], mode="clip")  # others copy once more
        self._few.ntotal = len(rows)
        scores, places = self._few.search(query, min(count, len(rows)))
        return rows[places[0]], scores[0]
