"""The statuses that the workers of one machine share: each writes one small file, and reads those of the others.

*Bound*: a file for each worker, of at most `BYTES`. An entry older than `STALE_S` is ignored: its worker hangs, or has
ended.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

BYTES: Final = 1024 * 1024
STALE_S: Final = 3.0


@dataclass(frozen=True)
class Status:
    """One worker's status: its own port, whether it serves (does not drain), whether it has room, its sessions.

    ``keys``: digests of the keys with which publishers may take over its sessions.
    """

    port: int
    serving: bool
    room: bool
    sessions: tuple[dict[str, object], ...]
    keys: tuple[str, ...] = ()

    @property
    def load(self) -> tuple[bool, bool, int]:
        """For comparison: the worker with the smallest load should take the next session."""
        return not self.serving, not self.room, len(self.sessions)


class WorkerStatuses:
    """One worker's view. ``exchange`` blocks while it writes and reads small files; ``others`` is its last result."""

    def __init__(self, folder: Path, index: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.others: tuple[Status, ...] = ()
        self._entries: dict[int, Path] = {}  # of the others, by their port
        self._folder, self._index, self._clock = folder, index, clock  # the clock is the machine's, common to processes

    def exchange(self, own: Status) -> None:
        """Write the own entry and read the others. Raises OSError where the folder cannot be written."""
        text = json.dumps({**asdict(own), "at_s": self._clock()}).encode()
        if len(text) > BYTES:  # the count is what matters most
            text = json.dumps({**asdict(own), "sessions": [{}] * len(own.sessions), "at_s": self._clock()}).encode()
        new = self._folder / f"{self._index}.new"
        new.write_bytes(text)
        os.replace(new, entry(self._folder, self._index))  # noqa: PTH105 - readers see the old or the new, never half
        entries = {path: status for path in sorted(self._folder.glob("*.json")) if (status := self._read(path))}
        self.others = tuple(entries.values())
        self._entries = {status.port: path for path, status in entries.items()}

    def is_present(self, other: Status) -> bool:
        """Whether an entry that was read still exists. The parent removes it as soon as its worker has ended, so that
        no client is sent to a killed worker. It checks one file: quick enough for the event loop."""
        path = self._entries.get(other.port)
        return path is not None and path.exists()

    def leave(self) -> None:
        """Remove the own entry."""
        with contextlib.suppress(OSError):
            entry(self._folder, self._index).unlink()

    def _read(self, path: Path) -> Status | None:
        if path == entry(self._folder, self._index):
            return None
        try:
            with path.open("rb") as file:
                fields: Any = json.loads(file.read(BYTES))
            if self._clock() - fields.pop("at_s") > STALE_S:
                return None
            return Status(**{**fields, "sessions": tuple(fields["sessions"]), "keys": tuple(fields["keys"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None  # just removed, or no valid entry


def entry(folder: Path, index: int) -> Path:
    """The file of a worker."""
    return folder / f"{index}.json"
