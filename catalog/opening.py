"""Opening a catalogue. Where its index keeps the vectors, none is read from the database but those that the index
lacks: what else follows from them is kept too, see ``measures.py``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from .index.base import VectorIndex
from .index.names import IN_MEMORY
from .keeping import bring, order_for
from .loading import Loaded, everything, vectors_of, without_vectors
from .measures import Measures
from .placed import Placed, save_placed
from .records import Floats
from .segments import Rows
from .snapshot import Step
from .standing import Order

NOTHING: Final = Measures([], np.zeros((0, 2), np.float32))
STALE: Final = 2  # times as many as there are tracks, and those that went are forgotten


class _ChangedError(Exception):
    """What was read of a track is no longer in the database."""


def lean(folder: Path, dim: int, bank: Floats | None, index: str) -> Loaded:
    """A catalogue whose vectors have ``dim`` numbers, without its vectors where what is kept allows that. ``bank``: as
    in ``Catalog``; ``index``: the name of what it is loaded for. Raises ``FormatError``."""
    kept = None if bank is None or index == IN_MEMORY else Measures.load(folder, bank)
    if bank is None or kept is None:
        return everything(folder, dim)
    return without_vectors(folder, dim, bank, kept)


def opened(index: VectorIndex, folder: Path, dim: int, bank: Floats | None, loaded: Loaded) -> tuple[Loaded, Step]:
    """Bring ``index`` up to date with what was ``loaded``; returns that, or what took its place, and the first
    snapshot. Raises ``FormatError`` and ``SearchIndexError``."""
    opening = _Opening(index, folder, dim, index.stamps())
    if loaded.measures is not None and not opening.keeps(loaded):  # it is small, or another index kept what there is
        loaded = everything(folder, dim)
    step = loaded.first(bank, opening.order)
    try:
        bring(index, step.indexed, opening.kept, None if loaded.measures is None else opening.read)
    except _ChangedError:
        loaded = everything(folder, dim)
        step = loaded.first(bank, opening.order)
        bring(index, step.indexed, opening.kept)
    if opening.keeps(loaded) and bank is not None:
        opening.keep(bank, loaded, step)
    return loaded, step


class _Opening:
    """``kept``: the stamps of what the index has."""

    def __init__(self, index: VectorIndex, folder: Path, dim: int, kept: Mapping[str, str]) -> None:
        self._index, self._folder, self._dim, self.kept = index, folder, dim, kept
        self._order: Order | None = None
        self._rows: Rows | None = None

    def keeps(self, loaded: Loaded) -> bool:
        return self._index.keeps(int(loaded.segments.counts.sum()))

    def order(self, rows: Rows) -> Order:
        """What ``rows`` are placed by; they get what is kept of that."""
        self._rows = rows
        self._order = order_for(self._index, self._folder, rows, renew=not self.kept)
        if self._index.keeps(len(rows.owners)):
            rows.placed = Placed.load(self._folder, self._order, rows.moods is not None)
        return self._order

    def read(self, clips: Mapping[str, str]) -> Floats:
        """The vectors of tracks with these clip files, by the tracks' ids."""
        vectors = vectors_of(self._folder, self._dim, clips)
        if vectors is None:
            raise _ChangedError
        return vectors

    def keep(self, bank: Floats, loaded: Loaded, step: Step) -> None:
        """Save what is known of the tracks, unless that was done."""
        wanted, known, most = step.indexed, loaded.measures, STALE * len(loaded.tracks)
        if known is None:
            names = [stored.clips for stored in wanted.tracks]
            NOTHING.joined(names, wanted.standard, wanted.counts).save(self._folder, bank)
        elif known.new or len(known) > most:
            known.only({stored.clips for stored in loaded.tracks}).save(self._folder, bank)
        rows, order = self._rows, self._order
        assert rows is not None and order is not None
        if rows.placed is None or rows.placed.missed or len(rows.placed) > most:
            save_placed(self._folder, order, rows.moods is not None, wanted)
