"""The indexes; a new one is a row here, and passes ``tests/catalog/index``."""

from collections.abc import Callable, Mapping
from typing import Final

from catalog.errors import SearchIndexError

from .base import IndexOptions, VectorIndex
from .flat import FlatIndex

DEFAULT: Final = "flat"
INDEXES: Final[Mapping[str, Callable[[IndexOptions], VectorIndex]]] = {
    "flat": FlatIndex,
}


def open_index(name: str, options: IndexOptions) -> VectorIndex:
    """The index of that name. Raises ``SearchIndexError`` for a name that is not in the table, ``SearchDeviceError``
    where it cannot use the device."""
    if name not in INDEXES:
        raise SearchIndexError(f"index {name!r}: there is none of that name; choose one of {', '.join(INDEXES)}")
    return INDEXES[name](options)
