"""What a client knows of the tracks that a server holds: each track, its version, how many segments, its stamp.

A version is a number that rises with time; a write gives a track a new one, and every row of a segment has that of its
track. So rows of a track that is being replaced are told apart, whoever replaces it. It takes about a kilobyte a track.
"""

import threading
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from catalog.recent import Recent
from catalog.records import Track

from .base import Condition
from .fields import Needed, needed_by

KEPT: Final = 64  # conditions


@dataclass(frozen=True, slots=True)
class Entry:
    """A track with ``count`` segments, whose vectors were lifted to the norm ``bound`` (see ``lifted.py``)."""

    track: Track
    version: int
    count: int
    stamp: str = ""
    bound: float = 0.0

    @property
    def id(self) -> str:
        return self.track.id


Entries = Mapping[str, Entry]  # by their tracks' ids; never changed once made


@dataclass(frozen=True, slots=True)
class Passing:
    """A condition's tracks among the entries ``of``: their ids, how many segments they have, and the condition as an
    expression, if it has one."""

    of: Entries
    ids: frozenset[str]
    rows: int
    needed: Needed | None


class Directory:
    """Safe for any number of threads. A change makes a new mapping, so ``entries`` is a snapshot."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._changing = threading.Lock()
        self._entries: Entries = {entry.id: entry for entry in entries}
        self._segments = sum(entry.count for entry in self._entries.values())
        self._passing: Recent[Condition, list[Passing]] = Recent(KEPT)
        self._newest = max((entry.version for entry in self._entries.values()), default=0)
        self._bound = max((entry.bound for entry in self._entries.values()), default=0.0)

    @property
    def entries(self) -> Entries:
        return self._entries

    @property
    def segments(self) -> int:
        return self._segments

    @property
    def newest(self) -> int:
        """No version that is known, or was handed out, is higher."""
        return self._newest

    @property
    def bound(self) -> float:
        """The largest of all entries, also of earlier ones."""
        return self._bound

    def next_version(self) -> int:
        """The time in nanoseconds since 1970, or more."""
        with self._changing:
            self._newest = max(self._newest + 1, time.time_ns())
            return self._newest

    def change(self, entries: Iterable[Entry], gone: Iterable[str] = ()) -> None:
        """Without the tracks ``gone``, and with ``entries``."""
        with self._changing:
            self._change(entries, gone)

    def follow(self, ids: Collection[str], asked: Entries, found: Entries) -> None:
        """What a server answered, which was ``asked`` for some tracks when the directory was that: taken over where
        nothing was changed here meanwhile."""
        with self._changing:
            now = self._entries
            same = [id for id in ids if now.get(id) is asked.get(id)]
            new = [found[id] for id in same if id in found and (id not in now or now[id].version != found[id].version)]
            gone = [id for id in same if id not in found and id in now]
            if new or gone:
                self._change(new, gone)

    def _change(self, entries: Iterable[Entry], gone: Iterable[str]) -> None:
        changed = dict(self._entries)
        for id in gone:
            if (old := changed.pop(id, None)) is not None:
                self._segments -= old.count
        for entry in entries:
            old = changed.get(entry.id)
            self._segments += entry.count - (0 if old is None else old.count)
            self._newest, self._bound = max(self._newest, entry.version), max(self._bound, entry.bound)
            changed[entry.id] = entry
        self._entries = changed

    def passing(self, condition: Condition, entries: Entries) -> Passing:
        """Which tracks of ``entries`` pass. Kept until the directory changes; then only what changed is asked anew."""
        kept = self._passing.get(condition, list)
        last = kept[0] if kept else None
        if last is None or last.of is not entries:
            last = _ask(condition, entries, last)
            kept[:] = [last]
        return last


def _ask(condition: Condition, entries: Entries, last: Passing | None) -> Passing:
    if last is None:
        ids = frozenset(id for id, entry in entries.items() if condition.passes(entry.track))
    else:
        changed = [entry for id, entry in entries.items() if last.of.get(id) is not entry]
        gone = last.ids.difference(entries).union(entry.id for entry in changed)
        ids = (last.ids - gone).union(entry.id for entry in changed if condition.passes(entry.track))
    needed = needed_by(condition, {entry.track.licence for entry in entries.values()})
    return Passing(entries, ids, sum(entries[id].count for id in ids), needed)
