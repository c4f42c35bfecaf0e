"""The exact index: everything in memory, FAISS compares every vector; a GPU may propose the best rows.

Fit for up to some hundred thousand segments (``segue bench search`` has the times); it keeps nothing when it is closed.
A write makes new rows beside the old ones, which searches under way go on using: FAISS must not be changed while it is
searched. So a write takes the time and, for a moment, the memory of all vectors; add many tracks at once.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from catalog.records import Floats

from .base import EVERYWHERE, Hit, IndexOptions, SearchState, Segments, Where
from .gpu import GpuSearcher, open_searcher
from .rows import Rows, merge


@dataclass(frozen=True, slots=True, eq=False)
class _Current:
    rows: Rows
    searcher: GpuSearcher | None
    opened: SearchState


class FlatIndex:
    """A ``VectorIndex``. Like ``upsert``, raises ``SearchDeviceError`` where a GPU is requested and there is none."""

    exact: ClassVar[bool] = True

    def __init__(self, options: IndexOptions) -> None:
        self._device = options.device
        self._empty = Segments([], np.zeros(0, np.int64), np.zeros((0, options.dim), np.float32))
        self._writing = threading.Lock()
        self._current = self._open_rows(self._empty)

    def keeps(self, segments: int) -> bool:
        return False

    def __len__(self) -> int:
        return len(self._current.rows)

    @property
    def state(self) -> SearchState:
        current = self._current
        return current.opened if current.searcher is None else current.searcher.state

    def search(self, query: Floats, n: int, where: Where = EVERYWHERE) -> list[Hit]:
        return self._current.rows.search(query, n, where)

    def vectors(self, tracks: Sequence[str]) -> list[Floats]:
        rows = self._current.rows
        return [rows.of(id) for id in tracks]

    def stamps(self) -> dict[str, str]:
        rows = self._current.rows
        return dict(zip(rows.ids, rows.stamps, strict=True))

    def blocks(self, where: Where = EVERYWHERE) -> Iterator[Segments]:
        return self._current.rows.blocks(where)

    def upsert(self, segments: Segments) -> None:
        segments.check(self._empty.vectors.shape[1])
        with self._writing:
            self._swap(merge(self._current.rows, segments))

    def remove(self, tracks: Iterable[str]) -> None:
        with self._writing:
            self._swap(merge(self._current.rows, self._empty, tracks))

    def close(self) -> None:
        """Let go of the GPU. May be called twice; searches go on on the CPU."""
        if self._current.searcher is not None:
            self._current.searcher.close()

    def _swap(self, segments: Segments) -> None:
        before, self._current = self._current, self._open_rows(segments)
        if before.searcher is not None:
            before.searcher.close()

    def _open_rows(self, segments: Segments) -> _Current:
        rows = Rows(segments)
        rows.proposer, opened = open_searcher(self._device, rows.vectors)
        return _Current(rows, rows.proposer, opened)
