"""What a catalogue reads of its database: everything when it is opened, later what changed since."""

from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .libraries.trust import apply_notes
from .recordings import best_files
from .records import Floats
from .segments import Rows, SegmentTable
from .snapshot import Snapshot, Step
from .standing import Order
from .store import Store, StoredSegments, StoredTrack


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """Whole recordings as of ``revision``. ``gone``: what a snapshot has to forget before it takes these."""

    revision: int
    tracks: list[StoredTrack]
    segments: StoredSegments
    gone: frozenset[str] = frozenset()

    def first(self, bank: Floats | None, order: Callable[[Order], Order] = lambda own: own) -> Step:
        """A snapshot of these alone, measured by themselves (see ``segments.Yardstick``), and placed by the ``order``
        that is given for their own one."""
        standing = {stored.track.id: stored for stored in best_files(self.tracks).values()}
        rows = self._rows([standing[id] for id in sorted(standing)])
        nothing = Snapshot(SegmentTable(rows.yardstick(bank, order(Order(rows.raw)))), {}, {})
        return nothing.changed((), self.tracks, lambda _: rows)

    def next(self, before: Snapshot) -> Step:
        """What follows ``before``, measured as that."""
        return before.changed(self.gone, self.tracks, self._rows)

    def _rows(self, tracks: list[StoredTrack]) -> Rows:
        return Rows(tracks, self.segments)


def everything(folder: Path, dim: int) -> Loaded:
    """All of a catalogue whose vectors have ``dim`` numbers. Raises ``FormatError``."""
    with closing(Store(folder, write=False)) as store, store.snapshot():
        return _load(store, dim, None)


def changed_since(folder: Path, dim: int, revision: int, before: Snapshot) -> Loaded | None:
    """The recordings that changed since ``revision``, when ``before`` was read; None where none did. Raises
    ``FormatError``."""
    with closing(Store(folder, write=False)) as store, store.snapshot():
        if store.revision() == revision:
            return None
        changed = store.changed_since(revision)
        if changed is None:  # too long ago: as if everything had
            return _load(store, dim, None, frozenset(before.by_id))
        ids, whole = set[str](), changed
        while ids != whole:  # until all files of each recording are among them, then and now
            ids = whole
            whole = ids | before.mates(ids) | store.mates(ids)
        return _load(store, dim, ids, frozenset(ids))


def _load(store: Store, dim: int, ids: Collection[str] | None, gone: frozenset[str] = frozenset()) -> Loaded:
    tracks = [stored for stored in store.tracks(ids) if not stored.track.hidden]
    said = store.notes.all() if ids is None else store.notes.of_tracks(ids)
    places = store.places_of_tracks(ids) if said else {}
    tracks, segments = apply_notes(tracks, store.segments(dim, ids), said, places)
    return Loaded(store.revision(), tracks, segments, gone)
