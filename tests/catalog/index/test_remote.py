"""What only a server under our control shows: moments between two writes, small limits, answers that are wrong."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from catalog.index.base import IndexOptions, Segments, Where
from catalog.index.directory import Entries, Entry
from catalog.index.remote import RemoteIndex
from catalog.index.server import Row, Want
from catalog.records import Filters, Floats, Track

D = 4
QUERY = np.eye(D, dtype=np.float32)[0]


class Memory:
    """A server in memory. ``before_answer`` is called with its rows before a search is answered."""

    name, most, compared_below = "memory", 8, 0

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.rows: dict[tuple[str, int, int], np.ndarray] = {}
        self.before_answer: Callable[[], None] = lambda: None
        self.asked: list[set[str]] = []
        self.searches: list[Want] = []

    def heads(self) -> Iterator[Entry]:
        return iter(list(self.entries.values()))

    def heads_of(self, ids: Collection[str], newest: bool = False) -> list[Entry]:
        self.asked.append(set(ids))
        return [self.entries[id] for id in ids if id in self.entries]

    def count(self) -> int:
        return len(self.rows)

    def nearest(self, query: Floats, limit: int, want: Want) -> list[Row]:
        self.searches.append(want)
        self.before_answer()
        found = [Row(*key, float(vector @ query)) for key, vector in self.rows.items() if key[0] not in want.without]
        found = [row for row in found if want.among is None or row.track in want.among]
        return sorted(found, key=lambda row: -row.score)[:limit]

    def vectors(self, entries: Sequence[Entry]) -> list[Floats | None]:
        found: list[Floats | None] = []
        for entry in entries:
            rows = [self.rows.get((entry.id, entry.version, number)) for number in range(entry.count)]
            found.append(None if any(row is None for row in rows) else np.array(rows, np.float32).reshape(-1, D))
        return found

    def put(self, entries: Sequence[Entry], vectors: Sequence[Floats], old: Sequence[Entry]) -> None:
        for entry, own in zip(entries, vectors, strict=True):
            self.rows |= {(entry.id, entry.version, number): vector for number, vector in enumerate(own)}
            self.entries[entry.id] = entry
        self._take(old)

    def drop(self, old: Sequence[Entry]) -> None:
        for entry in old:
            del self.entries[entry.id]
        self._take(old)

    def discard(self, lost: Sequence[Entry]) -> None:
        self._take(lost)

    def settle(self, added: int, total: int) -> None: ...

    def sweep(self, entries: Entries, before: int) -> int:
        strays = [key for key in self.rows if key[0] not in entries]
        for key in strays:
            del self.rows[key]
        return len(strays)

    def close(self) -> None: ...

    def _take(self, old: Sequence[Entry]) -> None:
        for entry in old:
            for number in range(entry.count):
                self.rows.pop((entry.id, entry.version, number), None)


def opened(server: Memory) -> RemoteIndex:
    return RemoteIndex(server, IndexOptions(Path("nowhere"), D))


def segments(**vectors: np.ndarray) -> Segments:
    tracks = [Track(id, "", "", Path("/a"), 60.0, 100.0, "", ()) for id in vectors]
    return Segments(tracks, np.array([len(own) for own in vectors.values()]), np.concatenate(list(vectors.values())))


def score(value: float, rows: int = 1) -> np.ndarray:
    return np.tile(np.float32(value) * QUERY, (rows, 1))


def stamped(**vectors: np.ndarray) -> Segments:
    return dataclasses.replace(segments(**vectors), stamps=[f"stamp of {id}" for id in vectors])


def test_what_another_process_has_written_already_is_not_written_again() -> None:
    server = Memory()
    one, other = opened(server), opened(server)
    one.upsert(stamped(a=score(1), b=score(0.5, 3)))
    versions = {id: entry.version for id, entry in server.entries.items()}
    other.upsert(stamped(a=score(1), b=score(0.5, 3), c=score(0.2)))
    assert {id: server.entries[id].version for id in "ab"} == versions and len(server.rows) == 5 == len(other)
    assert [hit.track for hit in other.search(QUERY, 3)] == ["a", "b", "c"] and other.stamps()["b"] == "stamp of b"


def test_who_loses_a_track_takes_its_rows_out_and_follows_the_winner() -> None:
    """The other one began earlier, so its version is lower, and ended later."""
    server = Memory()
    one, other = opened(server), opened(server)
    put, slow = server.put, other._directory.next_version()

    def put_both(entries: Sequence[Entry], vectors: Sequence[Floats], old: Sequence[Entry]) -> None:
        put(entries, vectors, old)
        entry = dataclasses.replace(entries[0], version=slow, stamp="theirs", count=1)
        put([entry], [score(2)], [])

    server.put = put_both  # type: ignore[method-assign]
    one.upsert(stamped(a=score(1, 3)))
    assert {key[1] for key in server.rows} == {slow}
    assert [(hit.track, hit.score) for hit in one.search(QUERY, 3)] == [("a", 2.0)] and one.stamps() == {"a": "theirs"}


def test_rows_that_another_replaced_without_knowing_of_them_are_taken_out() -> None:
    """It asked what there was a moment before they counted, and ended after their writer had looked a last time."""
    server = Memory()
    one, other = opened(server), opened(server)
    one.upsert(stamped(a=score(1), b=score(0.5)))
    server.entries, kept = {}, server.entries
    other.upsert(stamped(a=score(3)))
    server.entries = kept | server.entries
    assert len(server.rows) == 3
    for _ in range(2):
        assert [(hit.track, hit.score) for hit in one.search(QUERY, 3)] == [("a", 3.0), ("b", 0.5)]
    assert len(server.rows) == 2 and len(one.vectors(["a", "b"])) == 2
    one.remove(["a", "b"])
    assert not server.rows and not one._mine


def test_rows_of_an_older_version_that_counts_are_followed() -> None:
    server = Memory()
    index = opened(server)
    index.upsert(segments(a=score(1)))
    late = dataclasses.replace(server.entries["a"], version=5)
    server.rows = {("a", 5, 0): score(3)[0]}
    server.entries["a"] = late
    index.search(QUERY, 2)
    assert [(hit.track, hit.score) for hit in index.search(QUERY, 2)] == [("a", 3.0)]


def test_a_track_that_is_written_twice_during_a_search_is_searched_again() -> None:
    """The server answers with the version in between, which is neither as it was nor as it is."""
    server = Memory()
    index = opened(server)
    index.upsert(segments(a=score(1), b=score(0.5)))
    between: list[dict[tuple[str, int, int], np.ndarray]] = []

    def write_twice() -> None:
        server.before_answer = lambda: None
        index.upsert(segments(a=score(2)))
        between.append(dict(server.rows))
        index.upsert(segments(a=score(3)))
        after, server.rows = server.rows, between[0]
        server.before_answer = lambda: setattr(server, "rows", after)

    server.before_answer = write_twice
    assert [(hit.track, hit.score) for hit in index.search(QUERY, 2)] == [("a", 3.0), ("b", 0.5)]
    assert len(server.searches) == 2


def test_rows_of_no_track_are_passed_over_and_asked_for_once_a_while() -> None:
    server = Memory()
    index = opened(server)
    index.upsert(segments(a=score(1)))
    server.asked.clear()
    server.rows |= {("stray", 5, 0): score(9)[0], ("a", 5, 0): score(9)[0], ("a", 1 << 62, 0): score(9)[0]}
    for _ in range(3):
        assert [(hit.track, hit.score) for hit in index.search(QUERY, 2)] == [("a", 1.0)]
    assert server.asked == [{"stray", "a"}]


def test_rows_that_belong_to_nothing_are_swept_when_it_is_opened() -> None:
    server = Memory()
    opened(server).upsert(segments(a=score(1)))
    server.rows["stray", 5, 0] = score(9)[0]
    assert len(opened(server)) == 1 == len(server.rows)


def test_tracks_of_more_segments_than_a_search_may_return_hide_no_others() -> None:
    server = Memory()
    index = opened(server)
    many = {name: score(10 - place, 30) for place, name in enumerate("abcd")}
    index.upsert(segments(**many, e=score(1), f=score(0.5)))
    server.compared_below = -1
    assert [hit.track for hit in index.search(QUERY, 5)] == list("abcde")
    assert [hit.track for hit in index.search(QUERY, 9)] == list("abcdef")
    assert [hit.track for hit in index.search(QUERY, 2, Where(exclude=frozenset("ab")))] == ["c", "d"]


def test_a_condition_is_checked_of_the_version_that_a_row_has() -> None:
    server = Memory()
    index = opened(server)
    index.upsert(segments(a=score(1)))
    slow = index._directory.entries["a"]
    other = opened(server)
    quick = replace(slow.track, tempo_bpm=150.0)
    other.upsert(Segments([quick], np.array([1]), score(2)))
    fast = Where(condition=Filters(min_bpm=120.0))
    assert [hit.score for hit in index.search(QUERY, 1, fast)] == [2.0]
    assert index.search(QUERY, 1, Where(condition=Filters(max_bpm=120.0))) == []


def test_what_falls_short_is_compared_here() -> None:
    """The server finds some of what is there only, as an approximate search may."""
    server = Memory()
    index = opened(server)
    index.upsert(segments(**{f"t{number}": score(number) for number in range(6)}))
    server.nearest = lambda query, limit, want: Memory.nearest(server, query, limit, want)[::2]  # type: ignore[method-assign]
    assert [hit.track for hit in index.search(QUERY, 6)] == [f"t{number}" for number in (5, 4, 3, 2, 1, 0)]


def test_vectors_that_were_asked_for_are_kept() -> None:
    server = Memory()
    index = opened(server)
    index.upsert(segments(a=score(1, 3)))
    [first] = index.vectors(["a"])
    server.vectors = lambda entries: []  # type: ignore[method-assign]
    [second] = index.vectors(["a"])
    assert second is first and not first.flags.writeable
