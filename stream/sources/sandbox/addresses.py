"""Which addresses a client's URL may lead to.

A server that fetches the URLs of clients reaches places that they cannot: its own services, the machines beside it, a
cloud's metadata. So an address passes only if it is public, by any name, and the socket is connected to the address
that was checked: a name that resolves differently the second time (DNS rebinding) gains nothing.

The tables are IANA's registries of special-purpose addresses (RFC 6890 and its successors), written out, since what
``ipaddress`` calls global differs between releases of Python.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from stream.errors import SourceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

URL_CHARACTERS: Final = 2048
ADDRESSES: Final = 16  # of one name; more are ignored
DEFAULT_PORTS: Final = {"http": 80, "https": 443, "rtmp": 1935, "rtmps": 443, "rtsp": 554}  # srt names its own
CLIENT_SCHEMES: Final = (*DEFAULT_PORTS, "srt")

NOT_PUBLIC: Final = {
    "this network": ("0.0.0.0/8", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    "shared by a provider's customers (CGNAT)": ("100.64.0.0/10",),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "reserved": (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "100::/64",
        "100:0:0:1::/64",
        "2001::/23",
        "5f00::/16",
    ),
    "for documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
}
_TABLE: Final = [(ipaddress.ip_network(text), kind) for kind, texts in NOT_PUBLIC.items() for text in texts]
_GLOBAL_V6: Final = ipaddress.ip_network("2000::/3")  # all assigned addresses; the rest of IPv6 is reserved
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.ip_network("::/96")


def embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address within an IPv6 one: mapped, compatible, NAT64, 6to4 or Teredo; else None."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def refusal(address: Address, allowed: Iterable[Network] = ()) -> str | None:
    """Why an address may not be reached, in a word or two; None where it may: it is public, or in ``allowed``.

    An IPv6 address with an IPv4 one within is judged by that, so IPv4 networks in ``allowed`` are enough. An address
    with a zone (``%eth0``) is local to this machine.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return "link-local"
    inner = embedded(address)
    if inner is not None:
        return refusal(inner, allowed)
    if any(address.version == network.version and address in network for network in allowed):
        return None
    for network, kind in _TABLE:
        if address.version == network.version and address in network:
            return kind
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_V6:
        return "reserved"
    return None


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks, written as ``10.0.0.0/8`` or as a single address. Raises SourceError for other text."""
    parsed = []
    for text in texts:
        try:
            parsed.append(ipaddress.ip_network(text, strict=False))
        except ValueError as error:
            raise SourceError(f"{text}: is no network; write it as 10.0.0.0/8 or fd00::/8") from error
    return tuple(parsed)


@dataclass(frozen=True)
class Target:
    """A URL taken apart: lower-case scheme and host, the port by name or by default, and the parts as written."""

    scheme: str
    host: str
    port: int
    parts: SplitResult

    @property
    def redacted(self) -> str:
        """The URL for a message or a log: without name, password and query, which may be secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.parts.path}"[:200]


def without_secrets(text: str) -> str:
    """A message that may be public: its URLs without names, passwords and queries."""
    return re.sub(r"([A-Za-z]+://)(?:[^/\s]*@)?([^\s?#]*)[^\s:;]*", r"\1\2", text)


def target_of(url: str, schemes: Sequence[str] = CLIENT_SCHEMES) -> Target:
    """The parts of a client's URL. Raises SourceError for a URL that is invalid or ambiguous."""
    if len(url) > URL_CHARACTERS:
        raise SourceError(f"a URL of {len(url)} characters: at most {URL_CHARACTERS} are read; shorten it")
    if not url.isascii() or not url.isprintable() or any(sign in url for sign in ' \\"<>^`{|}'):
        raise SourceError("the URL has characters that none may hold (RFC 3986); write them as %XX")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise SourceError(f"the URL cannot be read ({error}); write it as https://host:port/path") from error
    scheme = parts.scheme.lower()
    if scheme not in schemes:
        raise SourceError(f"{scheme or 'no scheme'}: is not taken here; use one of {', '.join(schemes)}")
    if not host or "%" in host:
        raise SourceError("the URL names no host that can be looked up; write it as https://host:port/path")
    port = DEFAULT_PORTS.get(scheme) if port is None else port
    if not port:
        raise SourceError(f"the {scheme} URL names no port; write it as {scheme}://host:port")
    return Target(scheme, host.rstrip("."), port, parts)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, at most `ADDRESSES`; blocks. Raises OSError where there is none."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))[:ADDRESSES]


def checked(target: Target, allowed: Iterable[Network] = (), ask: Resolve = resolve) -> list[Address]:
    """The addresses of ``target``, all checked. Raises SourceError; blocks while the name is looked up.

    One forbidden address is enough to refuse the name: an honest name has no such mixture.
    """
    try:
        texts = ask(target.host, target.port)
        addresses = [ipaddress.ip_address(text) for text in texts]
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SourceError(f"{target.host}: cannot be looked up ({cause}); check the name") from error
    if not addresses:
        raise SourceError(f"{target.host}: has no address; check the name")
    rules = tuple(allowed)
    for address in addresses:
        kind = refusal(address, rules)
        if kind is not None:
            raise SourceError(
                f"{target.host}: its address {address} is {kind}, which clients may not name; "
                "the server's owner can allow it with --pull-network"
            )
    return addresses


def dial(
    target: Target, allowed: Iterable[Network] = (), timeout_s: float = 10.0, ask: Resolve = resolve
) -> socket.socket:
    """A connection to an address of ``target``, checked in the same call. Raises SourceError; blocks."""
    last: OSError | None = None
    for address in checked(target, allowed, ask):
        try:
            return socket.create_connection((str(address), target.port), timeout_s)
        except OSError as error:
            last = error
    cause = getattr(last, "strerror", None) or last
    raise SourceError(f"{target.redacted}: {str(cause).lower()}; check the address and that it is on air") from last
