"""What an index on a server asks of it: a ``Server`` holds rows of segments and heads of tracks (``remote.py``)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from catalog.records import Floats

from .directory import Entries, Entry
from .fields import Needed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """A row that a search found."""

    track: str
    version: int
    segment: int
    score: float


@dataclass(frozen=True, slots=True)
class Want:
    """Which rows count: those that ``needed`` lets through, of the tracks ``among`` (None: all) but for ``without``.
    ``rows``: about how many these are, of ``total``."""

    needed: Needed
    among: Collection[str] | None
    without: Collection[str]
    rows: int
    total: int


class Server(Protocol):
    """One collection. Every method is safe for threads and raises ``SearchIndexError``, within a bounded time."""

    name: str  # where it is, without credentials
    most: int  # rows that one search returns
    compared_below: int  # where fewer rows than this pass, its own search is not relied on

    def heads(self) -> Iterator[Entry]: ...

    def heads_of(self, ids: Collection[str], newest: bool = False) -> list[Entry]:
        """``newest``: also those that others wrote a moment ago, for which it may wait."""
        ...

    def count(self) -> int:
        """How many rows there are, also such that belong to no track."""
        ...

    def nearest(self, query: Floats, limit: int, want: Want) -> list[Row]:
        """At most ``limit`` rows, best first; fewer: there are no more, as far as the server found any."""
        ...

    def vectors(self, entries: Sequence[Entry]) -> list[Floats | None]:
        """(count, D) of each; None where not all of its rows are there."""
        ...

    def put(self, entries: Sequence[Entry], vectors: Sequence[Floats], old: Sequence[Entry]) -> None:
        """Add entries with their vectors, and take out ``old``, of which some are their earlier versions. A search sees
        each track as it was or as it is, or both, as rows of two versions."""
        ...

    def drop(self, old: Sequence[Entry]) -> None: ...

    def discard(self, lost: Sequence[Entry]) -> None:
        """Take out what ``put`` left of entries whose tracks somebody else wrote at the same time."""
        ...

    def settle(self, added: int, total: int) -> None:
        """After a write of ``added`` rows, which makes ``total``: what the server needs to search them fast."""
        ...

    def sweep(self, entries: Entries, before: int) -> int:
        """Take out rows that belong to none of ``entries`` and have a version below ``before``. Returns how many."""
        ...

    def close(self) -> None: ...


def in_parts(items: Sequence[T], counts: Sequence[int], rows: int) -> Iterator[list[T]]:
    """Runs of ``items`` with about so many rows each."""
    part: list[T] = []
    held = 0
    for item, count in zip(items, counts, strict=True):
        part.append(item)
        held += count
        if held >= rows:
            yield part
            part, held = [], 0
    if part:
        yield part
