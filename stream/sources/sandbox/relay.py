"""A port on this machine behind which stands an address that was checked: for protocols that only FFmpeg speaks.

FFmpeg is given the port and never the name, so it has nothing to look up. TLS is spoken by the relay, with the name
checked against the certificate. RTSP servers can send a client elsewhere, and FFmpeg would go: of their answers only
what takes part in playing is passed on.
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

CONNECTIONS: Final = 4  # RTMP comes again to authenticate
PIECE_BYTES: Final = 64 * 1024
HEAD_BYTES: Final = 16 * 1024
BODY_BYTES: Final = 256 * 1024
SILENT_S: Final = 30.0
PASSED: Final = frozenset(
    {"cseq", "session", "transport", "content-type", "content-base", "public", "range", "rtp-info", "www-authenticate"}
)


class Screen(Protocol):
    """What a server says -> what is passed on. Raises SourceError for what ends the connection."""

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
        """The next whole piece as it is to be passed on, or None while it is not all there."""
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
        kept = [f"{name}: {value}" for name, value in fields if name in PASSED]
        written = "\r\n".join([f"RTSP/1.0 {status[:3]} answer", *kept, f"Content-Length: {size}", "", ""])
        return written.encode("latin-1") + whole[len(head) + 4 :]

    def _cut(self, size: int) -> bytes | None:
        if len(self._waiting) < size:
            return None
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        return piece


class Relay:
    """A context manager; ``port`` on 127.0.0.1 leads to ``target``. ``error`` says why a connection was not passed."""

    def __init__(self, target: Target, allowed: Sequence[Network] = ()) -> None:
        self.error: str | None = None
        self._target = target
        self._allowed = allowed
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = [self._listening]
        threading.Thread(target=self._serve, name="relay", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every connection. Idempotent."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed by stop
            for _ in range(CONNECTIONS):
                here, _ = self._listening.accept()
                self._open.append(here)
                try:
                    there = self._upstream()
                except (SourceError, OSError) as error:
                    self.error = str(error)
                    here.close()
                    continue
                self._open.append(there)
                screen = RtspScreen() if self._target.scheme == "rtsp" else Everything()
                threading.Thread(target=self._pass, args=(here, there, screen), name="relay", daemon=True).start()

    def _upstream(self) -> socket.socket:
        sock = dial(self._target, self._allowed)
        sock.settimeout(SILENT_S)
        if self._target.scheme == "rtmps":
            return ssl.create_default_context().wrap_socket(sock, server_hostname=self._target.host)
        return sock

    def _pass(self, here: socket.socket, there: socket.socket, screen: Screen) -> None:
        """Both directions, in one thread, since a TLS connection is for one at a time."""
        try:
            while True:
                waits = isinstance(there, ssl.SSLSocket) and there.pending() > 0
                ready = [there] if waits else select.select([here, there], [], [], SILENT_S)[0]
                if here in ready:
                    there.sendall(_some(here))
                if there in ready:
                    here.sendall(screen.push(_some(there)))
                if not ready:
                    raise OSError(f"nothing came for {SILENT_S:g} s")
        except SourceError as error:
            self.error = str(error)
        except (OSError, ValueError):  # closed by either side, or by stop
            pass
        for each in (here, there):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _some(source: socket.socket) -> bytes:
    data = source.recv(PIECE_BYTES)
    if not data:
        raise OSError("the connection ended")
    return data
