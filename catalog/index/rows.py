"""Vectors of whole tracks as rows of one matrix, and the exact search among them; never changed once made.

FAISS compares every row; where few rows pass, only these are multiplied. A track is as good as its best segment, so a
search fetches more rows than the number of tracks and doubles that until it has enough distinct tracks. Ties
break by row, and rows are in the order of tracks' ids, so that the same query always has the same answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from catalog.records import Floats, Mask, Track

from .base import Hit, Segments, Where
from .gpu import GpuSearcher
from .grouping import best_of_each
from .masks import Few, Masks

OVER_FETCH: Final = 8  # rows fetched at first per requested track
BLOCK: Final = 65_536  # rows


class Rows:
    """Any number of threads may search at once. ``proposer``: a GPU that holds the same vectors and proposes rows."""

    def __init__(self, segments: Segments) -> None:
        """Takes a copy of the vectors; the tracks must come by rising id."""
        self.tracks: Sequence[Track] = list(segments.tracks)
        self.ids = [track.id for track in self.tracks]
        self.stamps: Sequence[str] = list(segments.stamps) or [""] * len(self.ids)
        ends = np.cumsum(segments.counts, dtype=np.int64)
        self._bounds: list[int] = [0, *ends.tolist()]  # of the rows of each track
        self._numbers = {id: number for number, id in enumerate(self.ids)}
        self._owners = np.repeat(np.arange(len(self.ids)), segments.counts)
        self._masks = Masks(self.tracks, self._bounds, self._numbers)
        self._flat: Any = faiss.IndexFlatIP(segments.vectors.shape[1])
        self._flat.add(np.ascontiguousarray(segments.vectors))
        self.vectors: Floats = _view_of(self._flat)  # (rows, D), not to be written to
        self.proposer: GpuSearcher | None = None

    def __len__(self) -> int:
        return len(self._owners)

    def of(self, id: str) -> Floats:
        """(k, D): a track's vectors; (0, D) for an unknown id."""
        number = self._numbers.get(id)
        return self.vectors[:0] if number is None else self.vectors[self._bounds[number] : self._bounds[number + 1]]

    def track(self, id: str) -> Track:
        """A track that is there."""
        return self.tracks[self._numbers[id]]

    def search(self, query: Floats, n: int, where: Where) -> list[Hit]:
        """As ``VectorIndex.search``."""
        if query.shape != (self._flat.d,):
            raise ValueError(f"a query has shape {(self._flat.d,)}, not {query.shape}")
        if not np.isfinite(query).all():
            raise ValueError("the query holds numbers that are not finite")
        chosen = self._masks.rows(where)
        if n < 1 or not len(self):
            return []
        if isinstance(chosen, Few):
            return self._scan(query, n, chosen.rows)
        return self._fetch(query, n, chosen)

    def blocks(self, where: Where) -> Iterator[Segments]:
        """As ``VectorIndex.blocks``."""
        chosen = self._masks.rows(where)
        allowed = np.ones(len(self), np.bool_) if chosen is None else chosen
        rows = allowed.rows if isinstance(allowed, Few) else np.flatnonzero(allowed)
        counts_of_all = np.bincount(self._owners[rows], minlength=len(self.ids))
        numbers = np.flatnonzero(counts_of_all)
        counts, at = counts_of_all[numbers], 0
        for part in np.split(np.arange(len(numbers)), np.flatnonzero(np.diff(np.cumsum(counts) // BLOCK)) + 1):
            tracks = [self.tracks[number] for number in numbers[part].tolist()]
            end = at + int(counts[part].sum())
            if tracks:
                stamps = [self.stamps[number] for number in numbers[part].tolist()]
                yield Segments(tracks, counts[part], self.vectors.take(rows[at:end], axis=0), stamps)
            at = end

    def _scan(self, query: Floats, n: int, rows: NDArray[np.int64]) -> list[Hit]:
        """Search only ``rows`` (m,); the time depends on their number, not on what else is indexed."""
        return self._best(rows, self.vectors.take(rows, axis=0) @ query, n) if len(rows) else []

    def _fetch(self, query: Floats, n: int, allowed: Mask | None) -> list[Hit]:
        faiss.omp_set_num_threads(1)  # per calling thread; sessions run side by side instead
        query = np.ascontiguousarray(query, dtype=np.float32)
        count = min(n * OVER_FETCH, len(self))
        while True:
            rows, scores = self._nearest(query, count)
            if allowed is not None:
                passing = allowed[rows]
                rows, scores = rows[passing], scores[passing]
            hits = self._best(rows, scores, n)
            if len(hits) == n or count == len(self):
                return hits
            count = min(count * 2, len(self))

    def _nearest(self, query: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
        """The ``count`` rows nearest to ``query`` (D,), and the scores of each, which the CPU computes in either
        case."""
        proposed = None if self.proposer is None else self.proposer.propose(query, count)
        if proposed is None:
            scores, rows = self._flat.search(query[None], count)
            return rows[0], scores[0]
        rows, values = np.ascontiguousarray(proposed), np.empty(len(proposed), np.float32)
        pointers = (faiss.swig_ptr(query), len(rows), faiss.swig_ptr(values), faiss.swig_ptr(rows))
        self._flat.compute_distance_subset(1, *pointers)
        return rows, values

    def _best(self, rows: NDArray[np.int64], scores: Floats, n: int) -> list[Hit]:
        best = best_of_each(self._owners[rows], scores, rows, n)
        chosen = rows[best]
        return [
            Hit(self.ids[owner], row - self._bounds[owner], score)
            for owner, row, score in zip(
                self._owners[chosen].tolist(), chosen.tolist(), scores[best].tolist(), strict=True
            )
        ]


class _Owned:
    """Keeps an index of FAISS alive as long as anything uses a view of its vectors."""

    def __init__(self, flat: Any) -> None:
        self._flat = flat
        view = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
        self.__array_interface__ = view.__array_interface__


def _view_of(flat: Any) -> Floats:
    """(rows, D): a view of the vectors, of which FAISS has the only copy."""
    view: Floats = np.asarray(_Owned(flat)) if flat.ntotal else np.zeros((0, flat.d), np.float32)
    view.setflags(write=False)
    return view


def merge(rows: Rows, new: Segments, gone: Iterable[str] = ()) -> Segments:
    """``rows`` without ``gone``, and with ``new``, which replaces tracks of the same ids; by rising id."""
    if not len(rows) and all(a.id < b.id for a, b in zip(new.tracks, new.tracks[1:], strict=False)):
        return new
    dropped = {*gone, *(track.id for track in new.tracks)}
    by_id = {
        track.id: (track, rows.of(track.id), stamp)
        for track, stamp in zip(rows.tracks, rows.stamps, strict=True)
        if track.id not in dropped
    }
    ends = np.cumsum(new.counts)
    stamps = new.stamps or [""] * len(new.tracks)
    for track, count, end, stamp in zip(new.tracks, new.counts.tolist(), ends.tolist(), stamps, strict=True):
        by_id[track.id] = (track, new.vectors[end - count : end], stamp)
    ordered = [by_id[id] for id in sorted(by_id)]
    parts = [vectors for _, vectors, _ in ordered]
    counts = np.array([len(vectors) for vectors in parts], np.int64)
    return Segments(
        [track for track, *_ in ordered],
        counts,
        np.concatenate([new.vectors[:0], *parts]),
        [stamp for *_, stamp in ordered],
    )
