"""What an index has to hold of some tracks, made of their vectors: of all, or only as far as it lacks them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .index.base import Segments
from .records import Floats, Mask
from .standard import Standard
from .stored import StoredTrack

Read = Callable[[Mapping[str, str]], Floats]  # of the ids of some tracks and the names of their clip files


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """Of tracks by rising id, with ``counts`` (tracks,) segments each: the ``stamps`` (tracks,), and of the rows their
    ``standard``, ``standings`` (rows, 4) and ``vectors`` (rows, E), or (0, E) where these were not read."""

    tracks: Sequence[StoredTrack]
    counts: NDArray[np.int64]
    stamps: Sequence[str]
    standard: Standard
    standings: Floats
    vectors: Floats

    def lacking(self, kept: Mapping[str, str]) -> Mask:
        """(tracks,): those that an index lacks which has the tracks ``kept`` with these stamps."""
        pairs = zip(self.tracks, self.stamps, strict=True)
        return np.array([kept.get(stored.track.id) != stamp for stored, stamp in pairs], np.bool_)

    def segments(self, chosen: Mask | None = None, read: Read | None = None) -> Segments:
        """What an index takes of the tracks ``chosen`` (tracks,), or of all. ``read``: gives the vectors (rows, E) of
        tracks where these were not read."""
        picked = np.flatnonzero(np.ones(len(self.tracks), np.bool_) if chosen is None else chosen)
        tracks = [self.tracks[number] for number in picked.tolist()]
        stamps = [self.stamps[number] for number in picked.tolist()]
        rows: Mask | slice = slice(None)  # which takes no copy
        if len(picked) < len(self.tracks):
            rows = np.repeat(np.asarray(chosen), self.counts)
        if len(self.vectors) or read is None:
            vectors = self.vectors[rows]
        else:
            vectors = read({stored.track.id: stored.clips for stored in tracks})
        standard = Standard(self.standard.means[rows], self.standard.deviations[rows], self.standard.known)
        held = standard.rows(vectors, self.standings[rows])
        return Segments([stored.track for stored in tracks], self.counts[picked], held, stamps)
