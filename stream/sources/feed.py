"""What the two feeds of the ingest socket share: their errors, and how a thread hands over its frames."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from stream.close_codes import Close
from stream.errors import StreamError

Item = TypeVar("Item")


MAX_SIDE: Final = 4096  # pixels; more is refused, before decoding where the format has the size
MAX_PIXELS: Final = MAX_SIDE * MAX_SIDE
MESSAGE_BYTES: Final = 2 * 1024 * 1024


class FeedError(StreamError):
    """A client's message that ends its connection; ``code`` is that of the close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def ignore_call(*_: object) -> None:
    """Replaces a callback after the end. A feed and its owner hold each other; that cycle would keep the decoders and
    the session until the garbage collector runs."""


class Handover(Generic[Item]):
    """Items from a thread to the event loop, in order. At most ``limit`` wait; beyond, the oldest is dropped and
    counted."""

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
        """Deliver nothing any more. On the event loop."""
        self._deliver = ignore_call
        with self._lock:
            self._waiting.clear()

    def _drain(self) -> None:
        with self._lock:
            items, self._waiting = list(self._waiting), deque()
        for item in items:
            self._deliver(item)


def check_size(width: int, height: int, most: int = MAX_SIDE) -> None:
    """Raises FeedError for a picture with a side of 0 or above the limit."""
    if not (0 < width <= most and 0 < height <= most):
        raise FeedError(
            Close.TOO_LARGE, f"a picture of {width}x{height}: sides of at most {most} are taken; scale it down"
        )


def check_message(size: int) -> None:
    """Raises FeedError for a message of more than `MESSAGE_BYTES`."""
    if size > MESSAGE_BYTES:
        raise FeedError(Close.TOO_LARGE, f"a message of {size} bytes: at most {MESSAGE_BYTES} are taken; compress more")
