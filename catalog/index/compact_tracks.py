"""The tracks of a generation in four files: opened fast, with no Python object for a segment.

``names.json`` (ids by rising id, and stamps), ``bounds.npy`` (tracks + 1,) int64: the first row of each track and the
end of the last, ``owners.npy`` (rows,) int32: the number of each row's track, mapped, ``tracks.jsonl``: a line for each
track, decoded when a condition wants to see it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Track
from catalog.rights import Rights

NAMES: Final = "names.json"
BOUNDS: Final = "bounds.npy"
TRACKS: Final = "tracks.jsonl"
OWNERS: Final = "owners.npy"
_DEFAULTS: Final = {field.name: field.default for field in fields(Track)}
_WORDS: Final = ("tags", "moods", "playlists")


def pack(track: Track) -> bytes:
    """One line of JSON, without its end. Only what differs from the defaults; any path, also one that is no text."""
    said = {name: getattr(track, name) for name in _DEFAULTS}
    kept = {name: value for name, value in said.items() if value != _DEFAULTS[name]}
    kept["path"] = str(track.path)
    if "rights" in kept:
        kept["rights"] = asdict(track.rights)
    return json.dumps(kept, separators=(",", ":")).encode("ascii")


def unpack(line: bytes) -> Track:
    """The track that ``pack`` packed. Raises ``ValueError`` for anything else."""
    said: dict[str, Any] = json.loads(line)
    try:
        said["path"] = Path(said["path"])
        if "rights" in said:
            said["rights"] = Rights(**said["rights"])
        said |= {name: tuple(said[name]) for name in _WORDS if name in said}
        return Track(**said)
    except (TypeError, KeyError) as error:
        raise ValueError(f"it describes no track ({error})") from error


class TrackTable:
    """``ids`` by rising id, ``stamps``, ``bounds`` (tracks + 1,) int64 of their rows, ``line(number)``."""

    def __init__(
        self,
        ids: Sequence[str],
        stamps: Sequence[str],
        bounds: NDArray[np.int64],
        owners: NDArray[np.int32],
        lines: bytes,
        ends: NDArray[np.int64],
    ) -> None:
        """``owners`` (rows,): the number of each row's track; ``lines``: all of them, each with its end; ``ends``
        (tracks,): the places of these ends."""
        self.owners = owners
        self.ids, self.stamps, self.bounds = ids, stamps, bounds
        self.numbers = {id: number for number, id in enumerate(ids)}
        self.counts: NDArray[np.int64] = np.diff(bounds)
        self._lines = lines
        self._ends: NDArray[np.int64] = np.concatenate([np.array([-1]), ends])

    def __len__(self) -> int:
        return len(self.ids)

    def line(self, number: int) -> bytes:
        return self._lines[int(self._ends[number]) + 1 : int(self._ends[number + 1])]

    def track(self, number: int) -> Track:
        return unpack(self.line(number))

    def rows_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """(m,): the rows of whole tracks, in their order."""
        counts = self.counts[numbers]
        ends = np.cumsum(counts)
        return np.arange(int(counts.sum())) + np.repeat(self.bounds[numbers] - ends + counts, counts)


def write_tracks(
    folder: Path, ids: Sequence[str], stamps: Sequence[str], counts: NDArray[np.int64], lines: Sequence[bytes]
) -> None:
    """Write the four files of a table."""
    (folder / NAMES).write_text(json.dumps({"ids": list(ids), "stamps": list(stamps)}), encoding="ascii")
    np.save(folder / BOUNDS, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)]))
    np.save(folder / OWNERS, np.repeat(np.arange(len(ids), dtype=np.int32), counts))
    with (folder / TRACKS).open("wb") as file:
        file.writelines(line + b"\n" for line in lines)


def read_tracks(folder: Path) -> TrackTable:
    """Raises ``OSError`` and ``ValueError`` for files that are not there or do not fit each other."""
    names = json.loads((folder / NAMES).read_text(encoding="ascii"))
    ids, stamps = names["ids"], names["stamps"]
    bounds = np.load(folder / BOUNDS)
    owners = np.load(folder / OWNERS, mmap_mode="r" if bounds[-1] else None)
    lines = (folder / TRACKS).read_bytes()
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == 10)
    if not len(ids) == len(stamps) == len(ends) == len(bounds) - 1 or len(owners) != bounds[-1]:
        raise ValueError(
            f"{len(ids)} ids, {len(stamps)} stamps, {len(ends)} tracks, {len(bounds)} bounds: they do not fit"
        )
    return TrackTable(ids, stamps, bounds, np.asarray(owners), lines, ends)
