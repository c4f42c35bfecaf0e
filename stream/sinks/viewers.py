"""The viewers of a session by websocket: one queue each, in which the newest messages win."""

import asyncio
import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from stream import messages
from stream.close_codes import Close
from stream.core.events import Accepted, GivenUp, Notice, Refused, Reset, Suggestions

QUEUE_LIMIT: Final = 32


class Viewer:
    """A queue of message texts in which the newest win: at ``QUEUE_LIMIT`` the oldest goes, and is counted.

    Answers to commands are dropped first: else a viewer that sends many commands would push out the suggestions
    of all viewers.
    ``may``: whether it may send commands at all. ``page``: a secret of the viewer's page, the same on each of its
    connections; empty for none.
    """

    def __init__(self, may: bool = True, page: str = "") -> None:
        self.may, self.page = may, page
        self.lost = 0
        self.reason = ""
        self.code: int = Close.NORMAL
        self._waiting: deque[tuple[str, bool]] = deque()
        self._open = True
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, text: str, answer: bool = False) -> None:
        """Queue a message, or an ``answer`` to a command; never blocks."""
        if len(self._waiting) >= QUEUE_LIMIT:
            del self._waiting[next((at for at, (_, answers) in enumerate(self._waiting) if answers), 0)]
            self.lost += 1
        self._waiting.append((text, answer))
        self._news.set()

    def put_object(self, message: Mapping[str, Any], answer: bool = False) -> None:
        """Queue a message for this viewer alone."""
        self.put(json.dumps(message, separators=(",", ":"), allow_nan=False), answer)

    def close(self, reason: str, code: int = Close.NORMAL) -> None:
        """No more messages will come; those that wait are still handed out. ``code``: of the websocket."""
        self.reason, self.code, self._open = reason, code, False
        self._news.set()

    async def next(self) -> str | None:
        """The next message, or None once the session is over."""
        while not self._waiting:
            if not self._open:
                return None
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()[0]


class Viewers:
    """A sink: every notice goes to every viewer, as one line of JSON. A viewer that joins late gets the newest list
    first, and what is on air."""

    def __init__(self) -> None:
        self._all: set[Viewer] = set()
        self._left_lost = 0
        self._state: dict[str, str] = {}  # what a late viewer needs to see, by the kind of message

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Viewer]:
        return iter(list(self._all))

    @property
    def lost(self) -> int:
        """Messages that a viewer was too slow for."""
        return self._left_lost + sum(viewer.lost for viewer in self._all)

    def put(self, notice: Notice) -> None:
        if isinstance(notice, GivenUp):
            return
        text = messages.line(notice)
        if isinstance(notice, Suggestions):
            self._state["suggestions"] = text
        elif isinstance(notice, Accepted) and notice.command == "playing":
            self._state["playing"] = text
        elif isinstance(notice, Reset):
            self._state.pop("suggestions", None)
        for viewer in self._all:
            viewer.put(text, isinstance(notice, Accepted | Refused))

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send every viewer a message of the server; those who join later get the newest of each type first."""
        text = json.dumps(message, separators=(",", ":"), allow_nan=False)
        self._state[str(message["type"])] = text
        for viewer in self._all:
            viewer.put(text)

    def join(self, viewer: Viewer) -> None:
        for text in self._state.values():
            viewer.put(text)
        self._all.add(viewer)

    def leave(self, viewer: Viewer) -> None:
        if viewer in self._all:
            self._all.discard(viewer)
            self._left_lost += viewer.lost
