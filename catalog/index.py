"""Nearest segments by inner product, one per track: FAISS over everything, an exact scan where a filter leaves little.

A track is as good as its best segment (max-pooling), so a search fetches more segments than tracks are wanted and goes
on doubling until enough distinct tracks are in. Ties break by row, so that the same query always has the same answer.

*Conventions*: a **row** is the number of a segment in the index; vectors are (rows, E) float32.
"""

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from .gpu_search import GpuSearcher
from .records import Floats, Mask

EXACT_SHARE = 0.15  # below this share of rows, scanning them beats filtering what the whole index returns
OVER_FETCH = 8  # segments fetched at first per track wanted


@dataclass(frozen=True, slots=True)
class Hit:
    """A row and its inner product with the query."""

    row: int
    score: float


class SegmentIndex:
    """An immutable index; ``search`` may be called by several threads at once."""

    def __init__(self, vectors: Floats, owners: NDArray[np.int64]) -> None:
        """``vectors`` (rows, E) float32; ``owners`` (rows,): the number of the track that each row belongs to."""
        if vectors.ndim != 2 or len(vectors) != len(owners):
            raise ValueError(f"{vectors.shape} vectors for {len(owners)} owners")
        self._owners = owners
        self._flat: Any = faiss.IndexFlatIP(vectors.shape[1])
        self._flat.add(np.ascontiguousarray(vectors, dtype=np.float32))
        # FAISS owns the only copy; this is a view of it.
        self._vectors = (
            faiss.rev_swig_ptr(self._flat.get_xb(), vectors.size).reshape(vectors.shape) if len(vectors) else vectors
        )

        self._gpu: GpuSearcher | None = None

    def __len__(self) -> int:
        return len(self._owners)

    def use(self, searcher: GpuSearcher) -> None:
        """Let a GPU that holds the same vectors propose rows; the index owns it from now on."""
        self._gpu = searcher

    def close(self) -> None:
        """Let go of the GPU. May be called twice; searches go on on the CPU."""
        if self._gpu is not None:
            self._gpu.close()

    @property
    def vectors(self) -> Floats:
        """(rows, E) float32, not to be written to."""
        view: Floats = self._vectors
        return view

    def search(self, query: Floats, n: int, allowed: Mask | None = None) -> list[Hit]:
        """The best row of each of the ``n`` best tracks, best first. ``allowed`` (rows,) bool: rows that count."""
        if allowed is not None and int(np.count_nonzero(allowed)) < EXACT_SHARE * len(self):
            return self.scan(query, n, np.flatnonzero(allowed))
        self._check(query)
        return self._fetch(query, n, allowed) if n >= 1 and len(self) else []

    def scan(self, query: Floats, n: int, rows: NDArray[np.int64]) -> list[Hit]:
        """The same among ``rows`` (m,) alone, which takes time by their number, whatever else is indexed."""
        self._check(query)
        return self.best(rows, self._vectors[rows] @ query, n) if n >= 1 and len(rows) else []

    def _check(self, query: Floats) -> None:
        if query.shape != (self._flat.d,):
            raise ValueError(f"a query has shape {(self._flat.d,)}, not {query.shape}")
        if not np.isfinite(query).all():
            raise ValueError("the query holds numbers that are not finite")

    def _fetch(self, query: Floats, n: int, allowed: Mask | None) -> list[Hit]:
        faiss.omp_set_num_threads(1)  # per calling thread; sessions run side by side instead
        query = np.ascontiguousarray(query, dtype=np.float32)
        wanted = min(n * OVER_FETCH, len(self))
        while True:
            found, values = self._nearest(query, wanted)
            if allowed is not None:
                kept = allowed[found]
                found, values = found[kept], values[kept]
            hits = self.best(found, values, n)
            if len(hits) == n or wanted == len(self):
                return hits
            wanted = min(wanted * 2, len(self))

    def _nearest(self, query: Floats, wanted: int) -> tuple[NDArray[np.int64], Floats]:
        """The ``wanted`` rows nearest to ``query`` (E,), and the scores of each, which are the CPU's in either case."""
        rows = None if self._gpu is None else self._gpu.propose(query, wanted)
        if rows is None:
            scores, found = self._flat.search(query[None], wanted)
            return found[0], scores[0]
        rows, values = np.ascontiguousarray(rows), np.empty(len(rows), np.float32)
        pointers = (faiss.swig_ptr(query), len(rows), faiss.swig_ptr(values), faiss.swig_ptr(rows))
        self._flat.compute_distance_subset(1, *pointers)
        return rows, values

    def best(self, rows: NDArray[np.int64], scores: Floats, n: int) -> list[Hit]:
        """The best of ``rows`` (m,) of each of the ``n`` best tracks by ``scores`` (m,), best first."""
        order = np.lexsort((rows, -scores))
        rows, scores = rows[order], scores[order]
        _, first = np.unique(self._owners[rows], return_index=True)
        return [Hit(int(rows[i]), float(scores[i])) for i in np.sort(first)[:n]]
