"""Notices as JSON, one a line: what ``--json`` prints."""

from typing import TextIO

from stream.core.events import Inner, Notice
from stream.messages import line


class JsonLines:
    """Writes to ``out`` and flushes it, so that a reader has each line at once. Raises ``OSError`` when the reader
    is gone."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def put(self, notice: Notice) -> None:
        if not isinstance(notice, Inner):
            self._out.write(line(notice) + "\n")
            self._out.flush()
