"""The page of ``segue watch --html``: nobody takes anything there, so it shows what was proposed and the scenes."""

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from stream.core.events import Notice

from .export.formats import export, find
from .export.options import read_options
from .known import Shelf, in_files, of_catalog
from .log import CueLog
from .model import Session
from .report import Link, data_link, page
from .save import save

NAMES: Final = "proposed,scene"
FILES: Final = ("edl", "fcpxml", "csv", "vtt", "json")


class WatchReport:
    """A sink. ``around`` writes the page at the end, also where somebody interrupts a source without one. The title is
    the file's name, or a URL's host: the rest of it may hold a key."""

    def __init__(self, path: Path, source: str, shelf: Shelf) -> None:
        self._path, self._look_up = path, of_catalog(shelf, in_files)
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
        save(self._path, page(session, self._look_up, self._links(session)))
        sys.stderr.write(f"segue watch: {self._path} is written\n")

    def _links(self, session: Session) -> list[Link]:
        made = []
        for name in FILES:
            format = find(name)
            text, _ = export(session, format, read_options(names=NAMES), self._look_up)
            made.append(data_link(text, format.file, format.kind, format.about))
        return made


def _title(source: str) -> str:
    if "://" not in source:
        return Path(source).name or source
    try:
        parts = urlsplit(source)
        return f"{parts.scheme}://{parts.hostname or ''}"
    except ValueError:
        return "a URL"
