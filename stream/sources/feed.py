"""What the two feeds of the ingest socket have in common: how they refuse, and how a thread hands its frames over."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from stream.errors import StreamError

Item = TypeVar("Item")

BAD_MESSAGE: Final = 4400
TOO_LARGE: Final = 4413
UNREADABLE: Final = 4415

MAX_SIDE: Final = 4096  # pixels; more is refused before it is decoded where the format tells
MAX_PIXELS: Final = MAX_SIDE * MAX_SIDE
MESSAGE_BYTES: Final = 2 * 1024 * 1024


class FeedError(StreamError):
    """A client's message that ends its connection; ``code`` is that of the close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def nobody(*_: object) -> None:
    """In the place of a callback that is over: a feed and who it was made for know each other, and that circle would
    hold its decoders and its session until the collector of cycles comes by."""


class Handover(Generic[Item]):
    """Items from a thread to the event loop, in order. At most ``limit`` wait: then the oldest goes and is counted."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[Item], None], limit: int) -> None:
        self.lost = 0
        self._loop = loop
        self._deliver = deliver
        self._waiting: deque[Item] = deque()
        self._limit = limit
        self._lock = threading.Lock()

    def put(self, item: Item) -> None:
        """Called in the thread; never blocks. Nothing happens once the loop is closed."""
        with self._lock:
            idle = not self._waiting
            if len(self._waiting) >= self._limit:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append(item)
        if idle:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._drain)

    def close(self) -> None:
        """Nothing is delivered any more. On the event loop."""
        self._deliver = nobody
        with self._lock:
            self._waiting.clear()

    def _drain(self) -> None:
        with self._lock:
            items, self._waiting = list(self._waiting), deque()
        for item in items:
            self._deliver(item)


def check_size(width: int, height: int, most: int = MAX_SIDE) -> None:
    """Raises FeedError for a picture with a side that is not taken."""
    if not (0 < width <= most and 0 < height <= most):
        raise FeedError(TOO_LARGE, f"a picture of {width}x{height}: sides of at most {most} are taken; scale it down")


def check_message(size: int) -> None:
    """Raises FeedError for a message of more bytes than are taken."""
    if size > MESSAGE_BYTES:
        raise FeedError(TOO_LARGE, f"a message of {size} bytes: at most {MESSAGE_BYTES} are taken; compress more")
