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
from .records import Floats
from .snapshot import Step
from .standing import Order, Raw

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
    keeps, kept = index.keeps(int(loaded.segments.counts.sum())), index.stamps()

    def order(raw: Raw) -> Order:
        return order_for(index, folder, raw, renew=not kept)

    def read(clips: Mapping[str, str]) -> Floats:
        vectors = vectors_of(folder, dim, clips)
        if vectors is None:
            raise _ChangedError
        return vectors

    if loaded.measures is not None and not keeps:  # it is small, or another index kept what there is
        loaded = everything(folder, dim)
    step = loaded.first(bank, order)
    try:
        bring(index, step.indexed, kept, None if loaded.measures is None else read)
    except _ChangedError:
        loaded = everything(folder, dim)
        step = loaded.first(bank, order)
        bring(index, step.indexed, kept)
    if keeps and bank is not None:
        _keep(folder, bank, loaded, step)
    return loaded, step


def _keep(folder: Path, bank: Floats, loaded: Loaded, step: Step) -> None:
    """Save what is known of the tracks, unless that was done."""
    wanted, known = step.indexed, loaded.measures
    if known is None:
        names = [stored.clips for stored in wanted.tracks]
        NOTHING.joined(names, wanted.standard, wanted.counts).save(folder, bank)
    elif known.new or len(known) > STALE * len(loaded.tracks):
        known.only({stored.clips for stored in loaded.tracks}).save(folder, bank)
