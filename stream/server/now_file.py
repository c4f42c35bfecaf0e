"""A file with one line that says what is on air, for OBS's text source and whatever else reads a file.

*Bounds*: one line of at most 500 characters, looked at twice a second and written only when it changes.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio.to_thread

from .whole_file import write_whole

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5


class NowFile:
    """Keeps a file at what ``text`` returns. A file that cannot be written is tried again, and said once."""

    def __init__(self, path: Path, text: Callable[[], str], look_s: float = LOOK_S) -> None:
        self._path, self._text, self._look_s = path, text, look_s
        self._written: str | None = None
        self._failing = self._lost = False

    async def run(self) -> None:
        """Until it is cancelled; nothing is on air then."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(self._look_s)
        finally:
            if self._written:
                self._write("")  # short, and the loop may be ending

    async def _look(self) -> None:
        """One look. A thread that writes is waited for, also when this is cancelled: else it would write last."""
        try:
            text = self._text()
        except Exception:
            if not self._lost:
                log.exception("%s: what is on air cannot be told; it is tried again", self._path)
            self._lost = True
            return
        self._lost = False
        looking = asyncio.ensure_future(self.look(text))
        try:
            await asyncio.shield(looking)
        except asyncio.CancelledError:
            await asyncio.wait([looking])
            raise

    async def look(self, text: str) -> None:
        """Write the text unless it is there already."""
        if text != self._written:
            await anyio.to_thread.run_sync(self._write, text)

    def _write(self, text: str) -> None:
        try:
            write_whole(self._path, text.encode())
        except OSError as error:
            if not self._failing:
                reason = error.strerror or type(error).__name__
                log.warning(
                    "%s: cannot be written (%s); it is tried again, and what is there is old", self._path, reason
                )
            self._failing = True
            return
        if self._failing:
            log.warning("%s: is written again", self._path)
        self._written, self._failing = text, False
