"""What a catalogue does for an index that keeps its segments when it is closed: bring it up to date, and keep the order
that segments are placed by, since another order would change what the index holds of all of them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .index.base import VectorIndex
from .segments import Rows
from .standing import Order
from .wanted import Read, Wanted

log = logging.getLogger(__name__)

FILE: Final = "order.npz"  # in the catalogue's folder
GROWN: Final = 1.5  # times as many, or as few: everything is placed anew


def order_for(index: VectorIndex, folder: Path, rows: Rows, renew: bool) -> Order:
    """What ``rows`` are placed by: their own order, or where the index keeps what follows from it, the one that was
    kept too, unless it is to be made anew, or was made of far more or fewer segments."""
    count = len(rows.owners)
    if not index.keeps(count):
        return Order(rows.raw())
    path = folder / FILE
    kept = None if renew else Order.load(path)
    if kept is not None and kept.segments / GROWN <= count <= kept.segments * GROWN:
        return kept
    own = Order(rows.raw())
    try:
        return own.save(path)
    except OSError as error:  # every opening then places, and indexes, all of them anew
        log.warning("%s: cannot be written (%s); give the program's user the right to write there", path, error)
        return own


def bring(index: VectorIndex, wanted: Wanted, kept: Mapping[str, str], read: Read | None = None) -> None:
    """Let the index, which has ``kept`` the tracks with these stamps, hold what is wanted. ``read``: gives vectors that
    were not read."""
    new = wanted.lacking(kept)
    if new.any():
        index.upsert(wanted.segments(new, read))
    if gone := kept.keys() - {stored.track.id for stored in wanted.tracks}:
        index.remove(gone)
