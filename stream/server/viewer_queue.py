"""One reader of a session, as the session sees it."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

QUEUE_LIMIT: Final = 32
OVER: Final = 1000


class Viewer:
    """A queue of message texts in which the newest win: at ``QUEUE_LIMIT`` the oldest goes, and is counted.

    Answers to commands go first: else whoever sends many would take the suggestions from everybody who watches.
    ``may``: whether it may send commands at all. ``page``: a word of its own, the same on each of its connections,
    which nobody else is told; empty for none.
    """

    def __init__(self, may: bool = True, page: str = "") -> None:
        self.may, self.page = may, page
        self.lost = 0
        self.reason = ""
        self.code = OVER
        self._waiting: deque[tuple[str, bool]] = deque()
        self._open = True
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, text: str, answer: bool = False) -> None:
        """Queue a message, or an ``answer`` to a command; never blocks."""
        if len(self._waiting) >= QUEUE_LIMIT:
            del self._waiting[next((at for at, (_, asked) in enumerate(self._waiting) if asked), 0)]
            self.lost += 1
        self._waiting.append((text, answer))
        self._news.set()

    def put_object(self, message: Mapping[str, Any], answer: bool = False) -> None:
        """Queue a message for this viewer alone."""
        self.put(json.dumps(message, separators=(",", ":"), allow_nan=False), answer)

    def close(self, reason: str, code: int = OVER) -> None:
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
