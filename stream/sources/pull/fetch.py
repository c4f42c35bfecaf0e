"""HTTP(S) for everything that is watched or pulled: each connection is checked, also those of redirects and playlists.

FFmpeg's own HTTP looks names up by itself and follows redirects, so it is not used: FFmpeg reads from these objects,
and whatever else it opens comes through here as well. The requests of one source share an `HttpClient`, which keeps
cookies and knows where a name and password may go.
"""

import contextlib
import http.client
import os
import ssl
import time
import urllib.request
import zlib
from collections.abc import Mapping, Sequence
from http.cookiejar import CookieJar
from typing import Any, Final
from urllib.parse import quote, urljoin

from stream.errors import SourceError
from stream.sources.sandbox.addresses import Network, Target, dial, networks, target_of

from .http_auth import Credentials

SCHEMES: Final = ("http", "https")
REDIRECTS: Final = 5
CONNECT_S: Final = 10.0
READ_S: Final = 15.0  # for each piece, not for the whole
RESUME_S: Final = (0.2, 0.5, 1.0, 2.0)  # before each try to go on where a recording broke off
SKIP_BYTES: Final = 256 * 1024**2  # read from a server without ranges to reach the requested place
COOKIES: Final = 200
ANYWHERE: Final = networks(["0.0.0.0/0", "::/0"])
PLAIN: Final = "".join(chr(code) for code in range(33, 127) if chr(code) not in '"<>\\^`{|}')


def tidy(url: str) -> str:
    """The URL with invalid characters (blanks, letters beyond ASCII) written as %XX, a host beyond ASCII as IDNA."""
    scheme, mark, rest = url.strip().partition("://")
    ends = [at for at in (rest.find(sign) for sign in "/?#") if at >= 0]
    at = min(ends, default=len(rest))
    place, path = rest[:at], rest[at:]
    if not place.isascii():
        user, sign, host = place.rpartition("@")
        with contextlib.suppress(UnicodeError):
            place = quote(user, safe=PLAIN) + sign + host.encode("idna").decode()
    return scheme + mark + place + quote(path.partition("#")[0], safe=PLAIN)


def request_headers(options: Mapping[str, str]) -> dict[str, str]:
    """The request headers by FFmpeg's options for HTTP."""
    lines = (line.partition(":") for line in options.get("headers", "").splitlines())
    headers = {name.strip(): value.strip() for name, _, value in lines if name.strip()}
    for option, name in (("user_agent", "User-Agent"), ("referer", "Referer")):
        if option in options:
            headers[name] = options[option]
    return headers


class _Connection(http.client.HTTPConnection):
    """Connects to a checked address of its target, with TLS where the scheme needs it."""

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


class HttpClient:
    """Requests the URLs of one source. ``allowed`` are networks that may be reached though they are not public."""

    def __init__(self, allowed: Sequence[Network] = ANYWHERE) -> None:
        self._allowed = allowed
        self._jar = CookieJar()
        self._credentials = Credentials()

    def open(
        self, url: str, begin: int = 0, end: int | None = None, headers: Mapping[str, str] | None = None
    ) -> "Fetch":
        """Bytes ``begin`` to ``end`` of a URL. Raises SourceError."""
        return Fetch(tidy(url), (), self, begin, end, headers)

    def join(self, base: str, place: str) -> str:
        """The full address of an entry in a playlist."""
        return tidy(urljoin(base, place))

    def ask(
        self, url: str, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse, Target]:
        """Send a request, with at most `REDIRECTS` redirects, and return its answer. Raises SourceError."""
        for _ in range(REDIRECTS + 1):
            target = target_of(url, SCHEMES)
            connection, response = self._get(target, url, headers)
            if response.status == 401 and self._credentials.learn(target, response.headers.get_all("WWW-Authenticate")):
                _close(connection, response)
                connection, response = self._get(target, url, headers)
            place = _header(response, "Location")
            if response.status not in (301, 302, 303, 307, 308) or not place:
                return connection, response, target
            _close(connection, response)
            url = tidy(urljoin(url, place))
        raise SourceError(f"{target.redacted}: more than {REDIRECTS} redirects; give the address where it ends")

    def _get(
        self, target: Target, url: str, more: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        path = (target.parts.path or "/") + (f"?{target.parts.query}" if target.parts.query else "")
        headers = {"User-Agent": "segue", "Accept": "*/*", "Connection": "close", **more}
        headers.update(self._credentials.header(target, path))
        request = urllib.request.Request(url)  # only for the cookie jar
        self._jar.add_cookie_header(request)
        if cookies := request.get_header("Cookie"):
            headers["Cookie"] = cookies
        connection = _Connection(target, self._allowed)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
        except (http.client.HTTPException, OSError, ValueError) as error:
            connection.close()
            if isinstance(error, SourceError):
                raise
            raise SourceError(f"{target.redacted}: {_failure_text(error)}") from error
        if len(self._jar) > COOKIES:
            self._jar.clear()
        self._jar.extract_cookies(response, request)
        return connection, response


class Fetch:
    """A URL, or a part of it, as a file: ``read``, and ``seek`` where the server answers ranges.

    Positions count from ``begin``. A recording that breaks off is resumed if possible. Raises SourceError, OSError.
    ``length`` is None without a known end: then it is on air.
    """

    def __init__(
        self,
        url: str,
        allowed: Sequence[Network] = (),
        client: HttpClient | None = None,
        begin: int = 0,
        end: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client or HttpClient(allowed)
        self._url = self.url = url  # the latter: the final address, without name and password
        self.kind = ""  # its media type
        self._headers = dict(headers or {})
        self._begin = begin
        self._end = end  # where the part ends, in bytes of the whole
        self._last = "" if end is None else str(end - 1)
        self._at = begin
        self._ranges = False
        self._tag: str | None = None
        self._unpack: Any = None
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._open()

    @property
    def length(self) -> int | None:
        return None if self._end is None else self._end - self._begin

    def read(self, size: int) -> bytes:
        """From 1 to ``size`` bytes; none at the end."""
        if self._end is not None:
            size = min(size, self._end - self._at)
        if size <= 0:
            return b""
        data = self._some(size)
        if not data and self._end is not None:
            data = self._resume(size)
        self._at += len(data)
        return data

    def read_all(self, limit: int) -> bytes:
        """The whole content. Raises SourceError for more than ``limit`` bytes."""
        parts, size = [], 0
        while data := self.read(64 * 1024):
            parts.append(data)
            size += len(data)
            if size > limit:
                raise SourceError(
                    f"{target_of(self.url, SCHEMES).redacted}: more than {limit} bytes of text; it is no playlist"
                )
        return b"".join(parts)

    def seekable(self) -> bool:
        return self._ranges and self._end is not None and self._unpack is None

    def tell(self) -> int:
        return self._at - self._begin

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Takes effect with the next ``read``."""
        if not self.seekable() or self._end is None:
            raise OSError("the server answers no ranges")
        base = {os.SEEK_SET: self._begin, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        at = max(self._begin, base + offset)
        if at != self._at:
            self._at = at
            self.close()
        return at - self._begin

    def close(self) -> None:
        """Close the connection; ``read`` makes another. May be called twice."""
        _close(self._connection, self._response)
        self._connection = self._response = None

    def _some(self, size: int) -> bytes:
        """From 1 to ``size`` bytes, unpacked; none where the connection ended."""
        if self._response is None:
            self._open()
        assert self._response is not None
        while True:
            try:
                data = self._response.read1(size)
            except http.client.HTTPException as error:
                if self._end is not None:
                    return b""
                raise OSError(f"the connection broke off ({type(error).__name__})") from error
            except ConnectionError:
                if self._end is None:
                    raise
                return b""
            if self._unpack is None:
                return data
            try:
                plain: bytes = self._unpack.decompress(self._unpack.unconsumed_tail + data, size)
            except zlib.error as error:
                raise OSError(f"what the server packed cannot be unpacked ({error})") from error
            if plain or (not data and not self._unpack.unconsumed_tail):
                return plain

    def _resume(self, size: int) -> bytes:
        """Read on after a connection ended too early."""
        assert self._end is not None
        for wait_s in RESUME_S if self.seekable() else ():
            self.close()
            time.sleep(wait_s)
            with contextlib.suppress(SourceError, OSError):
                self._open()
                if data := self._some(size):
                    return data
        missing = f"after {self._at - self._begin} of {self._end - self._begin} bytes"
        raise OSError(f"the connection broke off {missing}")

    def _open(self) -> None:
        headers = {**self._headers, "Range": f"bytes={self._at}-{self._last}"}
        if self._tag is not None:
            headers["If-Range"] = self._tag
        self._connection, self._response, target = self._client.ask(self._url, headers)
        try:
            self._take(self._response, target)
        except BaseException:
            self.close()
            raise

    def _take(self, response: http.client.HTTPResponse, target: Target) -> None:
        again = self._tag is not None or self._ranges
        if response.status not in (200, 206) or (response.status == 200 and again and self._at > self._begin):
            raise SourceError(f"{target.redacted}: answers {response.status} {response.reason}; check the address")
        self.url = target.parts._replace(netloc=target.parts.netloc.rpartition("@")[2]).geturl()
        self.kind = response.headers.get("Content-Type", "").lower()
        self._unpack = None
        if response.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip", "deflate"):
            self._unpack = zlib.decompressobj(47)  # either header
        size = response.headers.get("Content-Length", "")
        begin, whole = 0, int(size) if size.isdecimal() else None
        if response.status == 206:
            self._ranges = True
            begin, whole = _content_range(response.headers.get("Content-Range", ""), self._at, whole)
        if begin > self._at:
            raise SourceError(
                f"{target.redacted}: answers with bytes from {begin} on, not from {self._at}; check the server"
            )
        if self._unpack is None and whole is not None:
            self._end = whole if self._end is None else min(self._end, whole)
        tag = response.headers.get("ETag", "")
        self._tag = tag if self._ranges and tag.startswith('"') else None
        self._skip(self._at - begin)

    def _skip(self, count: int) -> None:
        """Read past bytes that were not requested, of a server that answers no ranges."""
        if count > SKIP_BYTES:
            raise SourceError(f"{target_of(self.url, SCHEMES).redacted}: answers no ranges; use a server that does")
        while count > 0:
            data = self._some(min(count, 64 * 1024))
            if not data:
                raise OSError("the connection broke off")
            count -= len(data)


def _close(connection: http.client.HTTPConnection | None, response: http.client.HTTPResponse | None) -> None:
    if response is not None:
        response.close()
    if connection is not None:
        connection.close()


def _header(response: http.client.HTTPResponse, name: str) -> str:
    """A header's value; in UTF-8 where it is that."""
    text = response.headers.get(name, "")
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _content_range(text: str, requested: int, size: int | None) -> tuple[int, int | None]:
    """``(first byte, length of the whole)`` of a 206 (RFC 9110, section 14.4), as far as the server gives them."""
    unit, _, rest = text.strip().partition(" ")
    reach, _, whole = rest.partition("/")
    first = reach.partition("-")[0]
    begin = int(first) if unit.lower() == "bytes" and first.isdecimal() else requested
    if whole.isdecimal():
        return begin, int(whole)
    last = reach.partition("-")[2]
    return begin, int(last) + 1 if last.isdecimal() else None if size is None else begin + size


def _failure_text(error: Exception) -> str:
    """Why a request failed, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); put it into a file and set SSL_CERT_FILE to that"
        )
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{str(reason).lower()}; check the address and that it is on air"
