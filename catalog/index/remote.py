"""An index whose vectors lie on a server: ``RemoteIndex`` is a ``VectorIndex`` over a ``Server``.

The server holds a row for each segment, and a head for each track: its text, its version, its number of segments. A
search fetches many more rows than tracks are asked for and groups them here: a server's own grouping loses tracks.
A filter goes to the server as an expression where it has one, else as the ids of the tracks that pass; whatever comes
back is checked against it again, by the track that the row belongs to.

Several processes may read and write one collection. Each holds a directory of its tracks; rows of a version that it
does not know make it ask for the heads of these tracks, so that it follows what others write from search to search. Of
two that write one track at once, one wins as a whole. Vectors, which never change within a version, are kept here, the
ones used last.
"""

import contextlib
import logging
import random
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import ClassVar, Final

import numpy as np

from catalog.records import Floats

from .base import EVERYWHERE, Hit, IndexOptions, SearchState, Segments, Where
from .directory import Directory, Entries, Entry
from .fields import Needed
from .kept_vectors import KeptVectors
from .lifted import longest
from .server import Row, Server, Want, in_parts

FETCH: Final = 512  # rows of a first search
FETCH_EACH: Final = 8  # rows for each track asked for, at least
AGAIN: Final = 3  # times that something is asked because others write at the same time
KNOWN_S: Final = 1.0  # for so long a row that belongs to no track is passed over without asking again
SCAN: Final = 20_000  # rows: where a server's approximate search falls short of so few, they are compared here
MANY: Final = 0.15  # of all segments: where more pass a condition without an expression, the rest is dropped here
BLOCK: Final = 16_384  # rows

log = logging.getLogger(__name__)


class RemoteIndex:
    """A ``VectorIndex``, approximate as the server's search is. Scores are the server's; vectors come back as they were
    added. Raises ``SearchIndexError`` where the collection cannot be read."""

    exact: ClassVar[bool] = False

    def __init__(self, server: Server, options: IndexOptions) -> None:
        self._server = server
        self._dim = options.dim
        reason = "" if options.device == "cpu" else "the server of the index decides where it searches"
        self._state = SearchState(server.name, reason)
        self._writing = threading.RLock()
        self._kept = KeptVectors()
        self._mine: dict[str, Entry] = {}  # what this process wrote, as long as it is not known to be replaced
        self._strays: dict[tuple[str, int], float] = {}  # rows of no track that is known, and when that was found
        self._directory = Directory(server.heads())
        self._sweep()

    def keeps(self, segments: int) -> bool:
        return True

    def __len__(self) -> int:
        return self._directory.segments

    @property
    def state(self) -> SearchState:
        return self._state

    def search(self, query: Floats, n: int, where: Where = EVERYWHERE) -> list[Hit]:
        if query.shape != (self._dim,):
            raise ValueError(f"a query has shape {(self._dim,)}, not {query.shape}")
        if not np.isfinite(query).all():
            raise ValueError("the query holds numbers that are not finite")
        if n < 1:
            return []
        query = np.ascontiguousarray(query, np.float32)
        if where.only is not None:
            return self._compare(query, n, [id for id in where.only if id not in where.exclude], where)
        for _ in range(AGAIN):
            hits = self._search(query, n, where, last=False)
            if hits is not None:
                return hits
        with self._writing:  # so that at least nobody in this process writes meanwhile
            return self._search(query, n, where, last=True) or []

    def vectors(self, tracks: Sequence[str]) -> list[Floats]:
        found = self._vectors(set(tracks))
        nothing = np.zeros((0, self._dim), np.float32)
        return [found[id][1] if id in found else nothing for id in tracks]

    def stamps(self) -> dict[str, str]:
        return {id: entry.stamp for id, entry in self._directory.entries.items()}

    def blocks(self, where: Where = EVERYWHERE) -> Iterator[Segments]:
        entries = self._directory.entries
        ids = sorted(id for id in self._ids(where, entries) if entries[id].count)
        for part in in_parts(ids, [entries[id].count for id in ids], BLOCK):
            found = self._vectors(part)
            held = [found[id] for id in part if id in found and self._passes(found[id][0], where)]
            if held:
                yield Segments(
                    [entry.track for entry, _ in held],
                    np.array([entry.count for entry, _ in held], np.int64),
                    np.concatenate([vectors for _, vectors in held]),
                    [entry.stamp for entry, _ in held],
                )

    def upsert(self, segments: Segments) -> None:
        """The time grows with what is added alone."""
        segments.check(self._dim)
        if not segments.tracks:
            return
        ends = np.cumsum(segments.counts).tolist()
        stamps = segments.stamps or [""] * len(segments.tracks)
        with self._writing:
            version = self._directory.next_version()
            bound = max(self._directory.bound, longest(segments.vectors))
            new = [
                Entry(track, version, count, stamp, bound)
                for track, count, stamp in zip(segments.tracks, segments.counts.tolist(), stamps, strict=True)
            ]
            written: list[Entry] = []
            parts = list(in_parts(range(len(new)), segments.counts.tolist(), BLOCK))
            begin = random.randrange(len(parts))  # processes that fill one collection together share the work
            for part in parts[begin:] + parts[:begin]:
                theirs = {entry.id: entry for entry in self._server.heads_of([new[place].id for place in part])}
                mine = [place for place in part if not _same(theirs.get(new[place].id), new[place])]
                some = [new[place] for place in mine]
                self._directory.change([theirs[id] for id in {new[place].id for place in part} - {e.id for e in some}])
                if some:
                    vectors = [segments.vectors[ends[place] - new[place].count : ends[place]] for place in mine]
                    old = {(entry.id, entry.version): entry for entry in self._known(entry.id for entry in some)}
                    old |= {(e.id, theirs[e.id].version): theirs[e.id] for e in some if e.id in theirs}
                    self._server.put(some, vectors, list(old.values()))
                    self._directory.change(some)
                    self._mine |= {entry.id: entry for entry in some}
                    written += some
            self._server.settle(sum(entry.count for entry in written), len(self))
            self._confirm(written)

    def _confirm(self, written: Sequence[Entry]) -> None:
        """Take out what was written here of tracks that somebody else wrote at the same time, and won."""
        if not written:
            return
        heads = {entry.id: entry for entry in self._server.heads_of([entry.id for entry in written], newest=True)}
        lost = [entry for entry in written if entry.id not in heads or heads[entry.id].version != entry.version]
        if lost:
            self._server.discard(lost)
            self._forget(lost)
            self._refresh({entry.id for entry in lost})

    def remove(self, tracks: Iterable[str]) -> None:
        with self._writing:
            old = self._known(set(tracks))
            if old:
                self._server.drop(old)
                self._directory.change((), [entry.id for entry in old])
                self._forget(old)

    def close(self) -> None:
        self._server.close()

    def _known(self, ids: Iterable[str]) -> list[Entry]:
        entries = self._directory.entries
        return [entries[id] for id in ids if id in entries]

    def _sweep(self) -> None:
        """Take out what a writer left that ended in mid-write an hour ago or earlier."""
        entries = self._directory.entries
        if self._server.count() != self._directory.segments:
            swept = self._server.sweep(entries, time.time_ns() - 3600 * 10**9)
            if swept:
                log.info("%s: %d rows of a write that did not end were taken out", self._server.name, swept)

    def _ids(self, where: Where, entries: Entries) -> frozenset[str]:
        """The ids of all tracks that are known to pass."""
        only = entries.keys() if where.only is None else where.only & entries.keys()
        passing = frozenset(only - where.exclude)
        if where.condition is None:
            return passing
        if where.only is not None:
            return frozenset(id for id in passing if where.condition.passes(entries[id].track))
        return passing & self._directory.passing(where.condition, entries).ids

    def _want(self, where: Where, entries: Entries) -> Want:
        total = self._directory.segments
        without = where.exclude & entries.keys()
        if where.condition is None:
            rows = total - sum(entries[id].count for id in without)
            return Want(Needed(), None, without, rows, total)
        passing = self._directory.passing(where.condition, entries)
        rows = passing.rows - sum(entries[id].count for id in without & passing.ids)
        if passing.needed is not None:
            return Want(passing.needed, None, without, rows, total)
        among = None if rows > MANY * total else passing.ids - without
        return Want(Needed(), among, without if among is None else (), rows, total)

    def _search(self, query: Floats, n: int, where: Where, last: bool) -> list[Hit] | None:
        """None, unless it is the ``last`` try, where a track was written so often meanwhile that only rows of a version
        in between were found."""
        before, newest = self._directory.entries, self._directory.newest
        want = self._want(where, before)
        if want.among is not None and not want.among:
            return []
        limit = min(max(FETCH, FETCH_EACH * n), self._server.most)
        hits: dict[str, Hit] = {}
        while True:
            rows = self._server.nearest(query, limit, want)
            if want.rows < self._server.compared_below:
                self._follow(rows, before)
                return self._compare_all(query, n, where, rows)
            found = self._group(rows, where, before, None if last else newest)
            if found is None:
                return None
            hits |= {id: hit for id, hit in found.items() if id not in hits}
            if len(hits) >= n or len(rows) < limit:
                break
            if limit < self._server.most:
                limit = min(4 * limit, self._server.most)
            else:  # some tracks have very many segments: go on without what was found
                seen = {row.track for row in rows}
                among = None if want.among is None else set(want.among) - seen
                want = Want(want.needed, among, {*want.without, *seen}, want.rows, want.total)
        if len(hits) < n and want.rows <= SCAN and len(hits) < len(self._ids(where, before)):
            return self._compare_all(query, n, where, rows)
        return _best(hits.values(), n)

    def _group(self, rows: Sequence[Row], where: Where, before: Entries, newest: int | None) -> dict[str, Hit] | None:
        """Rows, best first -> the best of each track that passes. ``newest``: of all versions when the search began."""
        self._follow(rows, before)
        now = self._directory.entries
        found: dict[str, tuple[Entry, Row]] = {}
        lost = set()
        for row in rows:
            current, earlier = now.get(row.track), before.get(row.track)
            if current is not None and row.version == current.version:
                entry = current
            elif earlier is not None and row.version == earlier.version:
                entry = earlier
            else:
                if current is not None and newest is not None and newest < row.version < current.version:
                    lost.add(row.track)
                continue
            known = found.get(row.track)
            if known is None or known[0].version < entry.version or _better(row, known[1], entry, known[0]):
                found[row.track] = (entry, row)
        if lost - found.keys():
            return None
        return {id: Hit(id, row.segment, row.score) for id, (entry, row) in found.items() if self._passes(entry, where)}

    def _follow(self, rows: Iterable[Row], before: Entries) -> None:
        """Ask for the heads of tracks of which there are rows of a version that is not known: somebody else writes. It
        may be an older one, of a writer who took longer."""
        now, moment = self._directory.entries, time.monotonic()
        news = set()
        for row in rows:
            known, earlier = now.get(row.track), before.get(row.track)
            new = all(entry is None or entry.version != row.version for entry in (known, earlier))
            if new and moment - self._strays.get((row.track, row.version), -KNOWN_S) >= KNOWN_S:
                news.add((row.track, row.version))
        if news:
            self._refresh({id for id, _ in news})
            now = self._directory.entries
            strays = {pair: moment for pair in news if pair[0] not in now or now[pair[0]].version != pair[1]}
            self._strays = {pair: at for pair, at in self._strays.items() if moment - at < KNOWN_S} | strays

    def _refresh(self, ids: Collection[str]) -> None:
        """Bring the directory up to date for some tracks. Whoever replaced or removed one of this process's a moment
        after it was written did not know of it, and left its rows: they are taken out here."""
        asked, mine = self._directory.entries, [self._mine[id] for id in ids if id in self._mine]
        heads = {entry.id: entry for entry in self._server.heads_of(ids)}
        self._directory.follow(ids, asked, heads)
        lost = [entry for entry in mine if entry.id not in heads or heads[entry.id].version != entry.version]
        if lost:
            self._server.discard(lost)
            self._forget(lost)

    def _forget(self, written: Iterable[Entry]) -> None:
        """What was written here, and is replaced or removed now."""
        for entry in written:
            if self._mine.get(entry.id) is entry:
                self._mine.pop(entry.id, None)

    def _compare_all(self, query: Floats, n: int, where: Where, seen: Iterable[Row]) -> list[Hit]:
        """Every segment that passes is compared here. Of tracks that the server did not show, it is asked whether they
        are still there: somebody else may have removed them."""
        entries = self._directory.entries
        hits = self._compare(query, n, self._ids(where, entries), where)
        unseen = {hit.track for hit in hits}.difference(row.track for row in seen)
        if unseen:
            self._refresh(unseen)
            if self._directory.entries is not entries:
                return self._compare(query, n, self._ids(where, self._directory.entries), where)
        return hits

    def _compare(self, query: Floats, n: int, ids: Collection[str], where: Where) -> list[Hit]:
        """Every segment of these tracks is compared here, if its track passes."""
        entries = self._directory.entries
        unknown = [id for id in ids if id not in entries]
        if unknown and not self._are_strays(unknown):
            self._refresh(unknown)
            entries = self._directory.entries
        asked = {id for id in ids if id in entries and self._passes(entries[id], Where(condition=where.condition))}
        hits = []
        for id, (entry, vectors) in self._vectors(asked).items():
            if len(vectors) and self._passes(entry, Where(condition=where.condition)):
                scores = vectors @ query
                best = int(np.argmax(scores))
                hits.append(Hit(id, best, float(scores[best])))
        return _best(hits, n)

    def _are_strays(self, ids: Iterable[str]) -> bool:
        """Whether all were asked for a moment ago, and were not there."""
        moment, strays = time.monotonic(), self._strays
        if all(moment - strays.get((id, 0), -KNOWN_S) < KNOWN_S for id in ids):
            return True
        kept = {pair: at for pair, at in strays.items() if moment - at < KNOWN_S}
        self._strays = kept | {(id, 0): moment for id in ids}
        return False

    def _vectors(self, ids: Collection[str]) -> dict[str, tuple[Entry, Floats]]:
        """Each track's entry and the vectors of that version; without tracks that are not there."""
        found: dict[str, tuple[Entry, Floats]] = {}
        missing = list(ids)
        for tries in range(AGAIN):
            with self._writing if tries == AGAIN - 1 else contextlib.nullcontext():
                missing = self._fetch(missing, found)
            if not missing:
                break
        return found

    def _fetch(self, ids: Collection[str], found: dict[str, tuple[Entry, Floats]]) -> list[str]:
        """Add to ``found``; returns those that were replaced or removed in the moment between, with their heads asked
        for anew. With nobody else writing it has all of them after the second time."""
        for last in (False, True):
            entries = self._known(ids)
            fetch = []
            for entry in entries:
                vectors = self._kept.get(entry)
                if vectors is None and entry.count:
                    fetch.append(entry)
                else:
                    nothing = np.zeros((0, self._dim), np.float32)
                    found[entry.id] = (entry, nothing if vectors is None else vectors)
            torn = []
            for entry, vectors in zip(fetch, self._server.vectors(fetch) if fetch else (), strict=True):
                if vectors is None:
                    torn.append(entry.id)
                else:
                    vectors.setflags(write=False)
                    self._kept.put(entry, vectors)
                    found[entry.id] = (entry, vectors)
            if not torn or last:
                return torn
            self._refresh(torn)
            ids = torn
        return []

    @staticmethod
    def _passes(entry: Entry, where: Where) -> bool:
        return entry.id not in where.exclude and (where.condition is None or where.condition.passes(entry.track))


def _better(row: Row, known: Row, entry: Entry, of: Entry) -> bool:
    return entry is of and (-row.score, row.segment) < (-known.score, known.segment)


def _best(hits: Iterable[Hit], n: int) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.track, hit.segment))[:n]


def _same(known: Entry | None, entry: Entry) -> bool:
    """Whether the server has just that already, as its stamp tells."""
    return known is not None and bool(entry.stamp) and (known.stamp, known.count) == (entry.stamp, entry.count)
