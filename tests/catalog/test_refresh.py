"""A catalogue that changes while it is open is as one that is opened anew; searches beside it see one state."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from older_catalog import to_schema

from catalog import database
from catalog.catalog import Catalog
from catalog.errors import FormatError, SearchIndexError, UnknownTrackError
from catalog.index.base import Segments
from catalog.index.flat import FlatIndex
from catalog.keeping import GROWN
from catalog.layout import read_layout
from catalog.notes import EDIT, Note
from catalog.records import Analysis, Filters, Outline, Track
from catalog.snapshot import Changes
from catalog.store import Store
from catalog.stored import Entry, FileStamp
from engines.bundle import Bundle

C, E = 16, 32
STAMP = FileStamp(1, 1)


def analysis(number: int) -> Analysis:
    rng = np.random.default_rng(number)
    clips = 4 + number % 9
    first = np.arange(max(1, clips - 3))
    vectors = rng.normal(size=(len(first), E)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Analysis(
        clips * 4.0, 60.0 + number, np.arange(8, dtype=np.float32), rng.normal(size=(clips, C)).astype(np.float32),
        rng.random((clips, 3), dtype=np.float32), first, (first * 4).astype(np.float32), vectors,
        rng.random((len(first), 3), dtype=np.float32)
    )  # fmt: skip


def entry(number: int, path: Path, title: str = "", known: bool = False) -> Entry:
    own = analysis(number)
    title = title or f"Song {number}"
    track = Track(f"{number:016x}", title, "", path, own.duration_s, own.tempo_bpm, "", ("x",))
    return Entry(track, None if known else own)


def path_of(number: int) -> Path:
    return Path(f"/music/{number}.ogg")


def put(store: Store, *numbers: int) -> None:
    for number in numbers:
        store.put(path_of(number), STAMP, [entry(number, path_of(number))])


@pytest.fixture
def folder(tmp_path: Path, bundle: Bundle) -> Path:
    Catalog.create(tmp_path / "c", bundle).close()
    return tmp_path / "c"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with closing(Store(folder, write=True)) as store:
        put(store, *range(10))
        yield store


def as_opened(catalog: Catalog, folder: Path, bundle: Bundle) -> None:
    """Compare with a catalogue that is opened now, but for where segments stand, and for the scale of scores."""
    queries = [analysis(number).vectors[0] for number in range(0, 30, 7)]
    with Catalog.open(folder, bundle) as fresh:
        assert catalog.tracks() == fresh.tracks() and len(catalog) == len(fresh)
        assert catalog.playlists() == fresh.playlists()
        for query in queries:
            for filters in (Filters(), Filters(max_bpm=68.0), Filters(jingles=True)):
                found, wanted = (each.search(query, 40, filters) for each in (catalog, fresh))
                assert [(c.track, c.start_s) for c in found] == [(c.track, c.start_s) for c in wanted]
                np.testing.assert_allclose([c.similarity for c in found], [c.similarity for c in wanted], atol=1e-6)
                for one, other in zip(found, wanted, strict=True):
                    np.testing.assert_array_equal(one.clips, other.clips)
                    np.testing.assert_array_equal(one.mood, other.mood)
        for track in fresh.tracks():
            np.testing.assert_array_equal(catalog.beats(track.id), fresh.beats(track.id))
            np.testing.assert_allclose(catalog.vector(track.id), fresh.vector(track.id), atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_after_any_changes_it_is_as_one_that_is_opened_now(
    seed: int, store: Store, folder: Path, bundle: Bundle
) -> None:
    rng = np.random.default_rng(seed)
    with Catalog.open(folder, bundle) as catalog:
        before = {track.id: track for track in catalog.tracks()}
        for _ in range(12):
            for _ in range(int(rng.integers(1, 4))):
                number = int(rng.integers(0, 14))
                match rng.integers(0, 7):
                    case 0:
                        put(store, number)
                    case 1:
                        store.forget([path_of(number)])
                    case 2:
                        store.miss([path_of(number)], missing=bool(rng.integers(2)))
                    case 3 if store.knows(f"{number:016x}"):
                        store.put(path_of(number), STAMP, [entry(number, path_of(number), "Renamed", known=True)])
                    case 4 if store.knows(f"{number:016x}"):
                        copy = Path(f"/music/copy of {number}.ogg")
                        store.put(copy, STAMP, [entry(number, copy, known=True)])
                    case 5 if len(ids := sorted(store.ids())) > 1:
                        one, other = rng.choice(len(ids), 2, replace=False)
                        store.join_recordings(ids[one], [ids[other]])
                    case 6 if rng.integers(2):
                        store.notes.put(EDIT, [Note(path_of(number), 0.0, "hidden", ("yes", "no")[rng.integers(2)])])
                    case _:
                        store.notes.put(EDIT, [Note(path_of(number), 0.0, "licence", f"CC-BY-{rng.integers(9)}")])
            changes = catalog.refresh()
            now = {track.id: track for track in catalog.tracks()}
            assert changes.added == tuple(now[id] for id in sorted(now.keys() - before.keys()))
            assert changes.removed == tuple(before[id] for id in sorted(before.keys() - now.keys()))
            both = sorted(now.keys() & before.keys())
            assert changes.changed == tuple(now[id] for id in both if now[id] != before[id])
            as_opened(catalog, folder, bundle)
            before = now
        assert catalog.refresh() == Changes()


def test_only_what_changed_is_read(store: Store, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    with Catalog.open(folder, bundle) as catalog:
        read: list[object] = []
        tracks = Store.tracks
        monkeypatch.setattr(Store, "tracks", lambda self, ids=None, *rest: read.append(ids) or tracks(self, ids, *rest))
        assert catalog.refresh() == Changes() and read == []
        put(store, 11)
        assert [track.title for track in catalog.refresh().added] == ["Song 11"]
        assert read == [{f"{11:016x}"}]


def test_a_track_that_went_is_still_known_by_name(store: Store, folder: Path, bundle: Bundle) -> None:
    with Catalog.open(folder, bundle) as catalog:
        store.forget([path_of(3)])
        [gone] = catalog.refresh().removed
        assert catalog.track(gone.id).title == "Song 3" and len(catalog.beats(gone.id)) == 8
        for ask in (catalog.vector, lambda id: catalog.like(id, 3)):
            with pytest.raises(UnknownTrackError, match=r"\(Song 3\) is no longer in .*: its file is gone, or it was"):
                ask(gone.id)
        assert gone.id not in {track.id for track in catalog.tracks()}
        assert gone.id not in {
            c.track.id for c in catalog.search(analysis(3).vectors[0], 40, keep=frozenset({gone.id}))
        }
        with pytest.raises(UnknownTrackError):
            catalog.track("nobody")


def test_a_better_file_of_a_recording_takes_the_place_of_another(store: Store, folder: Path, bundle: Bundle) -> None:
    with Catalog.open(folder, bundle) as catalog:
        better = entry(11, path_of(11))
        store.put(path_of(11), STAMP, [replace(better, lossless=True)])
        store.join_recordings(better.track.id, [f"{3:016x}"])
        changes = catalog.refresh()
        assert [t.title for t in changes.added] == ["Song 11"] and [t.title for t in changes.removed] == ["Song 3"]
        assert f"{3:016x}" in catalog and catalog.track(f"{3:016x}").title == "Song 11" and "nobody" not in catalog


def test_changes_of_long_ago_are_read_as_if_everything_had_changed(
    store: Store, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalog.open(folder, bundle) as catalog:
        store.forget([path_of(3)])
        put(store, 11, 12)
        monkeypatch.setattr(database, "CHANGES_KEPT", 1)
        Store(folder, write=True).close()
        changes = catalog.refresh()
        assert [t.title for t in changes.added] == ["Song 11", "Song 12"]
        assert [t.title for t in changes.removed] == ["Song 3"] and changes.changed == ()
        as_opened(catalog, folder, bundle)


def test_one_that_grew_a_lot_is_measured_anew(folder: Path, bundle: Bundle) -> None:
    """So is one that began with nothing: its segments would all stand in the middle for ever."""
    with closing(Store(folder, write=True)) as store, Catalog.open(folder, bundle) as catalog:
        put(store, *range(8))
        assert len(catalog.refresh().added) == 8
        for fresh in (False, True):
            if fresh:
                put(store, *range(8, 8 + int(8 * GROWN)))
                catalog.refresh()
            with Catalog.open(folder, bundle) as opened:
                query = analysis(2).vectors[0]
                standings = [[c.standing.tolist() for c in each.search(query, 40)] for each in (catalog, opened)]
                assert standings[0] == standings[1] and any(any(standing) for standing in standings[0])
        put(store, 25)
        catalog.refresh()
        with Catalog.open(folder, bundle) as opened:  # a little more does not move the others
            standings = [[c.standing.tolist() for c in each.search(query, 40)] for each in (catalog, opened)]
            assert standings[0] != standings[1]


def test_the_common_loudness_of_one_that_began_with_nothing_is_of_what_came(folder: Path, bundle: Bundle) -> None:
    """A server may begin with an empty catalogue: after its next start, tracks would play at another loudness."""
    none = np.zeros(0, np.float32)
    outline = Outline(
        -30.0, 5.0, -2.0, none, none.astype(np.uint8), (), 0.0, 20.0, none, none, (), (), none.astype(np.uint8)
    )
    with (
        closing(Store(folder, write=True)) as store,
        Catalog.open(folder, bundle) as catalog,
        Catalog.open(folder, bundle, target_lufs=-23.0) as given,
    ):
        before = catalog.target_lufs
        for number in range(4):
            own = entry(number, path_of(number))
            assert own.analysis is not None
            store.put(path_of(number), STAMP, [replace(own, analysis=replace(own.analysis, outline=outline))])
        catalog.refresh()
        given.refresh()
        with Catalog.open(folder, bundle) as fresh:
            assert catalog.target_lufs == fresh.target_lufs < before and given.target_lufs == -23.0


def test_an_index_that_fails_leaves_it_as_it_was_and_the_next_time_all_is_seen(
    store: Store, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: FlatIndex, segments: Segments) -> None:
        raise SearchIndexError("away")

    with Catalog.open(folder, bundle) as catalog:
        put(store, 11)
        with monkeypatch.context() as patch:
            patch.setattr(FlatIndex, "upsert", fail)
            with pytest.raises(SearchIndexError):
                catalog.refresh()
        assert len(catalog) == 10 and len(catalog.search(analysis(1).vectors[0], 40)) > 0
        assert len(catalog.refresh().added) == 1
        as_opened(catalog, folder, bundle)


def test_a_database_that_was_replaced_is_read_anew(
    store: Store, folder: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its revision is higher, and it may have got the number of the file that went."""
    other = tmp_path / "other"
    Catalog.create(other, bundle).close()
    with closing(Store(other, write=True)) as second:
        put(second, *range(100, 112))
    store.close()
    with Catalog.open(folder, bundle) as catalog:
        for part in folder.glob("catalog.sqlite*"):
            part.unlink()
        with pytest.raises(FormatError, match="is gone"):
            catalog.refresh()
        assert len(catalog) == 10 and catalog.search(analysis(1).vectors[0], 40)
        for path in other.glob("c*s*/*"):
            shutil.copyfile(path, folder / "clips" / path.name)
        shutil.copyfile(other / "catalog.sqlite", folder / "catalog.sqlite")
        changes = catalog.refresh()
        assert (len(changes.added), len(changes.removed)) == (12, 10)
        as_opened(catalog, folder, bundle)
        shutil.copyfile(other / "catalog.sqlite", folder / "new")
        (folder / "new").rename(folder / "catalog.sqlite")
        layout = read_layout(folder)
        monkeypatch.setattr("catalog.catalog.read_layout", lambda folder: replace(layout, bundle="another"))
        with pytest.raises(FormatError, match="another bundle"):
            catalog.refresh()
        assert len(catalog) == 12


def test_one_of_an_older_release_is_read_again_only_when_it_was_written(
    store: Store, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as db:
        to_schema(5, db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.utime(folder / "catalog.sqlite", (1e9, 1e9))
    with Catalog.open(folder, bundle) as catalog:
        with monkeypatch.context() as patch:
            patch.setattr(Store, "__init__", lambda *_, **__: pytest.fail("read again"))
            assert catalog.refresh() == Changes()
        with closing(Store(folder, write=True)) as migrated:
            put(migrated, 11)
        assert [track.title for track in catalog.refresh().added] == ["Song 11"]
        as_opened(catalog, folder, bundle)


def test_a_search_while_an_index_changes_waits_for_what_it_finds(
    store: Store, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index knows a track before the catalogue does: its hit is not lost, and pushes no other out."""
    found: list[list[str]] = []
    with Catalog.open(folder, bundle) as catalog:

        def search() -> None:
            found.append([c.track.title for c in catalog.search(analysis(12).vectors[0], 1, Filters(jingles=True))])

        searching = threading.Thread(target=search)
        searched, remove = threading.Event(), FlatIndex.remove
        hits = Catalog._hits

        def note(self: Catalog, *values: object) -> object:
            answer = hits(self, *values)  # type: ignore[arg-type]
            searched.set()
            return answer

        def wait(self: FlatIndex, tracks: list[str]) -> None:
            searching.start()
            assert searched.wait(10)
            remove(self, tracks)

        monkeypatch.setattr(Catalog, "_hits", note)
        monkeypatch.setattr(FlatIndex, "remove", wait)
        put(store, 12)
        store.forget([path_of(1)])
        catalog.refresh()
        searching.join(10)
    assert found == [["Song 12"]]


def test_searches_beside_changes_lose_no_track(store: Store, folder: Path, bundle: Bundle) -> None:
    """Tracks 0 to 9 stay; others come and go as often as can be."""
    stay = {f"{number:016x}" for number in range(10)}
    wrong: list[set[str]] = []
    done = threading.Event()
    with Catalog.open(folder, bundle) as catalog:

        def searching() -> None:
            query = analysis(4).vectors[0]
            while not done.is_set():
                found = {c.track.id for c in catalog.search(query, 40, Filters(jingles=True))}
                if not stay <= found:
                    wrong.append(stay - found)

        readers = [threading.Thread(target=searching) for _ in range(3)]
        for reader in readers:
            reader.start()
        for round_ in range(25):
            put(store, *range(20, 24))
            catalog.refresh()
            store.forget([path_of(number) for number in range(20, 24)])
            if round_ % 2:
                catalog.refresh()
        done.set()
        for reader in readers:
            reader.join()
    assert not wrong
