"""What a catalogue reads of its database: everything when it is opened, later what changed since."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from .database import DATABASE, Stamp, damaged, free, stamp_of
from .libraries.trust import apply_notes
from .measures import Measures, measured
from .recordings import best_files
from .records import Floats
from .segments import Rows, SegmentTable
from .snapshot import Snapshot, Step
from .standard import LEAST, standard_of
from .standing import Order
from .store import Store
from .stored import StoredSegments, StoredTrack
from .whole import NO_SEGMENT

MEASURED: Final = 512  # tracks, of which the vectors are read at once to measure them


@dataclass(frozen=True, slots=True)
class Version:
    """A state of a database. ``identity``: another one when it was replaced. ``same``: while its stamp is this, nothing
    was written; None where asking the database takes no time."""

    revision: int = 0
    identity: tuple[int, ...] = ()
    same: Stamp | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """Whole recordings as of ``version``. ``gone``: what a snapshot has to forget before it takes these. ``damaged``:
    tracks that are left out, and what of each is damaged. ``measures``: of all tracks; their vectors were not read."""

    version: Version
    tracks: list[StoredTrack]
    segments: StoredSegments
    gone: frozenset[str] = frozenset()
    damaged: Mapping[str, str] = field(default_factory=dict)
    measures: Measures | None = None

    def first(self, bank: Floats | None, order: Callable[[Rows], Order]) -> Step:
        """A snapshot of these alone, measured by themselves (see ``segments.Yardstick``), and placed by the ``order``
        that is given for them."""
        standing = {stored.track.id: stored for stored in best_files(self.tracks).values()}
        rows = self._rows([standing[id] for id in sorted(standing)])
        nothing = Snapshot(SegmentTable(rows.yardstick(bank, order(rows))), {}, {})
        return nothing.changed((), self.tracks, lambda _: rows)

    def next(self, before: Snapshot) -> Step:
        """What follows ``before``, measured as that."""
        return before.changed(self.gone, self.tracks, self._rows)

    def _rows(self, tracks: list[StoredTrack]) -> Rows:
        return Rows(tracks, self.segments, self.measures)


def everything(folder: Path, dim: int) -> Loaded:
    """All of a catalogue whose vectors have ``dim`` numbers. Raises ``FormatError``."""
    stamp = stamp_of(folder / DATABASE)
    with _reading(folder) as store:
        return _load(store, dim, _version(store, stamp), None)


def without_vectors(folder: Path, dim: int, bank: Floats, measures: Measures) -> Loaded:
    """All of a catalogue but its vectors. Tracks that ``measures`` does not have are measured by ``bank`` (n, E), and
    the others left as they are. Raises ``FormatError``."""
    stamp = stamp_of(folder / DATABASE)
    with _reading(folder) as store:
        return _load(store, dim, _version(store, stamp), None, measures=measures, bank=bank)


def vectors_of(folder: Path, dim: int, clips: Mapping[str, str]) -> Floats | None:
    """(rows, E): of tracks, by their ids, that have the clip files ``clips``; None where one of them has changed since,
    or is damaged. Raises ``FormatError``."""
    with _reading(folder) as store:
        now = store.clip_files()
        if any(id not in now or now[id][0] != name for id, name in clips.items()):
            return None
        found = store.segments(dim, clips)
        return found.vectors if found.tracks == sorted(clips) else None


def changed_since(folder: Path, dim: int, version: Version, before: Snapshot) -> Loaded | Version | None:
    """The recordings that changed since ``version``, when ``before`` was read; the version now where none did;
    None where the database was replaced by another. Raises ``FormatError``."""
    stamp = stamp_of(folder / DATABASE)
    if stamp == version.same:
        return version
    with _reading(folder) as store:
        now = _version(store, stamp)
        if now.identity != version.identity:
            return None
        if now.revision == version.revision:
            return now
        changed = store.changed_since(version.revision)
        if changed is None:  # too long ago: as if everything had
            return _load(store, dim, now, None, frozenset(before.by_id))
        ids, whole = set[str](), changed
        while ids != whole:  # until all files of each recording are among them, then and now
            ids = whole
            whole = ids | before.mates(ids) | store.mates(ids)
        return _load(store, dim, now, ids, frozenset(ids))


def _version(store: Store, stamp: Stamp) -> Version:
    """``stamp``: of before ``store`` was opened."""
    same = stamp if stamp.settled and store.is_read_whole() else None
    return Version(store.revision(), store.identity(), same)


def _load(
    store: Store,
    dim: int,
    version: Version,
    ids: Collection[str] | None,
    gone: frozenset[str] = frozenset(),
    measures: Measures | None = None,
    bank: Floats | None = None,
) -> Loaded:
    damaged: dict[str, str] = {}
    found, segments = store.tracks(ids, damaged), store.segments(dim, ids, damaged, vectors=measures is None)
    held = set(segments.tracks)
    damaged |= {
        stored.track.id: NO_SEGMENT
        for stored in found
        if stored.track.id not in held and stored.track.id not in damaged
    }
    if measures is not None and bank is not None:
        whole = [stored for stored in found if not stored.track.hidden and stored.track.id not in damaged]
        measures = _all_measured(store, dim, whole, measures, bank, damaged)
    tracks = [stored for stored in found if not stored.track.hidden and stored.track.id not in damaged]
    said = store.notes.all() if ids is None else store.notes.of_tracks(ids)
    places = store.places_of_tracks(ids) if said else {}
    tracks, segments = apply_notes(tracks, segments, said, places)
    return Loaded(version, tracks, segments, gone, damaged, measures)


def _all_measured(
    store: Store, dim: int, tracks: Sequence[StoredTrack], known: Measures, bank: Floats, damaged: dict[str, str]
) -> Measures:
    """``known``, and the others of ``tracks`` measured; ``damaged`` gets those whose vectors are not whole."""
    new = {stored.track.id: stored.clips for stored in tracks if stored.clips not in known}
    ids = sorted(new)
    for at in range(0, len(ids), MEASURED):
        segments = store.segments(dim, ids[at : at + MEASURED], damaged)
        owners = np.repeat(np.arange(len(segments.counts)), segments.counts)
        known = measured(segments, new, standard_of(segments.vectors, bank, owners, LEAST), known)
    return known


@contextmanager
def _reading(folder: Path) -> Iterator[Store]:
    """One state of a database. One that is damaged as a whole is a ``FormatError``."""
    try:
        with free(folder / DATABASE), closing(Store(folder, write=False)) as store, store.snapshot():
            yield store
    except sqlite3.DatabaseError as error:
        raise damaged(folder, error) from error
