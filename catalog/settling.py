"""Files that somebody is still writing: a download, a copy, a mix that is being rendered.

Half of a file is a track too, with an id of its own, and likes that are given to it are lost when the other half comes.
So a file that changed a moment ago goes last, when the others are analysed, and is left for the next time if it changes
meanwhile. Clocks of network drives may be ahead or behind: what counts is whether a file changes, not how old it is.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .stored import FileStamp

SETTLE_S: Final = 3.0  # without a change: longer than a slow network makes a writer wait
MOST_S: Final = 60.0
WRITTEN: Final = "is still being written; it is taken the next time"
CHANGED: Final = "was changed after it was read; index again when nothing writes it any more"


@dataclass(slots=True)
class Settling:
    """``wait_s``: how long a file must stay as it is before it is analysed, a minute at most; 0: nothing is waited for.
    ``left``: files that are for the next time, as they changed meanwhile. ``clock`` and ``sleep`` in seconds."""

    stamps: Mapping[Path, FileStamp]  # as they were found
    wait_s: float = 0.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    left: list[Path] = field(default_factory=list)
    _begun_s: float = 0.0

    def __post_init__(self) -> None:
        self.wait_s = min(self.wait_s, MOST_S)
        self._begun_s = self.clock()

    def in_order(self, paths: Sequence[Path]) -> Iterator[Path]:
        """Those of ``paths`` to analyse now: files that have settled, then, after at most ``wait_s``, those that did
        not change in that time. The others are ``left``."""
        fresh = [path for path in paths if self.wait_s > 0.0 and self._is_fresh(path, self.wait_s)]
        late = set(fresh)
        yield from (path for path in paths if path not in late)
        if fresh:
            self.sleep(min(self.wait_s, max(0.0, self._begun_s + self.wait_s - self.clock())))
        for path in fresh:
            if self._changed(path):
                self.left.append(path)
            else:
                yield path

    def changed_since(self, paths: Sequence[Path]) -> list[Path]:
        """Those of ``paths`` that were young when they were found, and have changed since."""
        return [path for path in paths if self._is_fresh(path, SETTLE_S) and self._changed(path)]

    def _is_fresh(self, path: Path, within_s: float) -> bool:
        return abs(self._begun_s - self.stamps[path].mtime_ns / 1e9) < within_s

    def _changed(self, path: Path) -> bool:
        """A file that is gone has not: reading it tells so."""
        stamp = self.stamps[path]
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) != (stamp.size, stamp.mtime_ns)
