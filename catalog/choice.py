"""Which rows of the index a search may find: tracks by what is asked for, those named and those left out by their ids.

What tracks must be is asked again and again, and kept; ids change from second to second, and cost by their number: a
track's rows lie together.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .recent import Recent
from .records import JINGLE_S, Filters, Mask, Track

KEPT = 64


@dataclass(frozen=True, slots=True, eq=False)
class _Passing:
    """Tracks, and all their rows."""

    tracks: Mask
    rows: Mask

    def without(self, numbers: Collection[int], spans: NDArray[np.int64]) -> "_Passing":
        if not numbers:
            return self
        tracks, rows = self.tracks.copy(), self.rows.copy()
        for number in numbers:
            tracks[number] = False
            rows[spans[number, 0] : spans[number, 1]] = False
        return _Passing(tracks, rows)


@dataclass(frozen=True, slots=True, eq=False)
class Few:
    """(m,) numbers of rows."""

    rows: NDArray[np.int64]


class Choice:
    """Of ``tracks``: ``owners`` (rows,) has the number of each row's track, ``spans`` (tracks, 2) the first row of each
    and the one behind the last, ``numbers`` a track by its id, or by those of other files of its recording."""

    def __init__(
        self,
        tracks: Sequence[Track],
        owners: NDArray[np.int64],
        spans: NDArray[np.int64],
        numbers: Mapping[str, int],
    ) -> None:
        self._tracks, self._owners, self._spans, self._numbers = tracks, owners, spans, numbers
        self._kept: Recent[tuple[Filters, bool], _Passing] = Recent(KEPT)
        self._all_long = all(track.duration_s >= JINGLE_S for track in tracks)

    def rows(self, filters: Filters) -> Mask | Few | None:
        """A mask of all rows, or few by their numbers; None: every row counts."""
        if filters.only is not None:
            return self._of_named(filters, filters.only)
        left_out = self._known(filters.exclude)
        asked = replace(filters, exclude=frozenset(), jingles=False)
        if asked == Filters() and not left_out and (filters.jingles or self._all_long):
            return None
        if not filters.jingles and not self._all_long:
            long = self._passing(asked, long=True).without(left_out, self._spans)
            if long.tracks.any():
                return long.rows
        return self._passing(asked, long=False).without(left_out, self._spans).rows

    def _of_named(self, filters: Filters, only: Collection[str]) -> Few:
        asked = replace(filters, only=None, exclude=frozenset())
        named = sorted(self._known(only) - self._known(filters.exclude))
        spans = [self._spans[number] for number in named if asked.passes(self._tracks[number])]
        return Few(np.concatenate([np.zeros(0, np.int64), *(np.arange(first, behind) for first, behind in spans)]))

    def _known(self, ids: Iterable[str]) -> set[int]:
        return {self._numbers[id] for id in ids if id in self._numbers}

    def _passing(self, filters: Filters, long: bool) -> _Passing:
        def made() -> _Passing:
            passes = (filters.passes(track) and not (long and track.duration_s < JINGLE_S) for track in self._tracks)
            tracks = np.fromiter(passes, np.bool_, len(self._tracks))
            return _Passing(tracks, tracks[self._owners])

        return self._kept.get((filters, long), made)
