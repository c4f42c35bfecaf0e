"""Where a page comes from (``Origin``, RFC 6454) and what it calls the server (``Host``, RFC 9110), for comparison.

Both are brought to one form: lower case, one way to write an address, no dot after the name, a default port filled in.
"""

import ipaddress
import re
from typing import Final, NamedTuple

PORTS: Final = {"http": 80, "https": 443}
HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(?::([0-9]{0,5}))?")


class Host(NamedTuple):
    """A host as a browser names it, without brackets; ``port`` None where it is left out."""

    name: str
    port: int | None


class Origin(NamedTuple):
    """A page's origin with its port, even where the text leaves it out."""

    scheme: str
    name: str
    port: int

    def __str__(self) -> str:
        """The origin as browsers write it."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.scheme}://{name}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")


def host_of(netloc: str) -> Host | None:
    """Parse ``name``, ``name:port`` or ``[address]:port``; None for anything else, also with a user and password."""
    match = HOST.fullmatch(netloc.lower())
    if match is None:
        return None
    name, port = _name(match[1]), int(match[2]) if match[2] else None
    return Host(name, port) if name and (port is None or port < 65536) else None


def origin_of(text: str) -> Origin | None:
    """Parse an http(s) origin; None for others ("null" too), and for text with more than scheme, host and port."""
    scheme, mark, netloc = text.partition("://")
    scheme, host = scheme.lower(), host_of(netloc)
    if not mark or host is None or scheme not in PORTS:
        return None
    return Origin(scheme, host.name, PORTS[scheme] if host.port is None else host.port)


def _name(text: str) -> str:
    """A name or an address in its one form; empty for anything else."""
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            return ""
    name = text.removesuffix(".")
    if "" in name.split("."):
        return ""
    try:
        return name if name.isascii() else name.encode("idna").decode()  # as browsers write it
    except UnicodeError:
        return ""
