"""An address to listen on, as ``segue serve --listen`` and ``segue watch`` take it.

``srt://127.0.0.1:9001``, ``rtmp://127.0.0.1:1935/live/x`` and ``udp://127.0.0.1:9000``. As a source of ``watch`` the
first two also connect to others, so there ``?mode=listener`` and ``?listen=1`` say that Segue listens.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from stream.errors import SourceError

SCHEMES: Final = ("srt", "rtmp", "udp")
DEFAULT_PORT: Final = {"rtmp": 1935}
PASSPHRASE: Final = range(10, 80)  # characters; what SRT takes (draft-sharabayko-srt, section 3.2.2)
ADDRESS_CHARACTERS: Final = 2048
SILENT_US: Final = 15_000_000  # after which an SRT publisher that is connected and sends nothing is given up
SAYS_IT: Final = {"srt": ("mode", "listener"), "rtmp": ("listen", "1"), "udp": ("mode", "listener")}


@dataclass(frozen=True)
class ListenAddress:
    """``host`` is a literal address; ``fields``: those of the query that go to FFmpeg, a passphrase among them."""

    scheme: str
    host: str
    port: int
    path: str = ""
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The address without the query, which may hold a secret."""
        return f"{self.scheme}://{self._netloc}{self.path}"

    @property
    def url(self) -> str:
        """The whole address; `parsed` reads it back."""
        query = f"?{urlencode(self.fields)}" if self.fields else ""
        return f"{self.text}{query}"

    @property
    def key(self) -> str:
        """The key of the session that this address feeds."""
        return f"listen-{self.port}"

    @property
    def label(self) -> str:
        return f"{self.scheme.upper()} :{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def guarded(self) -> bool:
        """Whether a publisher needs a passphrase. Only SRT has one."""
        return self.scheme == "srt" and len(dict(self.fields).get("passphrase", "")) in PASSPHRASE

    @property
    def srt_url(self) -> str:
        """For an ffmpeg program: waits for ever for a caller, and not for ever for a silent one."""
        fields = {"timeout": str(SILENT_US), **dict(self.fields), "mode": "listener"}
        return f"srt://{self._netloc}?{urlencode(fields)}"

    @property
    def _netloc(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def parsed(text: str) -> ListenAddress:
    """Take an address apart. Raises SourceError with the cure for one that cannot be listened on."""
    example = "write it as srt://127.0.0.1:9001, rtmp://127.0.0.1:1935/live/x or udp://127.0.0.1:9000"
    if len(text) > ADDRESS_CHARACTERS or not text.isascii() or not text.isprintable() or " " in text:
        raise SourceError(f"an address to listen on is too long, or holds characters that none has; {example}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise SourceError(f"an address to listen on cannot be read ({error}); {example}") from error
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise SourceError(f"{scheme or 'no scheme'}: is not listened on; {example}")
    if parts.username or parts.password:
        raise SourceError(f"{scheme}: a name or password in the address protects nothing here; {example}")
    port = DEFAULT_PORT.get(scheme) if port is None else port
    if not port:
        raise SourceError(f"{scheme}://{host}: names no port; {example}")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host or "0.0.0.0")
    except ValueError as error:
        raise SourceError(f"{scheme}://{host}: is no IP address of this machine; {example}") from error
    if address.is_multicast:
        raise SourceError(f"{scheme}://{host}: multicast is not taken; let the sender send to this machine alone")
    return ListenAddress(scheme, str(address), port, _path(scheme, parts.path), _fields(scheme, parts.query))


def listens(source: str) -> bool:
    """Whether a source of ``segue watch`` is one to listen on."""
    scheme, _, rest = source.partition("://")
    scheme = scheme.lower()
    if scheme not in SCHEMES or not rest:
        return False
    return scheme == "udp" or SAYS_IT[scheme] in parse_qsl(rest.partition("?")[2])


def _path(scheme: str, path: str) -> str:
    return path if scheme == "rtmp" and path.strip("/") else "/live" if scheme == "rtmp" else ""


def _fields(scheme: str, query: str) -> tuple[tuple[str, str], ...]:
    fields = dict(parse_qsl(query, keep_blank_values=True))
    name, value = SAYS_IT[scheme]
    if fields.pop(name, value) != value:
        raise SourceError(f"{scheme}: {name} is something else than {value}, but here Segue listens; leave it out")
    if scheme == "udp":
        fields.pop("pkt_size", None)  # the sender's affair; it stands in addresses that are copied from there
    if scheme != "srt" and fields:
        raise SourceError(f"{scheme}: {next(iter(fields))[:40]} is not taken; leave it out")
    if "passphrase" in fields and len(fields["passphrase"]) not in PASSPHRASE:
        raise SourceError(f"srt: a passphrase has {PASSPHRASE.start} to {PASSPHRASE.stop - 1} characters")
    return tuple(sorted(fields.items()))
