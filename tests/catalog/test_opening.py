"""A catalogue whose index keeps the vectors opens without reading them, and answers to the last bit as it did."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog import opening, standing
from catalog.catalog import Catalog
from catalog.database import DATABASE
from catalog.index.base import IndexOptions, Segments
from catalog.index.compact import CompactIndex
from catalog.index.compact_build import build
from catalog.index.compact_sizes import Sizes
from catalog.index.flat import FlatIndex
from catalog.loading import vectors_of
from catalog.measures import FILE, Measures
from catalog.placed import FILE as PLACES
from catalog.placed import Placed
from catalog.records import Analysis, Track
from catalog.standard import standard_of
from catalog.standing import Order
from catalog.store import Store
from catalog.stored import Entry, FileStamp
from engines.bank import Bank
from engines.bundle import Bundle

C, E = 16, 32
STAMP = FileStamp(1, 1)
TRACKS = 12


class Keeping(FlatIndex):
    """Keeps all in memory when it is closed."""

    held: Segments | None = None

    def __init__(self, options: IndexOptions) -> None:
        super().__init__(options)
        if Keeping.held is not None:
            self.upsert(Keeping.held)

    def keeps(self, segments: int) -> bool:
        return True

    def close(self) -> None:
        blocks = list(self.blocks())
        if blocks:
            [Keeping.held] = blocks
        super().close()


def entry(
    number: int, seed: int | None = None, title: str = "", known: bool = False, tempo_bpm: float | None = None
) -> Entry:
    rng = np.random.default_rng(number if seed is None else seed)
    clips = 6 + number % 5
    first = np.arange(clips - 3)
    vectors = rng.normal(size=(len(first), E)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    own = Analysis(
        clips * 4.0, 60.0 + number, np.arange(8, dtype=np.float32), rng.normal(size=(clips, C)).astype(np.float32),
        rng.random((clips, 3), dtype=np.float32), first, (first * 4).astype(np.float32), vectors,
        rng.random((len(first), 3), dtype=np.float32)
    )  # fmt: skip
    track = Track(
        f"{number:016x}",
        title or f"Song {number}",
        "",
        path_of(number),
        own.duration_s,
        tempo_bpm or own.tempo_bpm,
        "",
        (),
    )
    return Entry(track, None if known else own)


def path_of(number: int) -> Path:
    return Path(f"/music/{number}.ogg")


def put(folder: Path, *entries: Entry) -> None:
    with closing(Store(folder, write=True)) as store:
        for each in entries:
            store.put(each.track.path, STAMP, [each])


def forget(folder: Path, *numbers: int) -> None:
    with closing(Store(folder, write=True)) as store:
        store.forget([path_of(number) for number in numbers])


def damage_vectors(folder: Path, number: int) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        db.execute("UPDATE segments SET vectors = zeroblob(length(vectors)) WHERE track = ?", (f"{number:016x}",))


@pytest.fixture(scope="module")
def bundle(bundle: Bundle) -> Bundle:
    queries = np.random.default_rng(5).normal(size=(9, E)).astype(np.float32)
    return replace(bundle, bank=Bank(queries / np.linalg.norm(queries, axis=1, keepdims=True)))


@pytest.fixture
def folder(tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Keeping, "held", None)
    monkeypatch.setattr("catalog.catalog.open_index", lambda name, options: kinds[name](options))
    kinds: dict[str, Callable[[IndexOptions], Any]] = {"kept": Keeping, "flat": FlatIndex, "auto": FlatIndex}
    Catalog.create(tmp_path / "c", bundle).close()
    put(tmp_path / "c", *map(entry, range(TRACKS)))
    return tmp_path / "c"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The tracks whose vectors were read."""
    seen: list[str] = []
    whole = Store.segments

    def segments(
        self: Store, dim: int, ids: Any = None, damaged: dict[str, str] | None = None, vectors: bool = True
    ) -> Any:
        found = whole(self, dim, ids, damaged, vectors)
        seen.extend(found.tracks if vectors else ())
        assert vectors or not found.vectors.size
        return found

    monkeypatch.setattr(Store, "segments", segments)
    yield seen


def queries(count: int) -> Any:
    drawn = np.random.default_rng(6).normal(size=(count, E)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def answers(folder: Path, bundle: Bundle, index: str = "kept", exact: bool = True) -> list[Any]:
    """Everything that a search and a track's table say, with every bit."""
    with Catalog.open(folder, bundle, index=index) as catalog:
        found: list[Any] = []
        for query in queries(6):
            hits = catalog.search(query, 8, lean=(0.5, 0.0, 0.0, -0.2))
            found += [(hit.track, hit.start_s, hit.similarity, hit.zscore) for hit in hits]
        for track in catalog.tracks():
            own = catalog._now.table.of_track(track.id)
            assert own is not None
            found += [track, own.mean, own.deviation, own.known, own.standings.tolist(), own.starts_s.tolist()]
    return found


def test_none_is_read_and_nothing_differs(folder: Path, bundle: Bundle, read: list[str]) -> None:
    first = answers(folder, bundle)
    assert len(set(read)) == TRACKS and (folder / FILE).is_file()
    read.clear()
    kept = (folder / FILE).read_bytes()
    assert answers(folder, bundle) == first and read == []
    assert (folder / FILE).read_bytes() == kept


def test_an_index_that_keeps_nothing_reads_all(folder: Path, bundle: Bundle, read: list[str]) -> None:
    first = answers(folder, bundle, "flat")
    assert not (folder / FILE).exists()
    kept = answers(folder, bundle)
    assert first == kept
    read.clear()
    assert answers(folder, bundle, "flat") == first and len(read) == TRACKS


def gone(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def changed_at(share: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        said = bytearray(path.read_bytes())
        said[int(share * (len(said) - 1))] ^= 1
        path.write_bytes(said)

    return change


def another_sort(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "a").touch()


HARMS = [gone, empty, cut, *map(changed_at, (0.0, 0.3, 0.6, 1.0))]


@pytest.mark.parametrize("harm", HARMS)
def test_places_are_made_again_when_they_are_damaged(
    folder: Path, bundle: Bundle, read: list[str], harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    first = answers(folder, bundle)
    kept = (folder / PLACES).read_bytes()
    harm(folder / PLACES)
    read.clear()
    with caplog.at_level(logging.WARNING):
        assert answers(folder, bundle) == first and read == []
    assert (PLACES in caplog.text) == (harm is not gone)
    assert (folder / PLACES).read_bytes()[32:] == kept[32:]


def test_only_what_is_new_is_placed(folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[int] = []

    def raw_of(outlines: Any, *arguments: Any) -> Any:
        placed.append(len(outlines))
        return standing.raw_of(outlines, *arguments)

    monkeypatch.setattr("catalog.segments.raw_of", raw_of)
    answers(folder, bundle)
    kept = Order.load(folder / "order.npz")
    assert kept is not None
    placed.clear()
    first = answers(folder, bundle)
    assert placed == []
    put(folder, entry(2, known=True, tempo_bpm=200.0), entry(20))
    forget(folder, 5)
    now = answers(folder, bundle)
    assert placed == [2] and now != first
    placed.clear()
    assert answers(folder, bundle) == now and placed == []
    (folder / PLACES).unlink()
    assert answers(folder, bundle) == now and placed == [TRACKS]  # all at once, to the same bits


def test_places_are_of_one_order(folder: Path, bundle: Bundle) -> None:
    answers(folder, bundle)
    rng = np.random.default_rng(3)
    raw = standing.Raw(*rng.random((2, 50)), rng.random((50, 3)), rng.random(50))
    kept, other = Order.load(folder / "order.npz"), Order(raw)
    assert kept is not None and kept.sum != other.sum
    assert Placed.load(folder, kept, True) is not None
    assert Placed.load(folder, kept, False) is None and Placed.load(folder, other, True) is None


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_kept_is_made_again_when_it_is_damaged(
    folder: Path, bundle: Bundle, read: list[str], harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    first = answers(folder, bundle)
    kept = (folder / FILE).read_bytes()
    harm(folder / FILE)
    read.clear()
    with caplog.at_level(logging.WARNING):
        assert answers(folder, bundle) == first and len(set(read)) == TRACKS
    assert (FILE in caplog.text) == (harm is not gone)
    assert Measures.load(folder, bank_of(bundle)) is not None and len((folder / FILE).read_bytes()) == len(kept)
    read.clear()
    assert answers(folder, bundle) == first and read == []


def test_where_it_cannot_be_kept_that_is_said_and_searches_go_on(
    folder: Path, bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    first = answers(folder, bundle)
    another_sort(folder / FILE)
    with caplog.at_level(logging.WARNING):
        assert answers(folder, bundle) == first
    assert "cannot be read" in caplog.text and "cannot be written" in caplog.text
    assert not list(folder.glob("*.new"))


def test_by_another_bank_everything_is_measured_again(folder: Path, bundle: Bundle) -> None:
    answers(folder, bundle)
    bank = bank_of(bundle)
    other = bank.copy()
    other[0, 0] += np.float32(1e-6)
    assert Measures.load(folder, bank) is not None and Measures.load(folder, other) is None
    assert Measures.load(folder, bank[:-1]) is None


def test_only_what_changed_is_read(folder: Path, bundle: Bundle, read: list[str]) -> None:
    answers(folder, bundle)
    put(folder, entry(30), entry(3, title="Renamed", known=True))
    forget(folder, 5, 6)
    put(folder, entry(6, seed=99))  # analysed again, otherwise
    read.clear()
    now = answers(folder, bundle)
    assert set(read) == {f"{number:016x}" for number in (3, 6, 30)}
    read.clear()
    assert answers(folder, bundle) == now and read == []
    (folder / FILE).unlink()
    for known, fresh in zip(now, answers(folder, bundle), strict=True):  # measured together, which may round otherwise
        if isinstance(known, np.floating):
            assert known == pytest.approx(fresh, abs=1e-6)
        elif isinstance(known, tuple):
            assert known[:2] == fresh[:2] and known[2:] == pytest.approx(fresh[2:], abs=1e-5)


def test_what_an_index_has_lost_is_read_again(
    folder: Path, bundle: Bundle, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answers(folder, bundle)
    monkeypatch.setattr(Keeping, "held", None)
    read.clear()
    assert answers(folder, bundle) == first and len(read) == TRACKS


def test_a_new_track_whose_vectors_are_damaged_is_left_out(
    folder: Path, bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    answers(folder, bundle)
    put(folder, entry(30), entry(31))
    damage_vectors(folder, 31)
    with caplog.at_level(logging.WARNING), Catalog.open(folder, bundle, index="kept") as catalog:
        assert f"{30:016x}" in catalog and f"{31:016x}" not in catalog and len(catalog) == TRACKS + 1
    assert f"{31:016x}" in caplog.text and "vectors" in caplog.text


def test_what_is_damaged_of_vectors_that_the_index_holds_does_no_harm(
    folder: Path, bundle: Bundle, read: list[str]
) -> None:
    first = answers(folder, bundle)
    damage_vectors(folder, 4)
    read.clear()
    assert answers(folder, bundle) == first and read == []
    put(folder, entry(4, title="Renamed", known=True))  # now they are needed
    with Catalog.open(folder, bundle, index="kept") as catalog:
        assert f"{4:016x}" not in catalog and len(catalog) == TRACKS - 1


def test_a_track_that_is_analysed_again_meanwhile(
    folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(folder, bundle)
    put(folder, entry(3, title="Renamed", known=True))

    def late(*arguments: Any) -> Any:
        forget(folder, 3)
        put(folder, entry(3, seed=77, title="Anew"))
        return vectors_of(*arguments)

    monkeypatch.setattr(opening, "vectors_of", late)
    with Catalog.open(folder, bundle, index="kept") as catalog:
        assert catalog.track(f"{3:016x}").title == "Anew"
        wanted = entry(3, seed=77).analysis
        assert wanted is not None
        mean = wanted.vectors.mean(axis=0)
        np.testing.assert_allclose(catalog.vector(f"{3:016x}"), mean / np.linalg.norm(mean), atol=1e-5)


def test_copies_and_hidden_tracks(folder: Path, bundle: Bundle, read: list[str]) -> None:
    put(folder, entry(30))
    with closing(Store(folder, write=True)) as store:
        store.join_recordings(f"{30:016x}", [f"{1:016x}"])
    first = answers(folder, bundle)
    answers(folder, bundle)  # one of the two was not measured before
    read.clear()
    assert answers(folder, bundle) == first and read == []


def test_those_of_tracks_that_went_are_forgotten(folder: Path, bundle: Bundle) -> None:
    answers(folder, bundle)
    forget(folder, *range(8))
    answers(folder, bundle)
    kept = Measures.load(folder, bank_of(bundle))
    assert kept is not None and len(kept) == TRACKS - 8


def test_the_compact_index(folder: Path, bundle: Bundle, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = replace(Sizes(), kept=10)
    monkeypatch.setattr("catalog.catalog.open_index", lambda name, options: CompactIndex(options, sizes, build))
    first = answers(folder, bundle)
    read.clear()
    assert answers(folder, bundle) == first and read == []
    [rows] = list((folder / "index").glob("g-*/rows.faiss"))
    rows.write_bytes(rows.read_bytes()[:-1])
    assert answers(folder, bundle) == first and len(read) == TRACKS


def test_measures_are_what_was_measured(bundle: Bundle) -> None:
    bank = bank_of(bundle)
    owners, counts = np.repeat(np.arange(3), [2, 3, 1]), np.array([2, 3, 1])
    vectors = np.random.default_rng(1).normal(size=(6, E)).astype(np.float32)
    standard = standard_of(vectors, bank, owners, 1.0)
    kept = Measures([], np.zeros((0, 2), np.float32)).joined(["a", "b", "c"], standard, counts)
    again = kept.standard(["c", "a"], counts[[2, 0]])
    rows = [5, 0, 1]
    assert again.means.tolist() == standard.means[rows].tolist()
    assert again.deviations.tolist() == standard.deviations[rows].tolist()
    assert not len(kept.standard([], counts[:0]).means)


def bank_of(bundle: Bundle) -> Any:
    assert bundle.bank is not None
    return bundle.bank.queries


def test_a_bundle_without_a_bank_reads_all(folder: Path, bundle: Bundle, read: list[str]) -> None:
    bare = replace(bundle, bank=None)
    first = answers(folder, bare)
    read.clear()
    assert answers(folder, bare) == first and len(read) == TRACKS and not (folder / FILE).exists()
