"""The door for RTMP publishers: takes one connection and leads it to FFmpeg, which speaks the protocol.

FFmpeg could listen by itself, but takes one connection and closes its port; and nothing can be known of it or stopped
while it waits. So the port is ours, and FFmpeg listens behind it, on a port of this machine that is made for one
connection. Publishers that come while one is there are turned away at once.
"""

import contextlib
import select
import socket
import threading
import time
from typing import Final

PIECE_BYTES: Final = 64 * 1024
INNER_S: Final = 5.0  # for FFmpeg to listen
AGAIN_S: Final = 0.01


class RtmpDoor:
    """``inner_port`` is where FFmpeg has to listen. ``listener`` stays open at the end, unless ``own``."""

    def __init__(self, listener: socket.socket, own: bool) -> None:
        self._listener, self._own = listener, own
        self._open: list[socket.socket] = []
        self.inner_port = 0

    def wait(self) -> None:
        """Wait, for ever if need be, until a publisher knocks; then lead it to ``inner_port``."""
        while True:
            select.select([self._listener], [], [])
            with contextlib.suppress(OSError):  # it left at once
                publisher, _ = self._listener.accept()
                break
        publisher.setblocking(True)
        publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(publisher)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as free:
            free.bind(("127.0.0.1", 0))
            self.inner_port = int(free.getsockname()[1])
        threading.Thread(target=self._lead, args=(publisher,), name="rtmp door", daemon=True).start()

    def stop(self) -> None:
        """End the connection. Idempotent."""
        for connection in [*self._open, *([self._listener] if self._own else [])]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _lead(self, publisher: socket.socket) -> None:
        try:
            server = self._inner()
            self._open.append(server)
            while True:
                ready = select.select([publisher, server, self._listener], [], [])[0]
                if self._listener in ready:
                    with contextlib.suppress(OSError):
                        self._listener.accept()[0].close()
                for source, target in ((publisher, server), (server, publisher)):
                    if source in ready:
                        if not (data := source.recv(PIECE_BYTES)):
                            return
                        target.sendall(data)
        except (OSError, ValueError):  # closed by either side, or by stop
            pass
        finally:
            for side in self._open:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)

    def _inner(self) -> socket.socket:
        until_s = time.monotonic() + INNER_S
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.inner_port), 1.0)
            except OSError:
                if time.monotonic() > until_s:
                    raise
                time.sleep(AGAIN_S)
