"""All about a catalogue's segments beside their vectors, by track.

Tracks come in blocks: those that were there when the catalogue was opened, then those that came since. A block never
changes, so a table that knows more or fewer tracks is cheap, and shares the rest with the one before.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.spec import CLIP_S, WINDOW_S

from .measures import Measures
from .placed import Placed
from .recent import Recent
from .records import Floats, Mask
from .standard import Standard, scale_of, standard_of
from .standing import Order, Raw, raw_of
from .stored import StoredSegments, StoredTrack
from .wanted import Wanted

KEPT: Final = 2048  # tracks
BORDER_BONUS: Final = 0.02  # of cosine: for a start where a section surely begins


@dataclass(frozen=True, slots=True, eq=False)
class TrackSegments:
    """A track's k segments: ``first_clips`` (k,), ``standings`` (k, 4) and ``moods`` (k, 3) or None; the ``mean`` and
    ``deviation`` of its standard scores. And where it may be started, (m,) each: the numbers of the segments there, the
    times, and how surely a section begins at each."""

    first_clips: NDArray[np.int64]
    standings: Floats
    moods: Floats | None
    mean: np.float32
    deviation: np.float32
    known: bool  # by a bank
    segments: NDArray[np.int64]
    starts_s: Floats
    borders: Floats
    bonus: Floats  # what those borders are worth, of cosine

    def __len__(self) -> int:
        return len(self.first_clips)

    def between(self, from_s: float, to_s: float) -> NDArray[np.int64]:
        """The numbers of the segments whose middle plays between two times; else the nearest one's."""
        if not len(self):
            return np.zeros(0, np.int64)
        middles_s = self.first_clips * CLIP_S + WINDOW_S / 2
        inside = np.flatnonzero((middles_s >= from_s) & (middles_s <= to_s))
        nearest = np.abs(middles_s - np.clip((from_s + min(to_s, 1e9)) / 2, 0.0, 1e9)).argmin(keepdims=True)
        return inside if len(inside) else nearest


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """What segments are measured by: the bundle's ``bank`` (n, E), or where it has none ``scale``; and the ``order`` of
    those that the catalogue had when it was opened."""

    bank: Floats | None
    scale: float
    order: Order


class Rows:
    """The segments of some tracks by row, those of a track together: as they come from the store."""

    def __init__(
        self, tracks: Sequence[StoredTrack], segments: StoredSegments, measures: Measures | None = None
    ) -> None:
        """``tracks`` by rising id; the segments of others are left out. ``measures``: of these tracks, where their
        vectors were not read."""
        self.tracks = tracks
        numbers = {stored.track.id: number for number, stored in enumerate(tracks)}
        owners = np.repeat(np.array([numbers.get(id, -1) for id in segments.tracks], np.int64), segments.counts)
        kept: NDArray[np.intp] | slice = (
            slice(None) if len(owners) and owners.min() >= 0 else np.flatnonzero(owners >= 0)
        )
        self.owners = owners[kept]
        if (np.diff(self.owners) < 0).any():
            raise ValueError("segments must come by their track's id")
        self.vectors = segments.vectors[kept] if measures is None else segments.vectors
        self.moods = None if segments.moods is None else segments.moods[kept]
        self.counts = np.bincount(self.owners, minlength=len(tracks)).astype(np.int64)
        clips = [stored.clips for stored in tracks]
        self.standard = None if measures is None else measures.standard(clips, self.counts)
        self.first_clips, self.starts_s = segments.first_clips[kept], segments.starts_s[kept]
        self.borders = segments.borders[kept]
        self.placed: Placed | None = None  # by the order that they are to be placed by

    def raw(self, chosen: Mask | None = None) -> Raw:
        """Of the tracks ``chosen`` (tracks,), or of all."""
        tracks, counts = self.tracks, self.counts
        rows: Mask | slice = slice(None)
        if chosen is not None and not chosen.all():
            tracks = [tracks[number] for number in np.flatnonzero(chosen).tolist()]
            counts, rows = counts[chosen], np.repeat(chosen, counts)
        ends = np.cumsum(counts)
        spans = np.stack([ends - counts, ends], axis=1)
        outlines, tempi_bpm = [stored.outline for stored in tracks], [stored.track.tempo_bpm for stored in tracks]
        return raw_of(
            outlines, spans, self.first_clips[rows], tempi_bpm, None if self.moods is None else self.moods[rows]
        )

    def standings(self, order: Order) -> Floats:
        """(rows, 4)"""
        if self.placed is None:
            return order.standings(self.raw())
        return self.placed.standings(self.tracks, self.counts, lambda new: order.standings(self.raw(new)))

    def yardstick(self, bank: Floats | None, order: Order) -> Yardstick:
        """By these as all segments of a catalogue."""
        return Yardstick(bank, scale_of(self.vectors), order)


class _Block:
    """Rows without their vectors, measured."""

    def __init__(self, rows: Rows, yardstick: Yardstick) -> None:
        self.firsts: list[int] = (np.cumsum(rows.counts) - rows.counts).tolist()  # quicker to look up than an array
        self.counts: list[int] = rows.counts.tolist()
        self._rows = (rows.first_clips, rows.starts_s, rows.borders, rows.moods)
        self.standings = rows.standings(yardstick.order)
        self.standings.setflags(write=False)  # every candidate has a view of it
        self.standard: Standard = (
            standard_of(rows.vectors, yardstick.bank, rows.owners, yardstick.scale)
            if rows.standard is None
            else rows.standard
        )
        self._cache: Recent[int, TrackSegments] = Recent(KEPT)

    def stamps(self, tracks: Sequence[StoredTrack]) -> list[str]:
        """Of each track a text that is another one when what an index holds of it would be."""
        standard, texts = self.standard, []
        for stored, first, count in zip(tracks, self.firsts, self.counts, strict=True):
            own = slice(first, first + count)
            told = blake2b(repr(stored.track).encode("utf-8", "surrogateescape"), digest_size=9)
            for part in (self.standings[own], standard.means[own], standard.deviations[own]):
                told.update(part.tobytes())
            texts.append(f"{stored.clips}:{told.hexdigest()}")
        return texts

    def of(self, number: int) -> TrackSegments:
        return self._cache.get(number, lambda: self._of(number))

    def _of(self, number: int) -> TrackSegments:
        first, count = self.firsts[number], self.counts[number]
        own = slice(first, first + count)
        first_clips, starts_s, borders, moods = self._rows
        segments = np.flatnonzero(~np.isnan(starts_s[own]))
        parts = segments, starts_s[own][segments], borders[own][segments], BORDER_BONUS * borders[own][segments]
        for part in parts:
            part.setflags(write=False)
        standard, mood = self.standard, None if moods is None else moods[own]
        mean, deviation = (standard.means[first], standard.deviations[first]) if count else (np.float32(0),) * 2
        return TrackSegments(first_clips[own], self.standings[own], mood, mean, deviation, standard.known, *parts)


class SegmentTable:
    """Of some tracks, by their ids; never changed once made."""

    def __init__(self, yardstick: Yardstick, places: Mapping[str, tuple[_Block, int]] | None = None) -> None:
        self._yardstick = yardstick
        self._places = places or {}

    def changed(self, gone: Collection[str], rows: Rows) -> "tuple[SegmentTable, Wanted]":
        """The table without ``gone`` and with the tracks of ``rows``, and what an index holds of these (see
        ``standard.py``)."""
        block = _Block(rows, self._yardstick)
        places = {id: place for id, place in self._places.items() if id not in gone} if gone else dict(self._places)
        places |= {stored.track.id: (block, number) for number, stored in enumerate(rows.tracks)}
        stamps = block.stamps(rows.tracks)
        wanted = Wanted(rows.tracks, rows.counts, stamps, block.standard, block.standings, rows.vectors)
        return SegmentTable(self._yardstick, places), wanted

    def count(self, track: str) -> int:
        """How many segments a track has; 0 for an id that is not known."""
        block, number = self._places.get(track, (None, 0))
        return 0 if block is None else block.counts[number]

    def of_track(self, track: str) -> TrackSegments | None:
        """All about a track's segments; None for an id that is not known."""
        block, number = self._places.get(track, (None, 0))
        return None if block is None else block.of(number)

    def deviations(self, tracks: Iterable[str], counts: NDArray[np.int64]) -> Floats:
        """(m,): of the segments of tracks that have so many each."""
        own = [block.standard.deviations[block.firsts[n]] for block, n in map(self._places.__getitem__, tracks)]
        return np.repeat(np.array(own, np.float32), counts)

    def known(self, tracks: Sequence[str], counts: NDArray[np.int64]) -> Mask:
        """(tracks,): whether each is known with so many segments."""
        known: Mask = np.array([self.count(track) for track in tracks], np.int64) == counts
        return known
