"""A catalogue opened for searching: a snapshot of what was indexed, safe for any number of threads.

Of a recording that several files hold, and of files that are missing, nothing is suggested twice or in vain: one track
a recording, whose file was there when the folder was indexed. Tracks, segment vectors, beats and rhythm are held in
memory; clip embeddings stay on disk, memory-mapped, at most ``OPEN_FILES`` at once. What an indexer writes later is
seen by the next ``open``.
"""

from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle
from features.spec import MAX_CLIPS, RHYTHM_FIELDS

from .choice import Choice, Few
from .clips import clip_path
from .database import exclusive
from .errors import UnknownTrackError
from .gain import common_lufs, gain_db
from .gpu_search import SearchState, open_searcher
from .index import Hit, SegmentIndex
from .layout import Layout, check_bundle, check_vacant, layout_of, read_layout, write_layout
from .needs import shape_of
from .recent import Recent
from .records import Candidate, Filters, Floats, Mask, Outline, Places, Track
from .standard import BLOCK, asked, shared, standard_of
from .standing import standings
from .store import Store, StoredSegment, StoredTrack

OPEN_FILES = 256
KEPT_SEGMENTS = 2048  # some 10 kB each
SegmentParts = tuple[Floats, Mask, Floats, dict[str, Floats]]  # clips, mask, rhythm, extras: as in ``Candidate``
LEAN_COSINE = 0.4  # what the whole of a dial is worth where a start in a track is chosen
BORDER_BONUS = 0.02  # of cosine: for a start where a section surely begins


class Catalog:
    """Made by ``Catalog.open`` or ``Catalog.create``; a context manager."""

    def __init__(self, folder: Path, layout: Layout, tracks: list[StoredTrack], segments: list[StoredSegment],
                 vectors: Floats, moods: Floats | None, search_device: str = "cpu",
                 target_lufs: float | None = None, bank: Floats | None = None) -> None:  # fmt: skip
        self.folder = folder
        self.layout = layout
        self._tracks = best_of_each(tracks)
        outlines = [stored.outline for stored in self._tracks.values() if stored.outline is not None]
        self.target_lufs = common_lufs(outlines) if target_lufs is None else target_lufs
        order = {stored.track.id: stored for stored in self._tracks.values()}
        self._order = [stored.track for stored in order.values()]
        rows = [row for row, segment in enumerate(segments) if segment.track in order]
        if len(rows) < len(segments):
            segments, vectors, moods = [segments[row] for row in rows], vectors[rows], _picked(moods, rows)
        self._segments = segments
        self._moods = moods
        best = {track.id: i for i, track in enumerate(self._order)}
        numbers = {id: best[stored.track.id] for id, stored in self._tracks.items()}
        owners = np.array([numbers[segment.track] for segment in segments], dtype=np.int64)
        self._spans = spans_of(owners, len(self._order))
        self._numbers = numbers
        self._starts = np.array([np.nan if s.start_s is None else s.start_s for s in segments], np.float32)
        self._borders = np.array([segment.border for segment in segments], np.float32)
        first_clips = np.array([segment.first_clip for segment in segments], np.int64)
        own_outlines = [stored.outline for stored in order.values()]
        tempi_bpm = [stored.track.tempo_bpm for stored in order.values()]
        self._standings = standings(own_outlines, self._spans, first_clips, tempi_bpm, moods)
        self._standings.setflags(write=False)  # every candidate has a view of it
        self._standard = standard_of(vectors, bank, owners)
        self._index = SegmentIndex(self._standard.rows(vectors, self._standings), owners)
        self._choice = Choice(self._order, owners, self._spans, numbers)
        self._searcher, self._opened = open_searcher(search_device, self._index.vectors)
        if self._searcher is not None:
            self._index.use(self._searcher)
        self._clips: Recent[str, Floats] = Recent(OPEN_FILES)
        self._windows: Recent[int, SegmentParts] = Recent(KEPT_SEGMENTS)
        self._begins: Recent[int, tuple[NDArray[np.int64], Floats, Floats]] = Recent(KEPT_SEGMENTS)

    @classmethod
    def open(
        cls, folder: Path | str, bundle: Bundle | None, search_device: str = "cpu", target_lufs: float | None = None
    ) -> Self:
        """Load a catalogue. ``bundle`` None: it will only be asked about its own tracks. ``search_device``: one of
        ``gpu_search.DEVICES``. ``target_lufs``: what candidates' gains bring tracks to (None: ``gain.common_lufs``).

        Raises ``FormatError`` for a folder that is no catalogue, ``BundleMismatchError`` when another bundle made it,
        ``SearchDeviceError`` where a GPU is asked for and there is none.
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
        finally:
            store.close()
        bank = None if bundle is None or bundle.bank is None else bundle.bank.queries
        return cls(folder, layout, tracks, segments, vectors, moods, search_device, target_lufs, bank)

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
        """Let go of the mapped files and of the GPU. May be called twice."""
        self._clips.clear()
        self._index.close()

    @property
    def search_state(self) -> SearchState:
        """Where searches are answered now, and why not on a GPU, if one was asked for."""
        return self._opened if self._searcher is None else self._searcher.state

    def tracks(self) -> list[Track]:
        """All tracks, by artist and title; of a recording that several files hold, the best file's."""
        return sorted(self._order, key=lambda track: (track.artist.casefold(), track.title.casefold(), track.id))

    def track(self, id: str) -> Track:
        """A track by its id, or by that of another file of the same recording. Raises ``UnknownTrackError``."""
        return self._stored(id).track

    def beats(self, id: str) -> Floats:
        """(m,) float32, the track's beats in seconds. Raises ``UnknownTrackError``."""
        return self._stored(id).beats

    def vector(self, id: str) -> Floats:
        """(E,) float32 of unit norm: the mean of a track's segments, to ask for what is like it."""
        first, behind = self._spans[self._numbers[self.track(id).id]]
        mean: Floats = self._standard.plain(self._index.vectors, slice(first, behind)).mean(axis=0)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)

    def outline(self, id: str) -> Outline | None:
        """The course of a track, None where it was indexed without. Raises ``UnknownTrackError``."""
        return self._stored(id).outline

    def gain(self, id: str) -> float | None:
        """dB that bring a track to the common loudness; None where it was indexed without. Raises
        ``UnknownTrackError``."""
        outline = self.outline(id)
        return None if outline is None else gain_db(outline, self.target_lufs)

    def search(
        self,
        query: Floats,
        n: int,
        filters: Filters | None = None,
        keep: frozenset[str] = frozenset(),
        lean: Sequence[float] = (),
    ) -> list[Candidate]:
        """The ``n`` best tracks for ``query`` (E,) of unit norm, best first, each as good as its best segment (by
        standard score, see ``standard.py``); where it may be started, and how well what begins there fits. Behind them
        the tracks of ``keep`` that are not among them.

        ``lean``: a number in [-1, 1] for each of ``LEANS``, or none. What stands further that way in the catalogue
        counts as nearer, by up to ``standard.LEAN_REACH`` deviations for each.

        Fewer when fewer pass ``filters``. Tracks under 20 s are left out unless they are asked for, named, or all that
        is left. A track whose clip file is gone or damaged is left out: an indexer has removed it since, or will hear
        it again.
        """
        if query.shape != (self.layout.embedding_dim,):
            raise ValueError(f"a query has shape {(self.layout.embedding_dim,)}, not {query.shape}")
        wanted = asked(query, lean)
        found = [self._candidate(hit, query, lean) for hit in self._hits(wanted, n, filters or Filters())]
        there = {candidate.track.id for candidate in found if candidate is not None}
        if missing := keep - there:
            only = Filters(only=missing)
            found += [self._candidate(hit, query, lean) for hit in self._hits(wanted, len(missing), only)]
        return [candidate for candidate in found if candidate is not None]

    def like(self, id: str, n: int, filters: Filters | None = None) -> list[Candidate]:
        """The ``n`` tracks that are most like one of the catalogue, best first: by plain similarity, since what footage
        a segment is near to says nothing here. Raises ``UnknownTrackError``."""
        query = self.vector(id)
        rows = self._choice.rows(filters or Filters())
        there = np.ones(len(self._index), bool) if rows is None else rows
        numbers = there.rows if isinstance(there, Few) else np.flatnonzero(there)
        blocks = [self._near(numbers[at : at + BLOCK], query) for at in range(0, len(numbers), BLOCK)]
        hits = self._index.best(numbers, np.concatenate([*blocks, np.zeros(0, np.float32)]), n) if n > 0 else []
        found = [self._candidate(hit, query, ()) for hit in hits]
        return [candidate for candidate in found if candidate is not None]

    def _near(self, rows: NDArray[np.int64], query: Floats) -> Floats:
        """(m,): the cosines of a query (E,) and the segments ``rows`` (m,)."""
        return self._standard.similarities(self._index.vectors, rows, query)

    def _hits(self, query: Floats, n: int, filters: Filters) -> list[Hit]:
        rows = self._choice.rows(filters)
        return self._index.scan(query, n, rows.rows) if isinstance(rows, Few) else self._index.search(query, n, rows)

    def _stored(self, id: str) -> StoredTrack:
        try:
            return self._tracks[id]
        except KeyError:
            raise UnknownTrackError(
                f"{id!r}: no such track in {self.folder}; segue search -c {self.folder} lists them"
            ) from None

    def _candidate(self, hit: Hit, query: Floats, lean: Sequence[float]) -> Candidate | None:
        stored = self._tracks[self._segments[hit.row].track]
        number = self._numbers[stored.track.id]
        rows, starts_s, borders = self._begins.get(number, lambda: self._begin_rows(number))
        places, row, start_s = None, hit.row, 0.0
        if len(rows):
            fits = self._near(rows, query)
            if lean:
                fits += LEAN_COSINE * (self._standings[rows] @ shared(lean))
            places = Places(starts_s, fits, borders)
            best = int(np.argmax(fits + BORDER_BONUS * borders))
            row, start_s = int(rows[best]), float(starts_s[best])
        try:
            clips, mask, rhythm, extras = self._windows.get(row, lambda: self._window(self._segments[row], stored))
        except (OSError, ValueError):
            return None
        mood = None if self._moods is None else self._moods[row]
        outline, gain = stored.outline, self.gain(stored.track.id)
        similarity = float(self._near(np.array([hit.row]), query)[0])
        return Candidate(
            stored.track, start_s, similarity, clips, mask, rhythm, mood, extras, places, outline, gain,
            self._standings[row], self._standard.zscore(similarity, hit.row)
        )  # fmt: skip

    def _begin_rows(self, number: int) -> tuple[NDArray[np.int64], Floats, Floats]:
        """The rows at which a track may be started, with the starts and their borders; (m,) each."""
        first, behind = self._spans[number]
        rows = first + np.flatnonzero(~np.isnan(self._starts[first:behind]))
        parts = rows, self._starts[rows], self._borders[rows]
        for part in parts:
            part.setflags(write=False)
        return parts

    def _window(self, segment: StoredSegment, stored: StoredTrack) -> SegmentParts:
        mapped = self._clips.get(stored.clips, lambda: self._map(stored.clips))
        window = slice(segment.first_clip, segment.first_clip + MAX_CLIPS)
        valid = len(mapped[window])
        rows = np.zeros((MAX_CLIPS, mapped.shape[1]), np.float32)
        rhythm = np.zeros((MAX_CLIPS, len(RHYTHM_FIELDS)), np.float32)
        rows[:valid], rhythm[:valid] = mapped[window], stored.rhythm[window]
        mask = np.arange(MAX_CLIPS) < valid
        clips, extras = self._parts(rows)
        for part in (rows, clips, mask, rhythm, *extras.values()):
            part.setflags(write=False)  # shared by every search that finds the segment
        return clips, mask, rhythm, extras

    def _parts(self, rows: Floats) -> tuple[Floats, dict[str, Floats]]:
        """Rows as the store keeps them -> clip vectors, and the features behind them."""
        at = self.layout.clip_dim
        clips, extras = rows[:, :at], {}
        for name in self.layout.extras:
            shape = shape_of(name)
            extras[name] = rows[:, at : at + prod(shape)].reshape(len(rows), *shape)
            at += prod(shape)
        return clips, extras

    def _map(self, name: str) -> Floats:
        clips: Floats = np.load(clip_path(self.folder, name), mmap_mode="r")
        return clips


def spans_of(owners: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(count, 2) the first row of each of ``count`` owners, and the one behind the last; rows of one lie together."""
    spans = np.zeros((count, 2), np.int64)
    firsts = np.flatnonzero(np.diff(owners, prepend=-1))
    spans[owners[firsts]] = np.stack([firsts, np.append(firsts[1:], len(owners))[: len(firsts)]], axis=1)
    return spans


def best_of_each(tracks: Iterable[StoredTrack]) -> dict[str, StoredTrack]:
    """Each id -> the track that stands for its recording: of lossless sound before lossy, longer before shorter."""
    best: dict[str, StoredTrack] = {}
    tracks = list(tracks)
    for stored in tracks:
        rival = best.get(stored.recording)
        if rival is None or _worth(stored) > _worth(rival):
            best[stored.recording] = stored
    return {stored.track.id: best[stored.recording] for stored in tracks}


def _worth(stored: StoredTrack) -> tuple[bool, float]:
    return stored.lossless, stored.track.duration_s


def _picked(values: Floats | None, rows: list[int]) -> Floats | None:
    return None if values is None else values[rows]
