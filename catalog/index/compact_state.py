"""What a search sees of the compact index, from its begin to its end: a generation, which of its tracks are dead, and
the rows that wait in memory. A write makes another one."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from catalog.records import Floats, Mask

from .base import Hit, Segments, Where
from .compact_generation import Found, Generation
from .compact_sizes import Sizes
from .rows import Rows

OVER_FETCH: Final = 5  # rows fetched at first per requested track
WIDER: Final = 4  # times as many lists, where too few rows were found
SPREAD: Final = 0.6  # where a share of the rows passes, the best of these are in (1 / share) ** SPREAD as many lists
AT_ONCE: Final = 96  # rows whose tracks are looked up at once; 32 tracks need 90
EXACT_FROM: Final = 8  # a search that would score a row out of so many compares all


@dataclass(frozen=True, eq=False)
class State:
    """``dead`` (tracks of the generation,): replaced or removed since it was made. ``delta``: tracks that wait in
    memory; none of them is alive in ``base``."""

    base: Generation | None
    dead: Mask
    delta: Rows
    sizes: Sizes

    def __len__(self) -> int:
        return self.alive + len(self.delta)

    @property
    def shape(self) -> tuple[int]:
        """Of a query."""
        return (self.delta.vectors.shape[1],)

    @cached_property
    def dead_rows(self) -> int:
        return 0 if self.base is None else int(self.base.table.counts[self.dead].sum())

    @property
    def alive(self) -> int:
        """Rows of the generation that count."""
        return 0 if self.base is None else len(self.base) - self.dead_rows

    def number(self, id: str) -> int | None:
        """The number of a track in the generation, None where it is not there or dead."""
        number = None if self.base is None else self.base.table.numbers.get(id)
        return None if number is None or self.dead[number] else number

    def of(self, id: str) -> Floats:
        """(k, D): a track's vectors; (0, D) for an unknown id."""
        number = self.number(id)
        if number is None or self.base is None:
            return self.delta.of(id)
        first, end = self.base.table.bounds[number : number + 2].tolist()
        return self.base.vectors(slice(first, end))

    def stamps(self) -> dict[str, str]:
        stamps = dict(zip(self.delta.ids, self.delta.stamps, strict=True))
        if self.base is not None:
            table = self.base.table
            stamps |= {table.ids[number]: table.stamps[number] for number in np.flatnonzero(~self.dead).tolist()}
        return stamps

    def search(self, query: Floats, n: int, where: Where) -> list[Hit]:
        """As ``VectorIndex.search``."""
        if self.base is None or len(self.delta) or query.shape != self.shape or not np.isfinite(query).all():
            newer = self.delta.search(query, n, where)  # it refuses what is no query
        else:
            newer = []
        if n < 1 or self.base is None or not self.alive:
            return newer
        older = self._hits(self.base, query, n, where)
        if not newer:
            return older
        return sorted(older + newer, key=lambda hit: (-hit.score, hit.track, hit.segment))[:n]

    def _hits(self, base: Generation, query: Floats, n: int, where: Where) -> list[Hit]:
        faiss.omp_set_num_threads(1)  # per calling thread; sessions run side by side instead
        table, barred = base.table, self.dead
        if where.exclude:
            barred = barred.copy()
            barred[[table.numbers[id] for id in where.exclude if id in table.numbers]] = True
        wide = base.padded(query)
        if where.only is not None:
            return self._scan(base, wide, n, self._named(base, where, barred))
        passing = None if where.condition is None else base.passing(where.condition)
        if passing is not None and passing.rows == len(base):
            passing = None  # a selector takes time
        rows = len(base) if passing is None else passing.rows
        if passing is not None and rows <= self.sizes.few_of(len(base)):
            return self._scan(base, wide, n, np.flatnonzero(passing.tracks & ~barred))
        if base.coded:
            count, probes = max(self.sizes.fetch, n * OVER_FETCH), base.manifest.probes
            if passing is not None:  # fewer of the lists' rows pass
                probes = min(base.manifest.lists, round(probes * (len(base) / rows) ** SPREAD))
            barring = barred if where.exclude or self.dead_rows else None
            while count * base.manifest.k_factor * EXACT_FROM < len(base):
                found = base.nearest(wide, count, probes, passing)
                hits = self._best(base, found, n, barring, None if passing is None else passing.tracks)
                if len(hits) == n:
                    return hits
                if len(found[0]) < count and probes < base.manifest.lists:
                    probes = min(base.manifest.lists, probes * WIDER)
                else:
                    count *= 2
        return self._all(base, wide, n, ~barred if passing is None else passing.tracks & ~barred)

    def _named(self, base: Generation, where: Where, barred: Mask) -> NDArray[np.int64]:
        numbers = sorted(base.table.numbers[id] for id in where.only or () if id in base.table.numbers)
        condition = where.condition
        chosen = [
            number
            for number in numbers
            if not barred[number] and (condition is None or condition.passes(base.table.track(number)))
        ]
        return np.array(chosen, np.int64)

    def _scan(self, base: Generation, wide: Floats, n: int, numbers: NDArray[np.int64]) -> list[Hit]:
        """Compare every row of the tracks ``numbers``."""
        rows = base.table.rows_of(numbers)
        count = max(self.sizes.fetch, n * OVER_FETCH)
        while len(rows):
            hits = self._best(base, base.scan(wide, count, rows), n)
            if len(hits) == n or count >= len(rows):
                return hits
            count *= 4
        return []

    def _all(self, base: Generation, wide: Floats, n: int, allowed: Mask) -> list[Hit]:
        """Compare every row of the tracks ``allowed`` (tracks,), where these are many or all."""
        passing = int(base.table.counts[allowed].sum())
        if passing <= self.sizes.few_of(len(base)) and passing < len(base):
            return self._scan(base, wide, n, np.flatnonzero(allowed))
        count = max(self.sizes.fetch, n * OVER_FETCH)
        while True:
            hits = self._best(base, base.exact(wide, count, None if allowed.all() else allowed), n)
            if len(hits) == n or count >= passing:
                return hits
            count *= 4

    def _best(
        self, base: Generation, found: Found, n: int, barred: Mask | None = None, passing: Mask | None = None
    ) -> list[Hit]:
        """The best row of each of the ``n`` best tracks that are not ``barred`` and pass (tracks,)."""
        rows, scores = found
        values = scores.tolist()
        if len(set(values)) < len(values):  # they come by score, but equal ones by chance
            order = np.lexsort((rows, -scores))
            rows, values = rows[order], scores[order].tolist()
        # A loop: it ends early, and in a processor's cache that is cold a few calls of NumPy cost more.
        seen, hits, ids, bounds = set[int](), list[Hit](), base.table.ids, base.table.bounds
        for first in range(0, len(values), AT_ONCE):
            part = rows[first : first + AT_ONCE]
            owners = base.table.owners.take(part)
            for owner, row, score in zip(owners.tolist(), part.tolist(), values[first : first + AT_ONCE], strict=True):
                if owner in seen:
                    continue
                seen.add(owner)
                if (barred is None or not barred.item(owner)) and (passing is None or passing.item(owner)):
                    hits.append(Hit(ids[owner], row - bounds.item(owner), score))
                    if len(hits) == n:
                        return hits
        return hits


def empty_rows(dim: int) -> Rows:
    return Rows(Segments([], np.zeros(0, np.int64), np.zeros((0, dim), np.float32)))
