"""The indexes; a new one is a row here, and passes ``tests/catalog/index``."""

from collections.abc import Callable, Mapping
from typing import Final

from catalog.errors import SearchIndexError

from .base import IndexOptions, VectorIndex
from .compact import CompactIndex
from .flat import FlatIndex
from .milvus import open_milvus, probe_milvus
from .names import DEFAULT as DEFAULT
from .postgres import open_postgres, probe_postgres

COMPACT_FROM: Final = 20_000  # segments; below, comparing all of them in memory takes half a millisecond


def auto(options: IndexOptions) -> VectorIndex:
    """Exact and in memory where the catalogue is small or a GPU may be used, else compact."""
    small = options.segments < COMPACT_FROM or options.device != "cpu"
    return FlatIndex(options) if small else CompactIndex(options)


INDEXES: Final[Mapping[str, Callable[[IndexOptions], VectorIndex]]] = {
    "flat": FlatIndex,
    "compact": CompactIndex,
    "auto": auto,
}
# By the scheme of an address, which is given whole, with what it may hold of credentials.
SERVERS: Final[Mapping[str, Callable[[str, IndexOptions], VectorIndex]]] = {
    "milvus": open_milvus,
    "postgres": open_postgres,
    "postgresql": open_postgres,
}


# The same, for a server that is only asked whether it is there.
PROBES: Final[Mapping[str, Callable[[str], str]]] = {
    "milvus": probe_milvus,
    "postgres": probe_postgres,
    "postgresql": probe_postgres,
}


def open_index(name: str, options: IndexOptions) -> VectorIndex:
    """The index of that name, or at that address. Raises ``SearchIndexError`` for a name that is not in the table,
    ``SearchDeviceError`` where it cannot use the device."""
    scheme, colon, _ = name.partition("://")
    if colon and scheme in SERVERS:
        return SERVERS[scheme](name, options)
    if name in INDEXES:
        return INDEXES[name](options)
    raise _unknown(name)


def probe_index(name: str) -> str:
    """What would search there, in words, without credentials; nothing is made or changed. Raises
    ``SearchIndexError``."""
    scheme, colon, _ = name.partition("://")
    if colon and scheme in PROBES:
        return PROBES[scheme](name)
    if name in INDEXES:
        return f"{name} searches in the process itself and needs no server"
    raise _unknown(name)


def _unknown(name: str) -> SearchIndexError:
    scheme, colon, _ = name.partition("://")
    known = ", ".join([*INDEXES, *(f"{scheme}://..." for scheme in SERVERS)])
    told = f"{scheme}://..." if colon else name  # an address may hold a password
    return SearchIndexError(f"index {told!r}: there is none of that name; choose one of {known}")
