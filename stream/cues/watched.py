"""The page of ``segue watch --html``: nobody takes anything there, so it shows what was proposed and the scenes."""

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import av
from av.error import FFmpegError

from stream.core.events import Notice

from .export.formats import export, find
from .export.options import FPS, read_options
from .known import Shelf, in_files, of_catalog
from .log import CueLog
from .model import Session
from .report import Choice, Link, data_link, page
from .save import save
from .timecode import NAMES as RATE_NAMES

FILES: Final = ("edl", "fcpxml", "csv", "vtt", "json")
NAMES: Final = {"vtt": "proposed"}  # a chapter goes on until the next one: scenes would cut them short
ALL: Final = "proposed,scene"
NEAR: Final = Fraction(1, 2500)  # containers round times; 29.97 and 30 are a thousandth apart


class WatchReport:
    """A sink. ``around`` writes the page at the end, also where somebody interrupts a source without one. The title is
    the file's name, or a URL's host: the rest of it may hold a key."""

    def __init__(self, path: Path, source: str, shelf: Shelf) -> None:
        self._path, self._look_up = path, of_catalog(shelf, in_files)
        self._fps = _frame_rate(source) if "://" not in source and Path(source).is_file() else FPS
        self._log = CueLog("watch", lambda: datetime.now(UTC), time.monotonic, label=_title(source))

    def put(self, notice: Notice) -> None:
        self._log.put(notice)

    @contextlib.contextmanager
    def around(self, shown: AbstractContextManager[object]) -> Iterator[None]:
        """``shown``, and after it the page. Raises CueError where that cannot be written."""
        try:
            with shown:
                yield
        except KeyboardInterrupt:
            self.save()
            raise
        self.save()

    def save(self) -> None:
        """Write the page and say so, on standard error. Raises CueError where it cannot be written."""
        session = self._log.session
        session = replace(session, cues=tuple(replace(cue, outcome="") for cue in session.cues))
        rate = Choice("Frames a second", ((self._fps, ""),), self._fps)
        save(self._path, page(session, self._look_up, self._links(session), [rate]))
        sys.stderr.write(f"segue watch: {self._path} is written\n")

    def _links(self, session: Session) -> list[Link]:
        made = []
        for name in FILES:
            format = find(name)
            text, _ = export(session, format, read_options(self._fps, names=NAMES.get(name, ALL)), self._look_up)
            made.append(data_link(text, format.file, format.kind, format.about))
        return made


def _frame_rate(source: str) -> str:
    """The name of a file's own frame rate, so that its editor's timeline has the same; the usual one where it has
    none of those that timecode is for, or is no file."""
    try:
        with av.open(source) as container:
            rate = container.streams.video[0].average_rate
    except (FFmpegError, OSError, ValueError, IndexError):
        return FPS
    near = (name for name, fps in RATE_NAMES.items() if rate is not None and abs(rate / fps - 1) < NEAR)
    return next(near, FPS)


def _title(source: str) -> str:
    if "://" not in source:
        return Path(source).name or source
    try:
        parts = urlsplit(source)
        return f"{parts.scheme}://{parts.hostname or ''}"
    except ValueError:
        return "a URL"
