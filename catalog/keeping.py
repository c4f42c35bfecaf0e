"""What a catalogue does for an index that keeps its segments when it is closed: bring it up to date, and keep the order
that segments are placed by, since another order would change what the index holds of all of them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from .index.base import Segments, VectorIndex
from .standing import Order

log = logging.getLogger(__name__)

FILE: Final = "order.npz"  # in the catalogue's folder
GROWN: Final = 1.5  # times as many, or as few: everything is placed anew


def order_for(index: VectorIndex, folder: Path, own: Order, renew: bool) -> Order:
    """What segments are placed by: their ``own`` order, or where the index keeps what follows from it, the one that was
    kept too, unless it is to be made anew, or was made of far more or fewer segments."""
    if not index.keeps(own.segments):
        return own
    path = folder / FILE
    kept = None if renew else Order.load(path)
    if kept is not None and kept.segments / GROWN <= own.segments <= kept.segments * GROWN:
        return kept
    try:
        return own.save(path)
    except OSError as error:  # every opening then places, and indexes, all of them anew
        log.warning("%s: cannot be written (%s); give the program's user the right to write there", path, error)
        return own


def bring(index: VectorIndex, wanted: Segments, kept: Mapping[str, str]) -> None:
    """Let the index, which has ``kept`` the tracks with these stamps, hold what is wanted."""
    stamps = {track.id: stamp for track, stamp in zip(wanted.tracks, wanted.stamps, strict=True)}
    new = np.array([kept.get(id) != stamp for id, stamp in stamps.items()], np.bool_)
    if new.any():
        index.upsert(wanted if new.all() else wanted.chosen(new))
    if gone := kept.keys() - stamps.keys():
        index.remove(gone)
