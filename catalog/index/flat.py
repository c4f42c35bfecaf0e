"""The exact index: everything in memory, every vector looked at by FAISS; a GPU may propose where the best lie.

Right up to some hundred thousand segments (``segue bench search`` has the times); it keeps nothing when it is closed.
A write makes new rows beside the old ones, which searches under way go on with: FAISS must not be changed while it is
searched. So a write takes the time and, for a moment, the memory of all vectors; give many tracks at once.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from catalog.records import Floats

from .base import EVERYWHERE, Hit, IndexOptions, SearchState, Segments, Where
from .gpu import GpuSearcher, open_searcher
from .rows import Rows, replaced


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    rows: Rows
    searcher: GpuSearcher | None
    opened: SearchState


class FlatIndex:
    """A ``VectorIndex``. Like ``upsert``, raises ``SearchDeviceError`` where a GPU is asked for and there is none."""

    def __init__(self, options: IndexOptions) -> None:
        self._device = options.device
        self._none = Segments([], np.zeros(0, np.int64), np.zeros((0, options.dim), np.float32))
        self._writing = threading.Lock()
        self._held = self._made(self._none)

    def __len__(self) -> int:
        return len(self._held.rows)

    @property
    def state(self) -> SearchState:
        held = self._held
        return held.opened if held.searcher is None else held.searcher.state

    def search(self, query: Floats, n: int, where: Where = EVERYWHERE) -> list[Hit]:
        return self._held.rows.search(query, n, where)

    def vectors(self, tracks: Sequence[str]) -> list[Floats]:
        rows = self._held.rows
        return [rows.of(id) for id in tracks]

    def blocks(self, where: Where = EVERYWHERE) -> Iterator[Segments]:
        return self._held.rows.blocks(where)

    def upsert(self, segments: Segments) -> None:
        segments.check(self._none.vectors.shape[1])
        with self._writing:
            self._swap(replaced(self._held.rows, segments))

    def remove(self, tracks: Iterable[str]) -> None:
        with self._writing:
            self._swap(replaced(self._held.rows, self._none, tracks))

    def close(self) -> None:
        """Let go of the GPU. May be called twice; searches go on on the CPU."""
        if self._held.searcher is not None:
            self._held.searcher.close()

    def _swap(self, segments: Segments) -> None:
        before, self._held = self._held, self._made(segments)
        if before.searcher is not None:
            before.searcher.close()

    def _made(self, segments: Segments) -> _Held:
        rows = Rows(segments)
        rows.proposer, opened = open_searcher(self._device, rows.vectors)
        return _Held(rows, rows.proposer, opened)
