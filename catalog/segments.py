"""All about a catalogue's segments beside their vectors, by row: the rows of a track lie together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .index.base import Segments
from .recent import Recent
from .records import Floats
from .standard import standard_of
from .standing import standings
from .store import StoredSegment, StoredTrack

KEPT = 2048  # tracks


@dataclass(frozen=True, slots=True, eq=False)
class TrackSegments:
    """A track's ``count`` rows from ``first`` on, and where it may be started, (m,) each: the numbers of the segments
    there, their rows, the times, and how surely a section begins at each."""

    first: int
    count: int
    segments: NDArray[np.int64]
    rows: NDArray[np.int64]
    starts_s: Floats
    borders: Floats


class SegmentTable:
    """Of ``tracks`` by rising id, and ``segments`` by their track's id and their place in it; ``vectors`` (rows, E),
    ``moods`` (rows, 3) or None, ``bank`` (n, E) or None."""

    def __init__(
        self,
        tracks: Sequence[StoredTrack],
        segments: Sequence[StoredSegment],
        vectors: Floats,
        moods: Floats | None,
        bank: Floats | None,
    ) -> None:
        self._tracks = tracks
        self._numbers = {stored.track.id: number for number, stored in enumerate(tracks)}
        owners = np.array([self._numbers[segment.track] for segment in segments], np.int64)
        if (np.diff(owners) < 0).any():
            raise ValueError("segments must come by their track's id")
        self._counts = np.bincount(owners, minlength=len(tracks)).astype(np.int64)
        firsts = np.cumsum(self._counts) - self._counts
        self._firsts: list[int] = firsts.tolist()  # a look-up in a list is quicker than in an array
        self._lengths: list[int] = self._counts.tolist()
        self._first_clips = np.array([segment.first_clip for segment in segments], np.int64)
        self._starts_s = np.array([np.nan if s.start_s is None else s.start_s for s in segments], np.float32)
        self._borders = np.array([segment.border for segment in segments], np.float32)
        spans = np.stack([firsts, firsts + self._counts], axis=1)
        self.moods = moods
        self.standings = standings(
            [stored.outline for stored in tracks], spans, self._first_clips,
            [stored.track.tempo_bpm for stored in tracks], moods
        )  # fmt: skip
        self.standings.setflags(write=False)  # every candidate has a view of it
        self.standard = standard_of(vectors, bank, owners)
        self._cache: Recent[int, TrackSegments] = Recent(KEPT)

    def __len__(self) -> int:
        return len(self._first_clips)

    def indexed(self, vectors: Floats) -> Segments:
        """What an index holds of the segments' ``vectors`` (rows, E): see ``standard.py``."""
        tracks = [stored.track for stored in self._tracks]
        return Segments(tracks, self._counts, self.standard.rows(vectors, self.standings))

    def count(self, track: str) -> int:
        """How many segments a track has; 0 for an id that is not known."""
        number = self._numbers.get(track)
        return 0 if number is None else self._lengths[number]

    def first_row(self, track: str) -> int:
        """The row of a track's first segment."""
        return self._firsts[self._numbers[track]]

    def rows_of(self, tracks: Sequence[str], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """(m,): the rows of whole tracks that have so many segments each."""
        firsts = np.array([self.first_row(track) for track in tracks], np.int64)
        rows: NDArray[np.int64] = np.arange(int(counts.sum())) + np.repeat(firsts - np.cumsum(counts) + counts, counts)
        return rows

    def first_clip(self, row: int) -> int:
        return int(self._first_clips[row])

    def of_track(self, track: str) -> TrackSegments | None:
        """A track's rows and starts; None for an id that is not known."""
        number = self._numbers.get(track)
        return None if number is None else self._cache.get(number, lambda: self._of_number(number))

    def _of_number(self, number: int) -> TrackSegments:
        first, count = self._firsts[number], self._lengths[number]
        segments = np.flatnonzero(~np.isnan(self._starts_s[first : first + count]))
        rows = first + segments
        parts = segments, rows, self._starts_s[rows], self._borders[rows]
        for part in parts:
            part.setflags(write=False)
        return TrackSegments(first, count, *parts)
