"""Where tracks' segments stand, kept in the catalogue's folder as long as the order is that they were placed by.

A segment's place follows from what is kept of its track, which does not change while its clip file has the same name;
from its tempo, which a user may set; and from the order. So only what is new is placed when a catalogue is opened.
"""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from .kept_file import read_kept, write_kept
from .records import Floats, Mask
from .standing import Order
from .stored import StoredTrack
from .wanted import Wanted

FILE: Final = "places.bin"  # in the catalogue's folder
METHOD: Final = 1  # another one where ``standing.py`` places otherwise


class Placed:
    """``rows`` (m, 4): the standings of whole tracks, of which ``names`` tells clip file and tempo, and ``counts``
    (tracks,) how many segments each has. ``missed``: others were asked for."""

    def __init__(self, names: Sequence[str], counts: NDArray[np.int64], rows: Floats) -> None:
        self._counts, self._rows, self.missed = counts, rows, False
        self._numbers = {name: number for number, name in enumerate(names)}
        self._firsts: NDArray[np.int64] = np.cumsum(counts) - counts

    def __len__(self) -> int:
        return len(self._numbers)

    def standings(
        self, tracks: Sequence[StoredTrack], counts: NDArray[np.int64], place: Callable[[Mask], Floats]
    ) -> Floats:
        """(rows, 4): of tracks with so many segments each. ``place``: gives the rows of the tracks (tracks,) that are
        not known."""
        numbers = np.array([self._numbers.get(name, -1) for name in map(_name, tracks)], np.int64)
        known: Mask = numbers >= 0
        known[known] = self._counts[numbers[known]] == counts[known]
        standings = np.empty((int(counts.sum()), self._rows.shape[1]), np.float32)
        of_known = np.repeat(known, counts)
        own = counts[known]
        ends = np.cumsum(own)
        at = np.arange(int(own.sum())) + np.repeat(self._firsts[numbers[known]] - ends + own, own)
        standings[of_known] = self._rows[at]
        if not known.all():
            self.missed = True
            standings[~of_known] = place(~known)
        return standings

    @classmethod
    def load(cls, folder: Path, order: Order, moody: bool) -> Self | None:
        """Those that were saved; None where there are none by this order, or they are damaged. ``moody``: segments have
        moods."""
        held = read_kept(folder / FILE)
        if held is None or held["by"].tobytes() != _by(order, moody):
            return None
        return cls(json.loads(held["names"].tobytes()), held["counts"], held["rows"])


def save_placed(folder: Path, order: Order, moody: bool, wanted: Wanted) -> None:
    """Keep where what is wanted stands. Where that is not possible, the log says so."""
    by = np.frombuffer(_by(order, moody), np.uint8)
    names = np.frombuffer(json.dumps(list(map(_name, wanted.tracks))).encode("ascii"), np.uint8)
    write_kept(folder / FILE, {"by": by, "names": names, "counts": wanted.counts, "rows": wanted.standings})


def _by(order: Order, moody: bool) -> bytes:
    return sha256(f"{METHOD} {moody} {order.sum}".encode("ascii")).digest()


def _name(stored: StoredTrack) -> str:
    return f"{stored.track.tempo_bpm!r} {stored.clips}"
