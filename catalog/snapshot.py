"""What a catalogue knows of its tracks at one moment, shared by searches; never changed once made."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from .choice import Choice
from .recordings import best_files
from .records import Track
from .segments import Rows, SegmentTable
from .stored import StoredTrack
from .wanted import Wanted


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of tracks between two moments: those that can be suggested now, or differ, and those that cannot."""

    added: tuple[Track, ...] = ()
    changed: tuple[Track, ...] = ()
    removed: tuple[Track, ...] = ()


class Snapshot:
    """Tracks and their segments. Files of one recording count once: ``by_id`` has the track that stands for it under
    the ids of all of them."""

    def __init__(
        self, table: SegmentTable, by_id: Mapping[str, StoredTrack], recordings: Mapping[str, frozenset[str]]
    ) -> None:
        """``recordings``: the ids of each recording's tracks."""
        self.table, self.by_id, self._recordings = table, by_id, recordings
        self.choice = Choice(by_id)

    @cached_property
    def standing(self) -> dict[str, StoredTrack]:
        """The tracks that may be suggested: one of each recording."""
        best = {stored.track.id: stored for stored in self.by_id.values()}
        return {id: best[id] for id in sorted(best)}

    def __len__(self) -> int:
        return len(self._recordings)

    def playlists(self) -> dict[str, int]:
        """The names of all playlists, in alphabetical order, and how many tracks each has."""
        counts = Counter(name for stored in self.standing.values() for name in stored.track.playlists)
        return dict(sorted(counts.items(), key=lambda pair: (pair[0].casefold(), pair[0])))

    def mates(self, ids: Iterable[str]) -> set[str]:
        """The ids of all tracks of the recordings of ``ids``, as far as they are known."""
        recordings = {self.by_id[id].recording for id in ids if id in self.by_id}
        return {id for recording in recordings for id in self._recordings[recording]}

    def changed(
        self, gone: Collection[str], tracks: Collection[StoredTrack], rows: Callable[[list[StoredTrack]], Rows]
    ) -> "Step":
        """The next snapshot: without the ids ``gone`` (whole recordings, see ``mates``) and with ``tracks`` (whole
        recordings), the segments of which ``rows`` gives."""
        recordings, by_id = dict(self._recordings), dict(self.by_id)
        before = {stored.track.id: stored for stored in map(by_id.get, gone) if stored is not None}
        for id in gone:
            if (old := by_id.pop(id, None)) is not None:
                recordings.pop(old.recording, None)
        standing = best_files(tracks)
        by_id |= standing
        for stored in tracks:
            recordings[stored.recording] = recordings.get(stored.recording, frozenset()) | {stored.track.id}
        now = {stored.track.id: stored for stored in standing.values()}
        rows_now = rows([now[id] for id in sorted(now)])
        table, indexed = self.table.changed(before.keys() - now.keys(), rows_now)
        return Step(Snapshot(table, by_id, recordings), indexed, changes_of(before, now))


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """From one snapshot to the next: ``indexed`` is what an index has to hold anew."""

    snapshot: Snapshot
    indexed: Wanted
    changes: Changes


def changes_of(before: Mapping[str, StoredTrack], now: Mapping[str, StoredTrack]) -> Changes:
    """What differs, by the tracks' ids."""
    both = sorted(now.keys() & before.keys())
    return Changes(
        tuple(now[id].track for id in sorted(now.keys() - before.keys())),
        tuple(now[id].track for id in both if now[id].track != before[id].track),
        tuple(before[id].track for id in sorted(before.keys() - now.keys())),
    )
