"""A catalogue opened for searching, safe for any number of threads.

Each recording counts once, however many files hold it: as one track, whose file was there when the folder was indexed.
Tracks, beats and rhythm are held in memory, segments' vectors by the index; clip embeddings stay on disk,
memory-mapped, at most ``OPEN_FILES`` at once. What an indexer writes later is seen by the next ``open``, or by
``refresh``, which reads only what changed; a search under way goes on with what it began with.
"""

import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from engines.bundle import Bundle

from .candidates import candidates_of
from .damaged import Damaged
from .database import exclusive
from .errors import FormatError, SearchIndexError, UnknownTrackError
from .gain import common_lufs, gain_db
from .index.base import Hit, IndexOptions, SearchState
from .index.names import IN_MEMORY
from .index.registry import DEFAULT, open_index
from .keeping import GROWN, order_for
from .layout import Layout, check_bundle, check_vacant, layout_of, read_layout, write_layout
from .likeness import most_alike
from .loading import Loaded, Version, changed_since, everything
from .opening import lean, opened
from .records import Candidate, Filters, Floats, Outline, Track
from .snapshot import Changes, Snapshot, changes_of
from .standard import index_query, index_width, plain
from .store import Store
from .stored import StoredTrack
from .windows import Windows
from .words import WordSearch

OPEN_FILES = 256
KEPT = 1000  # tracks that went while it was open, whose names are still known


class Catalog:
    """Made by ``Catalog.open`` or ``Catalog.create``; a context manager."""

    def __init__(
        self,
        folder: Path,
        layout: Layout,
        loaded: Loaded,
        search_device: str = "cpu",
        target_lufs: float | None = None,
        bank: Floats | None = None,
        index: str = DEFAULT,
    ) -> None:
        self.folder, self.layout = folder, layout
        self._bank = bank
        width, segments = index_width(layout.embedding_dim), int(loaded.segments.counts.sum())
        self._index = open_index(index, IndexOptions(folder, width, search_device, segments))
        loaded, step = opened(self._index, folder, layout.embedding_dim, bank, loaded)
        self._now, self._version, self._measured = step.snapshot, loaded.version, len(step.snapshot)
        self._lufs_given = target_lufs is not None
        self.target_lufs = common_lufs(_outlines(step.snapshot)) if target_lufs is None else target_lufs
        self._gone: dict[str, StoredTrack] = {}
        self._refreshing, self._swapping, self._naming = threading.Lock(), threading.Lock(), threading.Lock()
        self._words: WordSearch | None = None
        self._windows = Windows(folder, layout, OPEN_FILES)
        self._damaged = Damaged(folder)
        self._damaged.tell(loaded)

    @classmethod
    def open(
        cls,
        folder: Path | str,
        bundle: Bundle | None,
        search_device: str = "cpu",
        target_lufs: float | None = None,
        index: str = DEFAULT,
    ) -> Self:
        """Load a catalogue. ``bundle`` None: only for questions about its own tracks. ``search_device``: one of
        ``index.gpu.DEVICES``. ``target_lufs``: what candidates' gains bring tracks to (None: ``gain.common_lufs``).
        ``index``: one of ``index.registry.INDEXES``, or the address of a server of ``index.registry.SERVERS``; without
        a bundle all is in memory. What an index has kept is brought up to date.

        Raises ``FormatError`` for a folder that is no catalogue, ``BundleMismatchError`` when another bundle made it,
        ``SearchDeviceError`` where a GPU is requested and there is none, ``SearchIndexError`` for an unknown index.
        """
        folder = Path(folder)
        layout = read_layout(folder)
        if bundle is not None:
            check_bundle(folder, layout, bundle)
        bank = None if bundle is None or bundle.bank is None else bundle.bank.queries
        index = index if bundle is not None else IN_MEMORY  # scores without the bank are no good to others
        loaded = lean(folder, layout.embedding_dim, bank, index)
        return cls(folder, layout, loaded, search_device, target_lufs, bank, index)

    @classmethod
    def create(cls, folder: Path | str, bundle: Bundle) -> Self:
        """Make an empty catalogue for ``bundle`` in a new or empty folder, and open it."""
        folder = Path(folder)
        check_vacant(folder)
        with exclusive(folder):
            write_layout(folder, layout_of(bundle))
            Store(folder, write=True).close()
        return cls.open(folder, bundle)

    def __len__(self) -> int:
        return len(self._now)

    def __contains__(self, id: str) -> bool:
        """Whether a track can be suggested, be it from another file of its recording."""
        return id in self._now.by_id

    def refresh(self) -> Changes:
        """See what an indexer or an edit committed since; how long that takes depends on how much it is. Tracks whose
        number has grown or shrunk a lot are measured anew, all of them. Blocks.

        Raises ``FormatError`` where the database cannot be read now, or is of a catalogue that another bundle made,
        ``SearchIndexError`` where the index cannot; the catalogue is then as before, and the next call tries again.
        """
        with self._refreshing:
            before, dim, measured = self._now, self.layout.embedding_dim, self._measured
            loaded = changed_since(self.folder, dim, self._version, before)
            if isinstance(loaded, Version):
                self._version = loaded
                return Changes()
            if loaded is None:
                self._check_layout()
            else:
                step = loaded.next(before)
                changes = step.changes
            if loaded is None or not measured / GROWN <= len(step.snapshot) <= measured * GROWN:
                loaded = everything(self.folder, dim)
                step = loaded.first(self._bank, lambda rows: order_for(self._index, self.folder, rows, renew=True))
                measured = len(step.snapshot)
                changes = changes_of(before.standing, step.snapshot.standing)
            with self._swapping:
                self._index.upsert(step.indexed.segments())
                if changes.removed:
                    self._index.remove([track.id for track in changes.removed])
                self._remember(before, changes)
                with self._naming:
                    if measured != self._measured and not self._lufs_given:
                        self.target_lufs = common_lufs(_outlines(step.snapshot))
                    self._now, self._version, self._measured = step.snapshot, loaded.version, measured
                    self._damaged.tell(loaded)
                    if self._words is not None:
                        self._words.change((track.id for track in changes.removed), changes.added + changes.changed)
            return changes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the mapped files and of the index. May be called twice."""
        self._windows.close()
        if self._words is not None:
            self._words.close()
            self._words = None
        self._index.close()

    @property
    def search_state(self) -> SearchState:
        """Where searches run now, and why not on a GPU where one was requested."""
        return self._index.state

    def tracks(self) -> list[Track]:
        """All tracks, by artist and title; of a recording that several files hold, the best file's."""
        tracks = (stored.track for stored in self._now.standing.values())
        return sorted(tracks, key=lambda track: (track.artist.casefold(), track.title.casefold(), track.id))

    def track(self, id: str) -> Track:
        """A track by its id, or by that of another file of the same recording; also one that went since the catalogue
        was opened. Raises ``UnknownTrackError``."""
        return self._stored(id).track

    def named(self, text: str) -> list[Track]:
        """The tracks that have all words of ``text``, see ``words.py``; the best first."""
        with self._naming:
            if self._words is None:  # most processes never ask
                self._words = WordSearch(stored.track for stored in self._now.standing.values())
        standing = self._now.standing
        return [standing[id].track for id in self._words.search(text) if id in standing]

    def playlists(self) -> dict[str, int]:
        """The names of all playlists that tracks are in, in alphabetical order, and how many tracks each has."""
        return self._now.playlists()

    def beats(self, id: str) -> Floats:
        """(m,) float32, the track's beats in seconds. Raises ``UnknownTrackError``."""
        return self._stored(id).beats

    def vector(self, id: str, from_s: float = 0.0, to_s: float = math.inf) -> Floats:
        """(E,) float32 of unit norm: the mean of a track's segments, a query for similar tracks; of those that play
        between the two times, or of the nearest one. Raises ``UnknownTrackError``, also for a track that went."""
        while True:
            now, track = self._now, self.track(id)
            segments = now.table.of_track(track.id)
            if segments is None and now is self._now:
                raise UnknownTrackError(
                    f"{id!r} ({track.title or track.path.name}) is no longer in {self.folder}: its file is gone, or it "
                    f"was removed; segue search -c {self.folder} lists what is there"
                )
            [vectors] = self._index.vectors([track.id])
            if segments is not None and len(vectors) == len(segments):
                break
            with self._swapping:  # the track comes, goes or changes meanwhile, until index and snapshot agree
                if now is self._now:
                    raise SearchIndexError(
                        f"{self.folder}: the index does not hold track {track.id} as it is; open the catalogue again, "
                        "which brings it up to date"
                    )
        some = segments.between(from_s, to_s)
        mean: Floats = plain(vectors[some], segments.deviation).mean(axis=0)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)

    def outline(self, id: str) -> Outline | None:
        """The course of a track, None where it was indexed without one. Raises ``UnknownTrackError``."""
        return self._stored(id).outline

    def gain(self, id: str) -> float | None:
        """dB that bring a track to the common loudness; None where it was indexed without an outline. Raises
        ``UnknownTrackError``."""
        return self._gain(self.outline(id))

    def search(
        self,
        query: Floats,
        n: int,
        filters: Filters | None = None,
        keep: frozenset[str] = frozenset(),
        lean: Sequence[float] = (),
    ) -> list[Candidate]:
        """The ``n`` best tracks for ``query`` (E,) of unit norm, best first, each as good as its best segment (by
        standard score, see ``standard.py``); with its possible starts and how well each of them fits. Then the tracks
        of ``keep`` that are not among them.

        ``lean``: a number in [-1, 1] for each of ``LEANS``, or none. A segment that stands further that way in
        the catalogue counts as nearer, by up to ``standard.LEAN_REACH`` deviations for each.

        Fewer when fewer pass ``filters``. Tracks under 20 s are left out unless ``filters`` allow or name them, or
        nothing else is left. A track whose clip file is gone or damaged is left out: an indexer has removed it since,
        or will analyse it again; so is a track that only the index knows.
        """
        if query.shape != (self.layout.embedding_dim,):
            raise ValueError(f"a query has shape {(self.layout.embedding_dim,)}, not {query.shape}")
        while True:
            now = self._now
            candidates, whole = self._search(now, query, n, filters or Filters(), keep, lean)
            if whole:
                return candidates
            with self._swapping:  # hits of tracks that come or go meanwhile are lost, until index and snapshot agree
                if now is self._now:
                    return candidates

    def like(
        self, id: str, n: int, filters: Filters | None = None, from_s: float = 0.0, to_s: float = math.inf
    ) -> list[Candidate]:
        """The ``n`` tracks that are most like one of the catalogue, or like what plays in it between two times, best
        first: by plain similarity, since nearness to footage says nothing here. Compares every segment. Raises
        ``UnknownTrackError``."""
        query, now = self.vector(id, from_s, to_s), self._now
        for where in now.choice.places(filters or Filters()):
            if hits := most_alike(self._index, now.table, query, n, where):
                return self._candidates(now, hits, query, ())
        return []

    def _search(
        self, now: Snapshot, query: Floats, n: int, filters: Filters, keep: frozenset[str], lean: Sequence[float]
    ) -> tuple[list[Candidate], bool]:
        """The candidates, and whether every hit is among them."""
        index_vector = index_query(query, lean)
        hits = self._hits(now, index_vector, n, filters)
        candidates = self._candidates(now, hits, query, lean)
        if missing := keep - {candidate.track.id for candidate in candidates}:
            more = self._hits(now, index_vector, len(missing), Filters(only=missing))
            hits, candidates = hits + more, candidates + self._candidates(now, more, query, lean)
        return candidates, len(candidates) == len(hits)

    def _hits(self, now: Snapshot, query: Floats, n: int, filters: Filters) -> list[Hit]:
        for where in now.choice.places(filters):
            if hits := self._index.search(query, n, where):
                return hits
        return []

    def _check_layout(self) -> None:
        if read_layout(self.folder) != self.layout:
            raise FormatError(f"{self.folder}: replaced by a catalogue that another bundle made; open it anew")

    def _remember(self, before: Snapshot, changes: Changes) -> None:
        """Keep the names of tracks that went: one may be on air, or in what a session took."""
        gone = self._gone | {track.id: before.by_id[track.id] for track in changes.removed}
        self._gone = dict(list(gone.items())[-KEPT:])

    def _gain(self, outline: Outline | None) -> float | None:
        return None if outline is None else gain_db(outline, self.target_lufs)

    def _stored(self, id: str) -> StoredTrack:
        stored = self._now.by_id.get(id) or self._gone.get(id)
        if stored is None:
            raise UnknownTrackError(f"{id!r}: no such track in {self.folder}; segue search -c {self.folder} lists them")
        return stored

    def _candidates(self, now: Snapshot, hits: Sequence[Hit], query: Floats, lean: Sequence[float]) -> list[Candidate]:
        vectors = self._index.vectors([hit.track for hit in hits])
        return candidates_of(now, self._windows, hits, vectors, query, lean, self.target_lufs)


def _outlines(snapshot: Snapshot) -> list[Outline]:
    return [stored.outline for stored in snapshot.by_id.values() if stored.outline is not None]
