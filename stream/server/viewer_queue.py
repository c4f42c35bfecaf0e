"""One reader of a session, as the session sees it."""

import asyncio
from collections import deque
from typing import Final

QUEUE_LIMIT: Final = 32


class Viewer:
    """A queue of message texts in which the newest win: at ``QUEUE_LIMIT`` the oldest goes, and is counted.

    Answers to commands go first: else whoever sends many would take the suggestions from everybody who watches.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.reason = ""
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

    def close(self, reason: str) -> None:
        """No more messages will come; those that wait are still handed out."""
        self.reason, self._open = reason, False
        self._news.set()

    async def next(self) -> str | None:
        """The next message, or None once the session is over."""
        while not self._waiting:
            if not self._open:
                return None
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()[0]
