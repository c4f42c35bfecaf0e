"""What tracks' standard scores are made of, kept in the catalogue's folder: of each the mean and the deviation of its
similarities to the bundle's bank. So a catalogue whose index keeps its vectors opens without reading any.

A track is known by the name of its clip file, which is another one whenever it is analysed again, so what is kept never
has to be changed. A file that is damaged, or of another bank, is as none: everything is measured again, from the
vectors in the database.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from .kept_file import read_kept, write_kept
from .records import Floats
from .standard import LEAST, Standard
from .stored import StoredSegments

FILE: Final = "measures.bin"  # in the catalogue's folder
METHOD: Final = f"1 {LEAST}"  # another one where ``standard_of`` measures otherwise


class Measures:
    """Of tracks by the names of their clip files. ``values`` (tracks, 2): mean and deviation. ``new``: some of them
    have not been saved."""

    def __init__(self, names: Sequence[str], values: Floats, new: bool = False) -> None:
        self._rows = {name: row for row, name in enumerate(names)}
        self._values, self.new = values, new

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def standard(self, names: Sequence[str], counts: NDArray[np.int64]) -> Standard:
        """Of tracks with so many segments each. Raises ``KeyError`` for one that is not known."""
        values = self._values[[self._rows[name] for name in names]] if len(names) else np.zeros((0, 2), np.float32)
        means, deviations = np.repeat(values, counts, axis=0).T
        return Standard(np.ascontiguousarray(means), np.ascontiguousarray(deviations))

    def joined(self, names: Sequence[str], standard: Standard, counts: NDArray[np.int64]) -> Self:
        """These, and those of tracks with so many segments each, of which ``standard`` has the rows."""
        firsts = (np.cumsum(counts) - counts)[counts > 0]
        names = [name for name, count in zip(names, counts.tolist(), strict=True) if count]
        new = np.stack([standard.means[firsts], standard.deviations[firsts]], axis=1)
        known = dict(zip(self._rows, self._values, strict=True)) | dict(zip(names, new, strict=True))
        return type(self)(list(known), np.array(list(known.values()), np.float32).reshape(-1, 2), new=True)

    def only(self, names: Collection[str]) -> Self:
        """Those of some tracks."""
        rows = {name: row for name, row in self._rows.items() if name in names}
        return type(self)(list(rows), self._values[list(rows.values())], self.new)

    @classmethod
    def load(cls, folder: Path, bank: Floats) -> Self | None:
        """Those that were saved; None where there are none by this ``bank`` (n, E), or they are damaged."""
        held = read_kept(folder / FILE)
        if held is None or held["by"].tobytes() != _by(bank):
            return None
        return cls(json.loads(held["names"].tobytes()), held["values"])

    def save(self, folder: Path, bank: Floats) -> None:
        """Keep them. Where that is not possible, the log says so."""
        names = np.frombuffer(json.dumps(list(self._rows)).encode("ascii"), np.uint8)
        by = np.frombuffer(_by(bank), np.uint8)
        write_kept(folder / FILE, {"by": by, "names": names, "values": self._values})


def measured(segments: StoredSegments, clips: Mapping[str, str], standard: Standard, into: Measures) -> Measures:
    """``into`` and what ``standard`` has of ``segments``, whose tracks have the clip files ``clips``."""
    return into.joined([clips[id] for id in segments.tracks], standard, segments.counts)


def _by(bank: Floats) -> bytes:
    told = sha256(f"{METHOD} {bank.shape} {bank.dtype}".encode())
    told.update(np.ascontiguousarray(bank).tobytes())
    return told.digest()
