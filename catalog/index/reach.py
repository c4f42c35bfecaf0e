"""A server that does not answer must not cost every search a wait: one tries, the others are told at once."""

import threading
import time
from typing import Final

from catalog.errors import SearchIndexError

RETRY_S: Final = 0.5
TRY_S: Final = 10.0  # longer than any try takes


class Reach:
    """Safe for any number of threads. After a failure one call in ``retry_s`` is let through, until one succeeds."""

    def __init__(self, retry_s: float = RETRY_S) -> None:
        self._retry_s = retry_s
        self._lock = threading.Lock()
        self._failure = ""
        self._again_s = 0.0

    def check(self) -> None:
        """Before a call. Raises ``SearchIndexError`` with the last failure, while it is not this call's turn."""
        with self._lock:
            if self._failure and time.monotonic() < self._again_s:
                raise SearchIndexError(self._failure)
            self._again_s = time.monotonic() + TRY_S  # until it succeeds or fails

    def succeed(self) -> None:
        self._failure = ""

    def fail(self, text: str) -> None:
        with self._lock:
            self._failure, self._again_s = text, time.monotonic() + self._retry_s
