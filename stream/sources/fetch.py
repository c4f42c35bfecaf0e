"""HTTP(S) for URLs that clients named: every connection, that of a redirect or a playlist's part too, is checked.

FFmpeg's own HTTP looks names up by itself and follows where it is sent, so it is not used here: it reads from these
objects, and whatever else it wants to open comes through `opener_within` as well.
"""

import base64
import http.client
import os
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote, urljoin

from stream.errors import SourceError

from .addresses import Network, Target, dial, target_of

SCHEMES: Final = ("http", "https")
REDIRECTS: Final = 5
CONNECT_S: Final = 10.0
READ_S: Final = 15.0  # for each piece, not for the whole


class _Connection(http.client.HTTPConnection):
    """Connects to a checked address of its target, with TLS where the scheme asks for it."""

    def __init__(self, target: Target, allowed: Sequence[Network]) -> None:
        super().__init__(target.host, target.port, timeout=READ_S)
        self._target = target
        self._allowed = allowed

    def connect(self) -> None:
        sock = dial(self._target, self._allowed, CONNECT_S)
        sock.settimeout(READ_S)
        if self._target.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self._target.host)
        self.sock = sock


class Fetch:
    """A URL as a file: ``read``, and ``seek`` where the server answers ranges. Raises SourceError, OSError."""

    def __init__(self, url: str, allowed: Sequence[Network] = ()) -> None:
        self._url = url
        self._allowed = allowed
        self._at = 0
        self._length: int | None = None
        self._ranges = False
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._open()

    def read(self, size: int) -> bytes:
        """From 1 to ``size`` bytes; none at the end."""
        if self._length is not None and self._at >= self._length:
            return b""
        if self._response is None:
            self._open()
        assert self._response is not None
        try:
            data = self._response.read1(size)
        except http.client.HTTPException as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        return self._ranges and self._length is not None

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Takes effect with the next ``read``."""
        if not self.seekable() or self._length is None:
            raise OSError("the server answers no ranges")
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        if at != self._at:
            self._at = max(0, at)
            self.close()
        return self._at

    def close(self) -> None:
        """Let go of the connection; ``read`` makes another. May be called twice."""
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
            self._connection.close()
        self._connection = self._response = None

    def _open(self) -> None:
        url, secret = self._url, True
        for _ in range(REDIRECTS + 1):
            target = target_of(url, SCHEMES)
            response = self._ask(target, secret)
            place = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or not place:
                return self._take(response, target)
            self.close()
            following = urljoin(url, place)
            secret = secret and target_of(following, SCHEMES).host == target.host
            url = following
        raise SourceError(f"{target.shown}: more than {REDIRECTS} redirects; give the address where it ends")

    def _ask(self, target: Target, secret: bool) -> http.client.HTTPResponse:
        headers = {"User-Agent": "segue", "Accept": "*/*", "Connection": "close", "Range": f"bytes={self._at}-"}
        if secret and target.parts.username is not None:
            pair = f"{unquote(target.parts.username)}:{unquote(target.parts.password or '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        self._connection = _Connection(target, self._allowed)
        query = f"?{target.parts.query}" if target.parts.query else ""
        try:
            self._connection.request("GET", (target.parts.path or "/") + query, headers=headers)
            self._response = self._connection.getresponse()
            return self._response
        except (http.client.HTTPException, OSError) as error:
            self.close()
            said = getattr(error, "reason", None) or getattr(error, "strerror", None) or error or type(error).__name__
            raise SourceError(f"{target.shown}: {said}; check the address and that it is on air") from error

    def _take(self, response: http.client.HTTPResponse, target: Target) -> None:
        if response.status not in (200, 206) or (response.status == 200 and self._at > 0):
            self.close()
            raise SourceError(f"{target.shown}: answers {response.status} {response.reason}; check the address")
        size = response.headers.get("Content-Length", "")
        self._ranges = response.status == 206
        self._length = self._at + int(size) if size.isdecimal() else None


def opener_within(allowed: Sequence[Network]) -> Callable[[str, int, dict[str, Any]], Fetch]:
    """What ``av.open`` takes as ``io_open``."""

    def io_open(url: str, flags: int, options: dict[str, Any]) -> Fetch:
        return Fetch(url, allowed)

    return io_open
