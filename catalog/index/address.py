"""The address of an index on a server: ``SCHEME://USER:PASSWORD@HOST:PORT/PATH?OPTION=VALUE``.

Nobody's credentials are in what ``str`` or ``repr`` say of an address, nor in any error of this module.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from catalog.errors import SearchIndexError

from .names import PASSWORD

HIDDEN: Final = "***"
CURE: Final = "write user and password percent-encoded (@ is %40, / is %2F), a host, and a port up to 65535"


@dataclass(frozen=True, slots=True)
class Address:
    """``path`` without its first slash; ``options`` in their order."""

    scheme: str
    host: str
    port: int
    path: str
    options: tuple[tuple[str, str], ...] = ()
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        """Without credentials, and without options, which might hold some."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}" + (f"/{self.path}" if self.path else "")

    def option(self, name: str, default: str = "") -> str:
        return dict(self.options).get(name, default)

    def hide(self, text: str) -> str:
        """What a library said, without the password."""
        return text.replace(self.password, HIDDEN) if self.password else text


def parse_address(
    text: str, port: int, options: Collection[str], environment: Mapping[str, str] = os.environ
) -> Address:
    """``port``: where the address names none; ``options``: the names that it may have. A password that is not in the
    address may be in the environment. Raises ``SearchIndexError``."""
    scheme = text.partition("://")[0]
    told = f"index {scheme}://..."
    try:
        parts = urlsplit(text)
        found = tuple(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        host, given = parts.hostname, parts.port
    except ValueError:
        raise SearchIndexError(f"{told}: the address cannot be read; {CURE}") from None
    if not host or parts.fragment:
        raise SearchIndexError(f"{told}: the address has {'a fragment (#)' if parts.fragment else 'no host'}; {CURE}")
    if any(name not in options for name, _ in found):
        raise SearchIndexError(f"{told}: the address has an option that is not known; known: {', '.join(options)}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "") or environment.get(PASSWORD, "")
    return Address(scheme, host, given or port, unquote(parts.path.strip("/")), found, user, password)


def shown_index(name: str) -> str:
    """The name of an index, or its address without credentials and options, to be printed."""
    scheme, colon, rest = name.partition("://")
    if not colon:
        return name
    bare = rest.partition("?")[0].partition("#")[0]
    return f"{scheme}://{bare.rpartition('@')[2]}"
