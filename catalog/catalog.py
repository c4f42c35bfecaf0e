"""A catalogue opened for searching: a snapshot of what was indexed, safe for any number of threads.

Each recording counts once, however many files hold it: as one track, whose file was there when the folder was indexed.
Tracks, segment vectors, beats and rhythm are held in memory; clip embeddings stay on disk, memory-mapped, at most
``OPEN_FILES`` at once. The next ``open`` reads what an indexer writes later.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from engines.bundle import Bundle

from .choice import Choice
from .database import exclusive
from .errors import SearchIndexError, UnknownTrackError
from .gain import common_lufs, gain_db
from .index.base import Hit, IndexOptions, SearchState
from .index.registry import DEFAULT, open_index
from .layout import Layout, check_bundle, check_vacant, layout_of, read_layout, write_layout
from .libraries.trust import apply_notes
from .likeness import most_alike
from .recordings import best_files
from .records import Candidate, Filters, Floats, Outline, Places, Track
from .segments import SegmentTable
from .standard import index_query, index_width, share_lean
from .store import Store, StoredSegment, StoredTrack
from .windows import Windows

OPEN_FILES = 256
LEAN_COSINE = 0.4  # what a fully turned dial is worth when a start in a track is chosen
BORDER_BONUS = 0.02  # of cosine: for a start where a section surely begins


class Catalog:
    """Made by ``Catalog.open`` or ``Catalog.create``; a context manager."""

    def __init__(self, folder: Path, layout: Layout, tracks: list[StoredTrack], segments: list[StoredSegment],
                 vectors: Floats, moods: Floats | None, search_device: str = "cpu", target_lufs: float | None = None,
                 bank: Floats | None = None, index: str = DEFAULT) -> None:  # fmt: skip
        self.folder = folder
        self.layout = layout
        self._tracks = best_files(tracks)
        outlines = [stored.outline for stored in self._tracks.values() if stored.outline is not None]
        self.target_lufs = common_lufs(outlines) if target_lufs is None else target_lufs
        best = {stored.track.id: stored for stored in self._tracks.values()}
        ordered = [best[id] for id in sorted(best)]
        rows = [row for row, segment in enumerate(segments) if segment.track in best]
        if len(rows) < len(segments):
            segments, vectors = [segments[row] for row in rows], vectors[rows]
            moods = None if moods is None else moods[rows]
        self._order = [stored.track for stored in ordered]
        self._segments = SegmentTable(ordered, segments, vectors, moods, bank)
        self._choice = Choice(self._tracks)
        self._windows = Windows(folder, layout, OPEN_FILES)
        self._index = open_index(index, IndexOptions(folder, index_width(layout.embedding_dim), search_device))
        if not len(self._index):
            self._index.upsert(self._segments.indexed(vectors))

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
        ``index``: one of ``index.registry.INDEXES``, or the address of a server of ``index.registry.SERVERS``.

        Raises ``FormatError`` for a folder that is no catalogue, ``BundleMismatchError`` when another bundle made it,
        ``SearchDeviceError`` where a GPU is requested and there is none, ``SearchIndexError`` for an unknown index.
        """
        folder = Path(folder)
        layout = read_layout(folder)
        if bundle is not None:
            check_bundle(folder, layout, bundle)
        store = Store(folder, write=False)
        try:
            with store.snapshot():
                tracks = store.tracks()
                segments, vectors, moods = store.segments(layout.embedding_dim)
                tracks, segments = apply_notes(tracks, segments, store.notes.all(), store.places_of_tracks())
        finally:
            store.close()
        bank = None if bundle is None or bundle.bank is None else bundle.bank.queries
        return cls(folder, layout, tracks, segments, vectors, moods, search_device, target_lufs, bank, index)

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
        return len(self._order)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the mapped files and of the index. May be called twice."""
        self._windows.close()
        self._index.close()

    @property
    def search_state(self) -> SearchState:
        """Where searches run now, and why not on a GPU where one was requested."""
        return self._index.state

    def tracks(self) -> list[Track]:
        """All tracks, by artist and title; of a recording that several files hold, the best file's."""
        return sorted(self._order, key=lambda track: (track.artist.casefold(), track.title.casefold(), track.id))

    def track(self, id: str) -> Track:
        """A track by its id, or by that of another file of the same recording. Raises ``UnknownTrackError``."""
        return self._stored(id).track

    def playlists(self) -> dict[str, int]:
        """The names of all playlists that tracks are in, in alphabetical order, and how many tracks each has."""
        counts = Counter(name for track in self._order for name in track.playlists)
        return dict(sorted(counts.items(), key=lambda pair: (pair[0].casefold(), pair[0])))

    def beats(self, id: str) -> Floats:
        """(m,) float32, the track's beats in seconds. Raises ``UnknownTrackError``."""
        return self._stored(id).beats

    def vector(self, id: str) -> Floats:
        """(E,) float32 of unit norm: the mean of a track's segments, a query for similar tracks. Raises
        ``UnknownTrackError``."""
        own = self.track(id).id
        [vectors] = self._index.vectors([own])
        if len(vectors) != self._segments.count(own):
            raise SearchIndexError(
                f"{self.folder}: the index does not hold track {own} as it is; index the music again"
            )
        mean: Floats = self._segments.standard.plain(vectors, self._segments.first_row(own)).mean(axis=0)
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
        index_vector = index_query(query, lean)
        candidates = self._candidates(self._hits(index_vector, n, filters or Filters()), query, lean)
        if missing := keep - {candidate.track.id for candidate in candidates}:
            hits = self._hits(index_vector, len(missing), Filters(only=missing))
            candidates += self._candidates(hits, query, lean)
        return candidates

    def like(self, id: str, n: int, filters: Filters | None = None) -> list[Candidate]:
        """The ``n`` tracks that are most like one of the catalogue, best first: by plain similarity, since nearness to
        footage says nothing here. Compares every segment. Raises ``UnknownTrackError``."""
        query = self.vector(id)
        for where in self._choice.places(filters or Filters()):
            if hits := most_alike(self._index, self._segments, query, n, where):
                return self._candidates(hits, query, ())
        return []

    def _hits(self, query: Floats, n: int, filters: Filters) -> list[Hit]:
        for where in self._choice.places(filters):
            if hits := self._index.search(query, n, where):
                return hits
        return []

    def _gain(self, outline: Outline | None) -> float | None:
        return None if outline is None else gain_db(outline, self.target_lufs)

    def _stored(self, id: str) -> StoredTrack:
        try:
            return self._tracks[id]
        except KeyError:
            raise UnknownTrackError(
                f"{id!r}: no such track in {self.folder}; segue search -c {self.folder} lists them"
            ) from None

    def _candidates(self, hits: Sequence[Hit], query: Floats, lean: Sequence[float]) -> list[Candidate]:
        vectors = self._index.vectors([hit.track for hit in hits])
        candidates = (self._candidate(hit, own, query, lean) for hit, own in zip(hits, vectors, strict=True))
        return [candidate for candidate in candidates if candidate is not None]

    def _candidate(self, hit: Hit, vectors: Floats, query: Floats, lean: Sequence[float]) -> Candidate | None:
        """The candidate of a hit and its track's ``vectors`` (k, D). None where its clips cannot be read, and where the
        index holds another version of the track than this snapshot."""
        table = self._segments
        own = table.of_track(hit.track)
        if own is None or not hit.segment < len(vectors) == own.count:
            return None
        stored, width = self._tracks[hit.track], len(query)
        places, row, start_s = None, own.first + hit.segment, 0.0
        if len(own.rows):
            fits = table.standard.similarities(vectors[own.segments, :width], own.first, query)
            if lean:
                fits += LEAN_COSINE * (table.standings[own.rows] @ share_lean(lean))
            places = Places(own.starts_s, fits, own.borders)
            best = int(np.argmax(fits + BORDER_BONUS * own.borders))
            row, start_s = int(own.rows[best]), float(own.starts_s[best])
        try:
            window = self._windows.window(stored, table.first_clip(row))
        except (OSError, ValueError):
            return None
        similarity = float(table.standard.similarities(vectors[hit.segment : hit.segment + 1], own.first, query)[0])
        return Candidate(
            stored.track,
            start_s,
            similarity,
            window.clips,
            window.mask,
            window.rhythm,
            None if table.moods is None else table.moods[row],
            window.extras,
            places,
            stored.outline,
            self._gain(stored.outline),
            table.standings[row],
            table.standard.zscore(similarity, own.first + hit.segment),
        )
