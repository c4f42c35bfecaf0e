"""Lines on their way to the files of sessions: one bounded queue, one thread.

Each line is written and flushed by itself, so a program that is killed loses what waited here, mostly nothing, and at
most tears its last line. A power cut may take more: nothing is synced. *Bounds*: ``WAITING`` lines; more are lost, and
counted. A file that cannot be written, or is full at ``FILE_BYTES``, gets no further lines.
"""

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

WAITING: Final = 4096
FILE_BYTES: Final = 8 * 1024**2

log = logging.getLogger("segue.cues")


class Writer:
    """``before_new`` is called in the thread before a file is made. Lines go to the files in the order of ``put``."""

    def __init__(self, before_new: Callable[[], None] = lambda: None) -> None:
        self.lost = 0
        self._before_new = before_new
        self._queue: queue.Queue[tuple[Path, str, bool] | None] = queue.Queue(WAITING)
        self._open: dict[Path, TextIO] = {}
        self._failed: dict[Path, None] = {}  # newest last, bounded
        self._whole: set[Path] = set()
        self._told = False
        self._thread: threading.Thread | None = None

    def put(self, path: Path, text: str, last: bool = False) -> None:
        """Append a line to a file; with ``last`` the file is then closed. Never blocks."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="cues", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait((path, text, last))
        except queue.Full:
            self.lost += 1

    def take_whole(self, path: Path) -> bool:
        """Whether this file is written to its end; said once."""
        whole = path in self._whole
        self._whole.discard(path)
        return whole

    def writes(self, path: Path) -> bool:
        """Whether this file has begun and not ended; for ``before_new``."""
        return path in self._open

    def close(self, wait_s: float) -> None:
        """Write what waits, for at most so long."""
        if self._thread is not None:
            try:
                self._queue.put(None, timeout=wait_s)
            except queue.Full:
                return
            self._thread.join(wait_s)

    def _work(self) -> None:
        while (entry := self._queue.get()) is not None:
            path, text, last = entry
            if path not in self._failed:
                try:
                    self._write(path, text)
                except OSError as error:
                    self._fail(path, error)
            if last and (file := self._open.pop(path, None)) is not None:
                file.close()
                self._whole.add(path)
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _write(self, path: Path, text: str) -> None:
        if (file := self._open.get(path)) is None:
            self._before_new()
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[path] = file = path.open("a", encoding="utf-8", newline="\n")
        if file.tell() + len(text.encode()) > FILE_BYTES:
            raise OSError(0, f"it would grow beyond {FILE_BYTES} bytes")
        file.write(text)
        file.flush()

    def _fail(self, path: Path, error: OSError) -> None:
        self._failed[path] = None
        while len(self._failed) > 64:
            del self._failed[next(iter(self._failed))]
        if (file := self._open.pop(path, None)) is not None:
            with contextlib.suppress(OSError):  # it tries once more to write what did not fit
                file.close()
        if not self._told:
            self._told = True
            reason = error.strerror or os.strerror(error.errno or 0)
            log.warning(
                "%s: cues cannot be kept there (%s); they stay in memory and can be exported until the server ends; "
                "--cues FOLDER names another place",
                path.parent,
                reason,
            )
