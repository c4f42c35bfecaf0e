"""A transport stream over UDP, read like a file: the datagrams of one sender.

UDP has no connections, so whoever is heard first is the sender. Datagrams of others are dropped while it sends; once it
has been silent for ``yield_s`` another ends the stream, and so does silence of ``silent_s``. The system's queue of the
socket is the only buffer.
"""

import select
import socket
import time
from collections.abc import Callable
from typing import Final

DATAGRAM_BYTES: Final = 65_536
YIELD_S: Final = 1.0
SILENT_S: Final = 5.0


class Datagrams:
    """Reads from a bound socket, which stays open. ``read`` gives nothing at the end, as a file does."""

    def __init__(
        self,
        bound: socket.socket,
        yield_s: float = YIELD_S,
        silent_s: float = SILENT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._socket = bound
        self._yield_s, self._silent_s, self._clock = yield_s, silent_s, clock
        self._sender: object = None
        self._heard_s = 0.0
        self._rest = b""

    def wait(self) -> None:
        """Wait, for ever if need be, until somebody sends."""
        while not self._rest:
            select.select([self._socket], [], [])
            self._rest, self._sender = self._socket.recvfrom(DATAGRAM_BYTES)
        self._heard_s = self._clock()

    def read(self, size: int) -> bytes:
        """From 1 to ``size`` bytes; none once the sender is gone."""
        while not self._rest:
            left_s = self._heard_s + self._silent_s - self._clock()
            if left_s <= 0 or not select.select([self._socket], [], [], left_s)[0]:
                return b""
            data, sender = self._socket.recvfrom(DATAGRAM_BYTES)
            now_s = self._clock()
            if sender == self._sender:
                self._rest, self._heard_s = data, now_s
            elif now_s - self._heard_s > self._yield_s:
                return b""
        part, self._rest = self._rest[:size], self._rest[size:]
        return part
