"""What every index must do, against brute force; a row of ``registry.INDEXES`` is tested by being there, and so
is every server of ``conftest.KINDS``.

An index that is not exact must find .97 of the best tracks in the mean over a test's queries, and all of them where so
few rows pass that it should compare every one. Its vectors and scores may be rounded, by ``ROUNDED`` of the norms.
"""

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.errors import SearchIndexError
from catalog.index.base import EVERYWHERE, Condition, Hit, IndexOptions, Segments, VectorIndex, Where
from catalog.index.compact import CompactIndex
from catalog.index.compact_build import build
from catalog.index.compact_sizes import Sizes
from catalog.index.registry import INDEXES, open_index
from catalog.records import Filters, Track

D = 24
EXACT_BELOW = 2000  # rows that pass
FOUND = 0.97
ROUNDED = 2e-3
Held = dict[str, tuple[Track, np.ndarray]]  # what an index is to hold: id -> track, vectors (k, D)


# So small that the tests' few segments are divided into lists, wait in memory and are merged.
SMALL = Sizes(kept=1, coded=300, listed=1000, looked=0.5, few=200, few_of_many=200, changed_least=20, changed_most=100)
OPEN = dict(INDEXES) | {
    "compact": lambda options: CompactIndex(options, make=build),  # without a process, which takes seconds
    "compact, small": lambda options: CompactIndex(options, SMALL, build),
}


@pytest.fixture(params=[*sorted(OPEN), "milvus", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, servers: Any) -> Iterator[Callable[[int], VectorIndex]]:
    """Opens an empty index of vectors of so many numbers."""
    every: list[VectorIndex] = []

    def make(dim: int = D) -> VectorIndex:
        options = IndexOptions(tmp_path / str(len(every)), dim)
        if request.param in OPEN:
            every.append(OPEN[request.param](options))
        else:
            every.append(servers.empty(request.param, f"contract_{len(every)}", options))
        return every[-1]

    yield make
    for index in every:
        index.close()


def track(id: str, tempo_bpm: float = 100.0) -> Track:
    return Track(id, f"Song {id}", "", Path(f"/music/{id}.ogg"), 60.0, tempo_bpm, "", ())


def unit(rng: np.random.Generator, rows: int, dim: int = D) -> np.ndarray:
    vectors = rng.normal(size=(rows, dim)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def made(rng: np.random.Generator, counts: list[int]) -> Held:
    """Tracks of so many segments, their tempi 1, 2, 3 ... in no order, their ids neither."""
    places, tempi = rng.permutation(len(counts)), rng.permutation(len(counts)) + 1
    return {
        f"{place:04}": (track(f"{place:04}", float(tempo)), unit(rng, count))
        for place, tempo, count in zip(places, tempi, counts, strict=True)
    }


def segments(held: Held, dim: int = D) -> Segments:
    vectors = [vectors for _, vectors in held.values()]
    counts = np.array([len(rows) for rows in vectors], np.int64)
    return Segments(
        [track for track, _ in held.values()], counts, np.concatenate([np.zeros((0, dim), np.float32), *vectors])
    )


def passing(held: Held, where: Where) -> Held:
    return {
        id: (track, vectors)
        for id, (track, vectors) in held.items()
        if (where.only is None or id in where.only)
        and id not in where.exclude
        and (where.condition is None or where.condition.passes(track))
    }


def brute_force(held: Held, query: np.ndarray, n: int, where: Where = EVERYWHERE) -> list[tuple[str, int, float]]:
    best = []
    for id, (_, vectors) in passing(held, where).items():
        if len(vectors):
            scores = vectors.astype(np.float64) @ query.astype(np.float64)
            best.append((-float(scores.max()), id, int(np.argmax(scores))))
    return [(id, segment, -score) for score, id, segment in sorted(best)[: max(n, 0)]]


def check(index: VectorIndex, held: Held, queries: np.ndarray, n: int, where: Where = EVERYWHERE) -> None:
    found = []
    for query in queries:
        hits, wanted = index.search(query, n, where), brute_force(held, query, n, where)
        assert all(type(hit.segment) is int and type(hit.score) is float for hit in hits)
        if index.exact:
            assert [(hit.track, hit.segment) for hit in hits] == [(id, segment) for id, segment, _ in wanted]
            np.testing.assert_allclose([hit.score for hit in hits], [score for *_, score in wanted], atol=1e-5)
        else:
            found.append(share_found(hits, wanted, passing(held, where), query))
    if found:
        exact_below = SMALL.few if getattr(index, "_sizes", None) is SMALL else EXACT_BELOW
        rows = sum(len(vectors) for _, vectors in passing(held, where).values())
        assert np.mean(found) >= (1.0 if rows <= exact_below else FOUND)


def share_found(hits: list[Hit], wanted: list[tuple[str, int, float]], held: Held, query: np.ndarray) -> float:
    """The share of the best tracks, or of others as good but for rounding, that ``hits`` hold; all else about them."""
    assert len(hits) == len(wanted) and len({hit.track for hit in hits}) == len(hits)
    assert [(-hit.score, hit.track) for hit in hits] == sorted((-hit.score, hit.track) for hit in hits)
    norm = float(np.linalg.norm(query))
    good = 0
    for hit in hits:
        vectors = held[hit.track][1]
        allowed = ROUNDED * norm * float(np.linalg.norm(vectors[hit.segment]))
        assert abs(hit.score - float(vectors[hit.segment] @ query)) <= allowed
        good += float((vectors @ query).max()) >= wanted[-1][2] - allowed
    return good / len(wanted) if wanted else 1.0


def check_vectors(index: VectorIndex, got: np.ndarray, added: np.ndarray) -> None:
    """``got`` (k, D) are those that were ``added``, as exactly as the index keeps them."""
    assert got.shape == added.shape and got.dtype == np.float32
    if index.exact:
        np.testing.assert_array_equal(got, added)
    else:
        norms = np.linalg.norm(added, axis=1)
        assert (np.linalg.norm(got - added, axis=1) <= ROUNDED * norms).all()


class Odd:
    """A condition that no index can have heard of."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def passes(self, track: Track) -> bool:
        self.seen.append(track.id)
        return int(track.id) % 2 == 1


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01, 0.0])
@pytest.mark.parametrize("n", [1, 7, 60, 1000])
def test_the_best_segment_of_each_track(opened: Callable[[], VectorIndex], n: int, share: float) -> None:
    """Tracks of very unequal length: one has half of all segments, so that fetching a few meets few tracks."""
    rng = np.random.default_rng(n)
    held = made(rng, [1000, *rng.integers(1, 16, 199).tolist()])
    index = opened()
    index.upsert(segments(held))
    assert len(index) == sum(len(vectors) for _, vectors in held.values())
    where = Where(condition=Filters(max_bpm=share * 200 or 0.5))
    assert len(passing(held, where)) == share * 200
    check(index, held, unit(rng, 8), n, where)
    check(index, held, unit(rng, 3), n)


@pytest.mark.parametrize("seed", range(6))
def test_ids_and_conditions_together(opened: Callable[[], VectorIndex], seed: int) -> None:
    rng = np.random.default_rng(seed)
    held = made(rng, rng.integers(1, 9, 60).tolist())
    index = opened()
    index.upsert(segments(held))
    conditions: list[Condition | None] = [None, Filters(max_bpm=30.0), Filters(min_bpm=31.0, max_bpm=34.0), Odd()]

    def some(most: int) -> frozenset[str]:
        return frozenset(f"{i:04}" for i in rng.choice(80, rng.integers(0, most), replace=False))  # 20 are unknown

    for _ in range(30):
        only = some(20) if rng.random() < 0.5 else None
        where = Where(only, some(30), conditions[rng.integers(len(conditions))])
        check(index, held, unit(rng, 1), int(rng.integers(1, 70)), where)


def test_named_tracks_are_looked_up_and_no_others(opened: Callable[[], VectorIndex]) -> None:
    rng = np.random.default_rng(1)
    held = made(rng, [2] * 100)
    index = opened()
    index.upsert(segments(held))
    odd = Odd()
    check(index, held, unit(rng, 1), 5, Where(frozenset({"0003", "0004", "9999"}), condition=odd))
    assert set(odd.seen) <= {"0003", "0004"}


def test_a_track_that_crowds_the_top_hides_no_other(opened: Callable[[], VectorIndex]) -> None:
    rng = np.random.default_rng(0)
    query = unit(rng, 1)[0]
    crowd = (query + 1e-3 * rng.normal(size=(500, D))).astype(np.float32)
    index = opened()
    index.upsert(
        segments({"0000": (track("0000"), crowd)} | {f"{i}": (track(f"{i}"), unit(rng, 1)) for i in range(1, 6)})
    )
    assert {hit.track for hit in index.search(query, 6)} == {"0000", "1", "2", "3", "4", "5"}


def test_ties_break_by_id_and_then_by_number_whatever_came_first(opened: Callable[[], VectorIndex]) -> None:
    same = np.tile(np.eye(D, dtype=np.float32)[0], (3, 1))
    index = opened()
    for id in ("c", "a", "d", "b"):
        index.upsert(segments({id: (track(id), same)}))
    index.upsert(segments({"a": (track("a"), same)}))
    assert [(hit.track, hit.segment) for hit in index.search(same[0], 4)] == [("a", 0), ("b", 0), ("c", 0), ("d", 0)]


@pytest.mark.parametrize("seed", range(5))
def test_it_holds_what_it_was_given_last(opened: Callable[[], VectorIndex], seed: int) -> None:
    """Added, replaced by longer and shorter versions of themselves, and removed, in any order."""
    rng = np.random.default_rng(seed)
    index, held = opened(), Held()
    for _ in range(12):
        some = [f"{i:04}" for i in rng.choice(30, rng.integers(0, 8), replace=False)]
        if rng.random() < 0.3:
            index.remove(iter(some))
            held = {id: kept for id, kept in held.items() if id not in some}
        else:
            new = {id: (track(id, float(rng.integers(60, 180))), unit(rng, int(rng.integers(0, 5)))) for id in some}
            index.upsert(segments(new))
            held |= new
        assert len(index) == sum(len(vectors) for _, vectors in held.values())
        check(index, held, unit(rng, 2), 40)
        check(index, held, unit(rng, 2), 40, Where(condition=Filters(min_bpm=120.0)))
        for id, vectors in zip(held, index.vectors(list(held)), strict=True):
            check_vectors(index, vectors, held[id][1])


def test_a_stamp_tells_which_version_of_a_track_is_held(opened: Callable[[], VectorIndex]) -> None:
    rng = np.random.default_rng(7)
    index, held = opened(), made(rng, [2, 0, 1, 3])
    assert index.stamps() == {}
    given = segments(held)
    index.upsert(Segments(given.tracks, given.counts, given.vectors, [f"v {track.id}" for track in given.tracks]))
    stamps = {id: f"v {id}" for id in held}
    assert index.stamps() == stamps
    assert {
        track.id: stamp for block in index.blocks() for track, stamp in zip(block.tracks, block.stamps, strict=True)
    } == {id: stamps[id] for id, (_, vectors) in held.items() if len(vectors)}
    index.upsert(segments({"0001": held["0001"], "new": (track("new"), unit(rng, 1))}))
    index.remove(["0002"])
    assert index.stamps() == {"0000": "v 0000", "0001": "", "0003": "v 0003", "new": ""}


def test_a_track_given_anew_is_asked_anew_whether_it_passes(opened: Callable[[], VectorIndex]) -> None:
    query = np.eye(D, dtype=np.float32)[0]
    quick = Where(condition=Filters(min_bpm=120.0))
    index = opened()
    for tempo_bpm in (100.0, 130.0, 100.0):
        index.upsert(segments({"a": (track("a", tempo_bpm), query[None])}))
        assert [hit.track for hit in index.search(query, 1, quick)] == (["a"] if tempo_bpm > 120 else [])


def test_vectors_come_back_in_the_order_of_the_ids(opened: Callable[[], VectorIndex]) -> None:
    rng = np.random.default_rng(2)
    held = made(rng, [3, 1, 4])
    index = opened()
    index.upsert(segments(held))
    got = index.vectors(["0002", "nobody", "0000", "0002"])
    assert [vectors.dtype for vectors in got] == [np.float32] * 4 and got[1].shape == (0, D)
    for id, vectors in zip(("0002", "0000", "0002"), (got[0], *got[2:]), strict=True):
        check_vectors(index, vectors, held[id][1])
    kept = got[0].copy()
    index.upsert(segments(made(rng, [50] * 40)))
    index.remove(held)
    gc.collect()
    np.testing.assert_array_equal(got[0], kept)  # whatever became of the index


def test_everything_comes_back_in_blocks(opened: Callable[[], VectorIndex], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.index.rows.BLOCK", 16)
    rng = np.random.default_rng(3)
    held = made(rng, rng.integers(1, 9, 40).tolist())
    index = opened()
    index.upsert(segments(held | {"none": (track("none"), unit(rng, 0))}))
    slow = Where(condition=Filters(max_bpm=20.0))
    for where in (
        EVERYWHERE,
        slow,
        Where(frozenset({"0007", "0003"})),
        Where(exclude=frozenset({"0007"})),
        Where(frozenset()),
    ):
        blocks = list(index.blocks(where))
        wanted = passing(held, where)
        assert [track.id for block in blocks for track in block.tracks] == sorted(wanted)
        assert {track.id: track for block in blocks for track in block.tracks} == {id: wanted[id][0] for id in wanted}
        for block in blocks:
            parts = np.split(block.vectors, np.cumsum(block.counts)[:-1])
            for each, vectors in zip(block.tracks, parts, strict=True):
                check_vectors(index, vectors, wanted[each.id][1])
    assert list(opened().blocks()) == []


def test_it_keeps_a_copy(opened: Callable[[], VectorIndex]) -> None:
    given = np.eye(D, dtype=np.float32)[:2].copy()
    index = opened()
    index.upsert(segments({"a": (track("a"), given)}))
    given[:] = 0
    assert index.search(np.eye(D, dtype=np.float32)[1], 1)[0].score == pytest.approx(1.0)


def test_nothing_to_find(opened: Callable[[], VectorIndex]) -> None:
    index, query = opened(), np.eye(D, dtype=np.float32)[0]
    assert len(index) == 0 and index.search(query, 3) == []
    index.remove(["nobody"])
    index.upsert(segments({}))
    assert index.search(query, 3, Where(frozenset({"nobody"}))) == [] and index.vectors([]) == []
    index.upsert(segments({"a": (track("a"), query[None])}))
    for n, where in ((0, EVERYWHERE), (-1, EVERYWHERE), (3, Where(frozenset())), (3, Where(exclude=frozenset({"a"})))):
        assert index.search(query, n, where) == []
    index.remove(["a"])
    assert len(index) == 0 and index.search(query, 3) == []


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((1, D)), np.full(D, np.nan), np.full(D, np.inf)])
def test_a_query_that_is_no_vector_of_the_index_is_refused(opened: Callable[[], VectorIndex], bad: np.ndarray) -> None:
    index = opened()
    index.upsert(segments({"a": (track("a"), np.eye(D, dtype=np.float32)[:1])}))
    with pytest.raises(ValueError, match="query"):
        index.search(bad.astype(np.float32), 1)


def test_what_cannot_be_kept_is_refused_and_nothing_changes(opened: Callable[[], VectorIndex]) -> None:
    rng = np.random.default_rng(4)
    held = made(rng, [2, 3])
    index = opened()
    index.upsert(segments(held))
    twice = Segments([track("a"), track("a")], np.array([1, 1]), unit(rng, 2))
    for new, says in (
        (segments({"a": (track("a"), unit(rng, 2, D - 1))}, D - 1), "23 numbers"),
        (segments({"a": (track("a"), np.full((1, D), np.nan, np.float32))}), "not finite"),
        (twice, "twice"),
    ):
        with pytest.raises(ValueError, match=says):
            index.upsert(new)
    check(index, held, unit(rng, 3), 9)


def test_closing_twice(opened: Callable[[], VectorIndex]) -> None:
    index = opened()
    index.upsert(segments({"a": (track("a"), np.eye(D, dtype=np.float32)[:1])}))
    index.close()
    index.close()


def test_threads_get_the_answers_that_one_gets(opened: Callable[[], VectorIndex]) -> None:
    rng = np.random.default_rng(5)
    index = opened()
    index.upsert(segments(made(rng, rng.integers(1, 20, 80).tolist())))
    asked = [(query, 5, Where(condition=Filters(max_bpm=float(i % 50 + 1)))) for i, query in enumerate(unit(rng, 200))]
    alone = [index.search(*one) for one in asked]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda one: index.search(*one), asked)) == alone


def test_a_search_beside_writes_sees_a_track_as_it_was_or_as_it_is(opened: Callable[[], VectorIndex]) -> None:
    """Version v of track ``a`` has v segments of score v; track ``b`` never changes. A write that returned is seen."""
    query = np.eye(D, dtype=np.float32)[0]

    def version(v: int) -> Segments:
        return segments({"a": (track("a"), np.tile(v * query, (v, 1)))})

    index = opened()
    index.upsert(segments({"b": (track("b"), np.tile(0.5 * query, (40, 1)))}))
    index.upsert(version(1))
    written, done = [1], threading.Event()
    wrong: list[object] = []

    def searching() -> None:
        while not done.is_set() and not wrong:
            least = written[-1]
            hits = index.search(query, 2)
            newest = written[-1] + 1
            if [(hit.track, hit.segment) for hit in hits] != [("a", 0), ("b", 0)] or hits[1].score != 0.5:
                wrong.append(hits)
            elif not least <= hits[0].score <= newest:
                wrong.append((least, hits, newest))

    readers = [threading.Thread(target=searching) for _ in range(3)]
    for reader in readers:
        reader.start()
    for v in range(2, 60):
        index.upsert(version(v))
        written.append(v)
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_writes_of_several_threads_all_arrive(
    opened: Callable[[], VectorIndex], request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)  # so that an index without a lock loses some
    rng = np.random.default_rng(6)
    held = made(rng, [2] * 200)
    index = opened()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda id: index.upsert(segments({id: held[id]})), held))
    check(index, held, unit(rng, 3), 50)


def test_one_says_where_it_searches(opened: Callable[[], VectorIndex]) -> None:
    assert opened().state.device


def test_segments_that_do_not_fit_their_tracks() -> None:
    with pytest.raises(ValueError, match="4 vectors for 1 tracks"):
        Segments([track("a")], np.array([3]), np.eye(4, dtype=np.float32))
    with pytest.raises(ValueError, match="float32"):
        Segments([track("a")], np.array([4]), np.eye(4))
    with pytest.raises(ValueError, match="2 stamps for 1 tracks"):
        Segments([track("a")], np.array([4]), np.eye(4, dtype=np.float32), ["v1", "v2"])


def test_an_index_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SearchIndexError, match=r"'tree'.*one of flat"):
        open_index("tree", IndexOptions(tmp_path, D))


def test_an_address_of_no_known_server_is_told_without_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(SearchIndexError, match=r"'tree://\.\.\.'") as raised:
        open_index("tree://me:secret@host", IndexOptions(tmp_path, D))
    assert "secret" not in str(raised.value)
