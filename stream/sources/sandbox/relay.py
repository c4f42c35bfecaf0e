"""A port on this machine that leads to a checked address: for protocols that only FFmpeg speaks.

FFmpeg gets the port and never the name, so it has nothing to look up. The relay speaks TLS and checks the name against
the certificate. RTSP servers can redirect a client, and FFmpeg would follow: of their answers only the parts that
playing needs are passed on.
"""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Final, Protocol, Self

from stream.errors import SourceError

from .addresses import Network, Target, dial

CONNECTIONS: Final = 4  # RTMP connects again to authenticate
PIECE_BYTES: Final = 64 * 1024
HEAD_BYTES: Final = 16 * 1024
BODY_BYTES: Final = 256 * 1024
SILENT_S: Final = 30.0
PASSED_HEADERS: Final = frozenset(
    {"cseq", "session", "transport", "content-type", "content-base", "public", "range", "rtp-info", "www-authenticate"}
)


class Screen(Protocol):
    """Data of a server -> the data that is passed on. Raises SourceError to end the connection."""

    def push(self, data: bytes) -> bytes: ...


class Everything:
    """Passes everything on."""

    def push(self, data: bytes) -> bytes:
        return data


class RtspScreen:
    """Passes on media, and answers written anew from the headers that playing needs (RFC 2326); no redirects."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def push(self, data: bytes) -> bytes:
        self._waiting += data
        passed = bytearray()
        while (piece := self._piece()) is not None:
            passed += piece
        return bytes(passed)

    def _piece(self) -> bytes | None:
        """The next whole piece to pass on, or None while it is incomplete."""
        waiting = self._waiting
        if waiting[:1] == b"$":  # interleaved media: channel, length (section 10.12)
            if len(waiting) < 4:
                return None
            return self._cut(4 + int.from_bytes(waiting[2:4], "big"))
        head, mark, _ = bytes(waiting[: HEAD_BYTES + 4]).partition(b"\r\n\r\n")
        if not mark:
            if len(waiting) > HEAD_BYTES:
                raise SourceError(f"the RTSP server's answer has more than {HEAD_BYTES} bytes of headers")
            return None
        first, *lines = head.replace(b"\r", b"\n").decode("latin-1").split("\n")
        fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        sizes = {value for name, value in fields if name == "content-length"} or {"0"}
        size = next(iter(sizes))
        if len(sizes) != 1 or not size.isdecimal() or int(size) > BODY_BYTES:
            raise SourceError(f"the RTSP server's answer has a length of {', '.join(sorted(sizes))[:40]}")
        whole = self._cut(len(head) + 4 + int(size))
        if whole is None:
            return None
        version, _, status = first.strip().partition(" ")
        if version != "RTSP/1.0" or not status[:3].isdecimal():
            raise SourceError(f"the RTSP server says {first[:40]!r}, which is no answer")
        if status.startswith("3"):
            raise SourceError("the RTSP server redirects, which is not followed here; give the address where it ends")
        passed = [f"{name}: {value}" for name, value in fields if name in PASSED_HEADERS]
        written = "\r\n".join([f"RTSP/1.0 {status[:3]} answer", *passed, f"Content-Length: {size}", "", ""])
        return written.encode("latin-1") + whole[len(head) + 4 :]

    def _cut(self, size: int) -> bytes | None:
        if len(self._waiting) < size:
            return None
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        return piece


class Relay:
    """A context manager; ``port`` on 127.0.0.1 leads to ``target``. ``error`` says why a connection failed."""

    def __init__(self, target: Target, allowed: Sequence[Network] = ()) -> None:
        self.error: str | None = None
        self._target = target
        self._allowed = allowed
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._serve, name="relay", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every connection. Idempotent."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed by stop
            for _ in range(CONNECTIONS):
                client, _ = self._listener.accept()
                self._open.append(client)
                try:
                    server = self._upstream()
                except (SourceError, OSError) as error:
                    self.error = str(error)
                    client.close()
                    continue
                self._open.append(server)
                screen = RtspScreen() if self._target.scheme == "rtsp" else Everything()
                threading.Thread(target=self._pass, args=(client, server, screen), name="relay", daemon=True).start()

    def _upstream(self) -> socket.socket:
        sock = dial(self._target, self._allowed)
        sock.settimeout(SILENT_S)
        if self._target.scheme == "rtmps":
            return ssl.create_default_context().wrap_socket(sock, server_hostname=self._target.host)
        return sock

    def _pass(self, client: socket.socket, server: socket.socket, screen: Screen) -> None:
        """Pass data in both directions, in one thread, since a TLS connection is for one thread at a time."""
        try:
            while True:
                waits = isinstance(server, ssl.SSLSocket) and server.pending() > 0
                ready = [server] if waits else select.select([client, server], [], [], SILENT_S)[0]
                if client in ready:
                    server.sendall(_some(client))
                if server in ready:
                    client.sendall(screen.push(_some(server)))
                if not ready:
                    raise OSError(f"nothing came for {SILENT_S:g} s")
        except SourceError as error:
            self.error = str(error)
        except (OSError, ValueError):  # closed by either side, or by stop
            pass
        for side in (client, server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


def _some(source: socket.socket) -> bytes:
    data = source.recv(PIECE_BYTES)
    if not data:
        raise OSError("the connection ended")
    return data
