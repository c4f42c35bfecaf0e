"""The compact index: what it finds, what it keeps, and what it does with damaged files, full disks and other processes.
What every index must do is in ``test_contract.py``."""

import errno
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from catalog.errors import SearchIndexError
from catalog.index import compact_build
from catalog.index.base import EVERYWHERE, IndexOptions, Segments, Where
from catalog.index.compact import CompactIndex
from catalog.index.compact_build import build
from catalog.index.compact_files import CODES, CURRENT, MANIFEST, ROWS, current, read_manifest
from catalog.index.compact_generation import open_generation
from catalog.index.compact_sizes import Sizes
from catalog.index.compact_tracks import BOUNDS, NAMES, OWNERS, TRACKS, pack, unpack
from catalog.index.flat import FlatIndex
from catalog.index.registry import COMPACT_FROM, open_index
from catalog.records import Filters, Floats, Track
from catalog.rights import Rights

D = 24
SMALL = Sizes(kept=1, coded=300, listed=1000, looked=0.5, few=100, few_of_many=100, changed_least=50, changed_most=200)


def track(id: str, tempo_bpm: float = 100.0) -> Track:
    return Track(id, f"Song {id}", "", Path(f"/music/{id}.ogg"), 60.0, tempo_bpm, "", ())


def unit(rng: np.random.Generator, rows: int, dim: int = D) -> Floats:
    vectors = rng.standard_normal((rows, dim), np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def segments(rng: np.random.Generator, ids: list[str], each: int, stamp: str = "") -> Segments:
    counts = np.full(len(ids), each, np.int64)
    return Segments([track(id) for id in ids], counts, unit(rng, each * len(ids)), [stamp] * len(ids))


def opened(folder: Path, sizes: Sizes = SMALL, make: Callable[..., Path] | None = build) -> CompactIndex:
    return CompactIndex(IndexOptions(folder, D), sizes, make)


def filled(folder: Path, rng: np.random.Generator, tracks: int = 100) -> CompactIndex:
    """An index whose tracks are all in a generation."""
    index = opened(folder)
    index.upsert(segments(rng, [f"{i:04}" for i in range(tracks)], 5, "first"))
    return index


def best_tracks(
    vectors: Floats, owners: np.ndarray, query: Floats, n: int, allowed: np.ndarray | None = None
) -> set[int]:
    scores = vectors @ query
    best = np.full(int(owners.max()) + 1, -np.inf, np.float32)
    np.maximum.at(best, owners, scores)
    if allowed is not None:
        best[~allowed] = -np.inf
    order = np.argsort(-best)[:n]
    return set(order[np.isfinite(best[order])].tolist())


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory) -> tuple[CompactIndex, Floats, np.ndarray, np.ndarray]:
    """30,000 rows as a catalogue has them: of few directions, with five numbers behind that have other scales."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((128, 128)))[0].astype(np.float32)
    spread = np.exp(-np.arange(128) / 12).astype(np.float32)
    owners = np.repeat(np.arange(1000), 30)
    drawn = rng.standard_normal((1000, 128), np.float32)[owners] + 0.6 * rng.standard_normal((30_000, 128), np.float32)
    near = unit_rows((drawn * spread) @ basis.T)
    deviations = rng.uniform(0.05, 0.2, 1000).astype(np.float32)[owners]
    means = rng.uniform(0.1, 0.5, 1000).astype(np.float32)[owners]
    rest = 2 * rng.uniform(-1, 1, (30_000, 4)).astype(np.float32)
    vectors = np.concatenate([near / deviations[:, None], (-means / deviations)[:, None], rest], axis=1)
    tempi = 1.0 + rng.permutation(1000)
    index = CompactIndex(IndexOptions(tmp_path_factory.mktemp("shaped"), 133), make=build)
    tracks = [track(f"{i:04}", float(tempo)) for i, tempo in enumerate(tempi)]
    index.upsert(Segments(tracks, np.full(1000, 30, np.int64), vectors))
    queries = unit_rows((rng.standard_normal((40, 128), np.float32) * spread) @ basis.T)
    leans = rng.uniform(-1, 1, (40, 4)).astype(np.float32)
    return index, vectors, np.concatenate([queries, np.ones((40, 1), np.float32), leans], axis=1), tempi


def unit_rows(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01, 0.001])
def test_it_finds_the_best_tracks_of_a_catalogue(
    shaped: tuple[CompactIndex, Floats, np.ndarray, np.ndarray], share: float
) -> None:
    index, vectors, queries, tempi = shaped
    assert index._state.base is not None and index._state.base.coded
    owners, allowed = np.repeat(np.arange(1000), 30), tempi <= share * 1000
    where = EVERYWHERE if share == 1.0 else Where(condition=Filters(max_bpm=share * 1000))
    found = []
    for query in queries:
        hits = index.search(query, 32, where)
        wanted = best_tracks(vectors, owners, query, 32, allowed)
        assert len(hits) == len(wanted) and {int(hit.track) for hit in hits} <= set(np.flatnonzero(allowed).tolist())
        for hit in hits[:3]:
            row = vectors[int(hit.track) * 30 + hit.segment]
            assert abs(hit.score - row @ query) <= 1e-3 * np.linalg.norm(row) * np.linalg.norm(query)
        found.append(len(wanted & {int(hit.track) for hit in hits}) / len(wanted))
    assert np.mean(found) >= 0.98


@pytest.mark.parametrize(
    ("rows", "lists"), [(20_000, (1, 1)), (300_000, (2048, 89)), (1_000_000, (4096, 178)), (10_000_000, (16384, 712))]
)
def test_how_many_lists(rows: int, lists: tuple[int, int]) -> None:
    assert Sizes().lists(rows) == lists


def test_what_was_merged_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    index = filled(tmp_path, rng)
    index.upsert(segments(rng, ["0007", "new"], 2, "second"))  # these wait in memory
    index.remove(["0008"])
    changed = {f"{i:04}": "first" for i in range(100)} | {"0007": "second", "new": "second"}
    del changed["0008"]
    assert index.stamps() == changed
    index.close()
    again = opened(tmp_path)
    assert len(again) == 500 and again.stamps() == {f"{i:04}": "first" for i in range(100)}
    query = unit(rng, 1)[0]
    again.upsert(segments(rng, [f"later{i}" for i in range(30)], 5, "third"))
    again.settle()
    assert len(opened(tmp_path)) == 650
    assert again.search(query, 40) == opened(tmp_path).search(query, 40)


def test_a_search_says_the_same_before_and_after_a_merge(tmp_path: Path) -> None:
    """What waits is rounded as what is in files, and a removed track does not come back."""
    rng = np.random.default_rng(2)
    kept = opened(tmp_path / "a", replace(SMALL, changed_least=10_000, changed_most=10_000, dead=1.0))
    merged = opened(tmp_path / "b", replace(SMALL, changed_least=1, changed_most=1))
    for index in (kept, merged):
        own = np.random.default_rng(3)
        index.upsert(segments(own, [f"{i:04}" for i in range(40)], 5))
        index.upsert(segments(own, [f"{i:04}" for i in range(30, 60)], 4))
        index.settle()
        index.remove([f"{i:04}" for i in range(0, 60, 7)])
        index.settle()
    assert len(kept._state.delta) > 100 and not len(merged._state.delta)
    for query in unit(rng, 20):
        one, other = kept.search(query, 60), merged.search(query, 60)
        assert [(hit.track, hit.segment) for hit in one] == [(hit.track, hit.segment) for hit in other]
        np.testing.assert_allclose([hit.score for hit in one], [hit.score for hit in other], atol=1e-6)
    for id in ("0001", "0035", "0000"):
        np.testing.assert_array_equal(*(index.vectors([id])[0] for index in (kept, merged)))


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e6, 1e15])
def test_vectors_of_any_length(tmp_path: Path, size: float) -> None:
    rng = np.random.default_rng(4)
    index = opened(tmp_path)
    given = segments(rng, [f"{i:04}" for i in range(100)], 5)
    index.upsert(Segments(given.tracks, given.counts, given.vectors * np.float32(size)))
    assert index._state.base is not None
    [got] = index.vectors(["0099"])
    np.testing.assert_allclose(got, given.vectors[-5:] * np.float32(size), atol=size * 5e-4)
    assert index.search(given.vectors[-1], 1)[0].score == pytest.approx(size, rel=1e-3)


@pytest.mark.parametrize("name", [ROWS, CODES, NAMES, BOUNDS, OWNERS, TRACKS, MANIFEST])
@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_damaged_file_is_named_and_the_index_begins_empty(
    tmp_path: Path, name: str, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(5)
    filled(tmp_path, rng).close()
    folder = current(tmp_path / "index")
    assert folder is not None
    damage(folder / name, harm)
    with pytest.raises(SearchIndexError, match=rf"{name}: .*; it is built again"):
        open_generation(folder, D)
    with caplog.at_level(logging.WARNING):
        index = opened(tmp_path)
    assert name in caplog.text and len(index) == 0 and index.stamps() == {}
    index.upsert(segments(rng, [f"{i:04}" for i in range(100)], 5, "again"))
    index.close()
    assert len(opened(tmp_path)) == 500


def damage(path: Path, harm: str) -> None:
    if harm == "gone":
        path.unlink()
        return
    data = bytearray(path.read_bytes())
    if harm == "cut":
        del data[-10:]
    else:
        data[len(data) // 2 if path.name != ROWS else 5] ^= 0x55
    path.write_bytes(bytes(data))


def test_a_thorough_look_reads_all_rows(tmp_path: Path) -> None:
    filled(tmp_path, np.random.default_rng(5)).close()
    folder = current(tmp_path / "index")
    assert folder is not None
    read_manifest(folder, thorough=True)
    data = bytearray((folder / ROWS).read_bytes())
    data[-7] ^= 1
    (folder / ROWS).write_bytes(bytes(data))
    read_manifest(folder)
    with pytest.raises(SearchIndexError, match=ROWS):
        read_manifest(folder, thorough=True)


@pytest.mark.parametrize("said", ["", "../elsewhere", "g-0123456789abcdef", "\udc80"])
def test_a_file_that_names_no_generation(tmp_path: Path, said: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / CURRENT).write_text(said, errors="surrogateescape")
    with caplog.at_level(logging.WARNING):
        assert len(opened(tmp_path)) == 0
    assert "the index is not used" in caplog.text


def test_vectors_of_another_width_are_not_searched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled(tmp_path, np.random.default_rng(6)).close()
    with caplog.at_level(logging.WARNING):
        assert len(CompactIndex(IndexOptions(tmp_path, D + 1))) == 0
    assert f"vectors of {D} numbers, not {D + 1}" in caplog.text


@pytest.mark.parametrize("fails", ["flush_file", "rename", "replace", "write"])
def test_a_full_disk_leaves_all_as_it_was(
    tmp_path: Path, fails: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(7)
    index = filled(tmp_path, rng)
    before = current(tmp_path / "index")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        if fails == "flush_file":
            patched.setattr("catalog.index.compact_files.flush_file", full)
        elif fails == "write":
            patched.setattr(compact_build, "_save", full)
        else:
            patched.setattr(Path, fails, full)
        with caplog.at_level(logging.WARNING):
            index.upsert(segments(rng, [f"new{i}" for i in range(20)], 5, "new"))
            index.settle()
    assert "No space left" in caplog.text and "searches go on" in caplog.text
    assert current(tmp_path / "index") == before
    assert not [path for path in (tmp_path / "index").iterdir() if path.name.startswith(("making", f"{CURRENT}-"))]
    assert len(index) == 600 and len(index.search(unit(rng, 1)[0], 120)) == 120
    assert len(opened(tmp_path)) == 500
    index.upsert(segments(rng, [f"more{i}" for i in range(40)], 5, "new"))  # there is room again
    index.settle()
    assert len(opened(tmp_path)) == 800


def test_two_processes_have_the_same_folder(tmp_path: Path) -> None:
    """Each with what it was given; the last generation counts when the folder is opened again."""
    rng = np.random.default_rng(8)
    one = filled(tmp_path, rng)
    other = opened(tmp_path)
    query = unit(rng, 1)[0]
    before = one.search(query, 100)
    other.upsert(segments(rng, [f"x{i}" for i in range(30)], 5))
    other.settle()
    assert one.search(query, 100) == before  # its files are gone, but not for those that map them
    assert one._state.base is not None and not one._state.base.folder.exists()
    assert len(opened(tmp_path)) == 650
    one.upsert(segments(rng, [f"y{i}" for i in range(30)], 5))
    one.settle()
    assert len(one) == len(opened(tmp_path)) == 650 and len(other) == 650
    assert set(one.stamps()) == {f"{i:04}" for i in range(100)} | {f"y{i}" for i in range(30)}


def test_a_new_generation_knows_the_conditions_of_the_old_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(15)
    index = filled(tmp_path, rng)
    quick = Where(condition=Filters(min_bpm=120.0))
    assert index.search(unit(rng, 1)[0], 3, quick) == []
    fast = [track(f"fast{i}", 130.0) for i in range(20)]
    index.upsert(Segments(fast, np.full(20, 5, np.int64), unit(rng, 100)))
    index.settle()
    assert index._state.base is not None and index._state.base.conditions == [quick.condition]
    assert {hit.track for hit in index.search(unit(rng, 1)[0], 30, quick)} == {own.id for own in fast}


def test_files_are_read_where_faiss_cannot_map_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(13)
    filled(tmp_path, rng).close()
    query = unit(rng, 1)[0]
    mapped, read = opened(tmp_path).search(query, 9), faiss.read_index

    def no_maps(path: str, *flags: int) -> object:
        if flags:
            raise RuntimeError("no maps here")
        return read(path)

    monkeypatch.setattr(faiss, "read_index", no_maps)
    assert opened(tmp_path).search(query, 9) == mapped


@pytest.mark.parametrize(
    ("count", "device", "kind"),
    [(0, "cpu", FlatIndex), (COMPACT_FROM - 1, "cpu", FlatIndex), (COMPACT_FROM, "cpu", CompactIndex),
     (10 * COMPACT_FROM, "auto", FlatIndex)],
)  # fmt: skip
def test_auto_is_exact_and_in_memory_while_it_is_small(tmp_path: Path, count: int, device: str, kind: type) -> None:
    index = open_index("auto", IndexOptions(tmp_path, D, device, count))
    assert isinstance(index, kind)
    index.close()


def test_a_process_of_its_own_makes_the_generation(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    index = opened(tmp_path, make=None)
    index.upsert(segments(rng, [f"{i:04}" for i in range(100)], 5, "first"))
    assert index._state.base is not None and not len(index._state.delta)
    index.upsert(segments(rng, [f"new{i}" for i in range(20)], 5, "new"))
    index.upsert(segments(rng, ["0003", "new3"], 1, "newer"))  # while it is at work
    index.remove(["0004", "new4"])
    index.settle()
    assert len(index) == 500 + 100 - 2 * 10 + 2 and index.stamps()["new3"] == "newer"
    assert not {"0004", "new4"} & {hit.track for hit in index.search(unit(rng, 1)[0], 200)}
    kept = opened(tmp_path).stamps()
    assert kept["new3"] == "new" and kept["new4"] == "new"  # as it was when that process began
    index.close()


def test_closing_ends_a_merge_under_way(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    index = opened(tmp_path, make=None)
    begun = threading.Event()
    making = index._make

    def make(*arguments: object) -> Path:
        begun.set()
        return making(*arguments)  # type: ignore[arg-type]

    index._make = make
    adding = threading.Thread(target=index.upsert, args=[segments(rng, [f"{i:04}" for i in range(100)], 5)])
    adding.start()
    assert begun.wait(30)
    index.close()
    adding.join(30)
    assert not adding.is_alive() and index._merge is None


def test_searches_beside_merges_see_whole_tracks(tmp_path: Path) -> None:
    """Version v of each track has v segments of score v; ten tracks are written over and over, and merged meanwhile."""
    index = opened(tmp_path, replace(SMALL, changed_least=30, changed_most=30))
    rng = np.random.default_rng(11)
    query = np.eye(D, dtype=np.float32)[0]
    still = unit(rng, 600)
    still[:, 0] = 0.0
    index.upsert(Segments([track(f"{i:04}") for i in range(120)], np.full(120, 5, np.int64), still))
    wrong: list[object] = []
    written, done = [0], threading.Event()

    def searching() -> None:
        try:
            while not done.is_set() and not wrong:
                least = written[-1]
                hits = [hit for hit in index.search(query, 10) if hit.track.startswith("v")]
                scores = [hit.score for hit in hits]
                if least and (len(hits) != 10 or min(scores) < least or max(scores) > written[-1] + 1):
                    wrong.append((least, hits))
        except Exception as error:  # noqa: BLE001 - told by the test
            wrong.append(error)

    readers = [threading.Thread(target=searching) for _ in range(2)]
    for reader in readers:
        reader.start()
    for v in range(1, 40):
        many = np.tile(v * query, (v, 1))
        index.upsert(Segments([track(f"v{i}") for i in range(10)], np.full(10, v, np.int64), np.tile(many, (10, 1))))
        written.append(v)
    done.set()
    for reader in readers:
        reader.join()
    index.settle()
    assert not wrong
    assert index._state.base is not None and len(index._state.base.table) > 120


def test_a_search_looks_further_where_most_of_the_best_are_barred(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    index = filled(tmp_path, rng, 400)
    query = unit(rng, 1)[0]
    every = [hit.track for hit in index.search(query, 400)]
    assert len(every) == 400
    rest = index.search(query, 30, Where(exclude=frozenset(every[:350])))
    assert [hit.track for hit in rest] == every[350:380]


def test_a_track_comes_back_as_it_was(tmp_path: Path) -> None:
    odd = Track(
        "é\n", "日本", "", Path("/music/\udcff.ogg"), 1.5, 0.1, "CC0-1.0", ("a", "b"), 3.0, 4.0, -9.5, None, 0.25,
        Rights("by", live_ok=True), ("calm",), False, "8A", 5, ("list",),
    )  # fmt: skip
    assert unpack(pack(odd)) == odd and unpack(pack(track("a"))) == track("a") and b"\n" not in pack(odd)
    with pytest.raises(ValueError, match="no track"):
        unpack(b'{"id": "a"}')
    index = opened(tmp_path)
    index.upsert(Segments([odd], np.array([1]), unit(np.random.default_rng(0), 1)))
    index.close()
    [block] = opened(tmp_path).blocks()
    assert block.tracks == [odd]
