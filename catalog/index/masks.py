"""Which rows of a flat index count: by conditions on tracks, by ids that are named, by ids that are left out.

Conditions repeat, so their masks are kept. Ids change from second to second; their cost grows with their number, since
a track's rows lie together.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.recent import Recent
from catalog.records import Mask, Track

from .base import Condition, Where

KEPT: Final = 64  # conditions
EXACT_SHARE: Final = 0.15  # below this share of rows, scanning them beats filtering what the whole index returns


@dataclass(frozen=True, slots=True, eq=False)
class Few:
    """(m,) numbers of rows, rising."""

    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Passing:
    """A condition's rows: all of them as a mask, and in the form that a search uses."""

    mask: Mask
    rows: Mask | Few


class Masks:
    """``tracks``: in the order of their rows; ``bounds`` (tracks + 1): the first row of each track, and the end of the
    last; ``numbers``: the place in ``tracks`` by id."""

    def __init__(self, tracks: Sequence[Track], bounds: Sequence[int], numbers: Mapping[str, int]) -> None:
        self._tracks, self._bounds, self._numbers = tracks, bounds, numbers
        self._cache: Recent[Condition | None, _Passing] = Recent(KEPT)

    def rows(self, where: Where) -> Mask | Few | None:
        """A mask of all rows, or their numbers where they are fewer than ``EXACT_SHARE``; None: every row counts."""
        if where.only is not None:
            return self._of_named(where, where.only)
        excluded = self._numbers_of(where.exclude)
        if where.condition is None and not excluded:
            return None
        passing = self._cache.get(where.condition, lambda: self._passing(where.condition))
        if not excluded:
            return passing.rows
        left = passing.mask.copy()
        for number in excluded:
            left[self._bounds[number] : self._bounds[number + 1]] = False
        return _few_or_many(left)

    def _of_named(self, where: Where, only: Collection[str]) -> Few:
        condition, bounds = where.condition, self._bounds
        rows = [
            np.arange(bounds[number], bounds[number + 1])
            for number in sorted(self._numbers_of(only) - self._numbers_of(where.exclude))
            if condition is None or condition.passes(self._tracks[number])
        ]
        return Few(np.concatenate(rows) if rows else np.zeros(0, np.int64))

    def _numbers_of(self, ids: Iterable[str]) -> set[int]:
        return {self._numbers[id] for id in ids if id in self._numbers}

    def _passing(self, condition: Condition | None) -> _Passing:
        passes = (condition is None or condition.passes(track) for track in self._tracks)
        tracks = np.fromiter(passes, np.bool_, len(self._tracks))
        mask = np.repeat(tracks, np.diff(self._bounds))
        return _Passing(mask, _few_or_many(mask))


def _few_or_many(mask: Mask) -> Mask | Few:
    return Few(np.flatnonzero(mask)) if int(np.count_nonzero(mask)) < EXACT_SHARE * len(mask) else mask
