"""What a new generation holds: a generation's live tracks and those that waited in memory, by rising id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Floats, Mask

from .compact_generation import Generation
from .compact_tracks import TrackTable, pack, read_tracks, write_tracks
from .rows import Rows

VECTORS: Final = "vectors.npy"
DEAD: Final = "dead.npy"
BLOCK: Final = 65_536  # rows


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """Tracks that wait for a new generation, read back from the files of ``write_waiting``."""

    table: TrackTable
    vectors: Floats  # mapped


def write_waiting(folder: Path, rows: Rows, dead: Mask) -> None:
    """Write what waits in memory, and which tracks of the generation beside it are ``dead``."""
    counts = np.array([len(rows.of(id)) for id in rows.ids], np.int64)
    write_tracks(folder, rows.ids, rows.stamps, counts, [pack(track) for track in rows.tracks])
    np.save(folder / VECTORS, rows.vectors)
    np.save(folder / DEAD, dead)


def read_waiting(folder: Path) -> tuple[Waiting, Mask]:
    return Waiting(read_tracks(folder), np.load(folder / VECTORS, mmap_mode="r")), np.load(folder / DEAD)


class Merged:
    """The tracks of ``base`` that are not ``dead`` (tracks,), and those that wait; no id is in both."""

    def __init__(self, base: Generation | None, dead: Mask, waiting: Waiting) -> None:
        self._base, self._waiting = base, waiting
        alive = np.flatnonzero(~dead)
        kept = [] if base is None else [(base.table.ids[number], 0, number) for number in alive.tolist()]
        self._order = sorted(kept + [(id, 1, number) for number, id in enumerate(waiting.table.ids)])
        self.ids = [id for id, *_ in self._order]
        tables = [waiting.table if base is None else base.table, waiting.table]
        self.stamps: Sequence[str] = [tables[source].stamps[number] for _, source, number in self._order]
        self.counts = np.array([tables[source].counts[number] for _, source, number in self._order], np.int64)
        self._tables = tables

    @property
    def rows(self) -> int:
        return int(self.counts.sum())

    def lines(self) -> Iterator[bytes]:
        for _, source, number in self._order:
            yield self._tables[source].line(number)

    def blocks(self) -> Iterator[Floats]:
        """(m, D): all vectors in order, whole tracks at a time."""
        ends = np.cumsum(self.counts)
        for part in np.split(np.arange(len(self._order)), np.flatnonzero(np.diff(ends // BLOCK)) + 1):
            if len(part):
                yield self._block(part)

    def _block(self, places: NDArray[np.int64]) -> Floats:
        block = np.empty((int(self.counts[places].sum()), self._waiting.vectors.shape[1]), np.float32)
        owners = np.repeat([self._order[place][1] for place in places.tolist()], self.counts[places])
        for source in (0, 1):
            chosen = [self._order[place] for place in places.tolist()]
            numbers = np.array([number for _, own, number in chosen if own == source], np.int64)
            if len(numbers):
                rows = self._tables[source].rows_of(numbers)
                if source == 0:
                    assert self._base is not None
                    block[owners == 0] = self._base.vectors(rows)
                else:
                    block[owners == 1] = self._waiting.vectors[rows]
        return block
