"""What is on disk stays consistent: killed runs, two writers, paths that are no text."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import FormatError, LockedError
from catalog.records import Analysis, Track
from catalog.store import FileStamp, Store, clip_path, exclusive, write_clips

STAMP = FileStamp(10, 20)


def analysis(seed: int = 0) -> Analysis:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, 4)).astype(np.float32)
    rhythm = rng.random((5, 3), dtype=np.float32)
    beats = np.arange(9, dtype=np.float32)
    clips = rng.normal(size=(5, 6)).astype(np.float32)
    return Analysis(20.0, 60.0, beats, clips, rhythm, np.arange(2), np.array([0, 4], np.float32), values, None)


def track(id: str, path: Path) -> Track:
    return Track(id, f"title {id}", "", path, 20.0, 60.0, "", ("a", "é"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path, write=True)
    yield store
    store.close()


def test_a_track_comes_back_as_it_went_in(store: Store) -> None:
    given = analysis()
    store.add(track("aa", Path("/m/a.ogg")), given, "", STAMP)
    (stored,) = store.tracks()
    assert stored.track == track("aa", Path("/m/a.ogg"))
    np.testing.assert_array_equal(stored.beats, given.beats)
    np.testing.assert_array_equal(stored.rhythm, given.rhythm)
    places, vectors, moods = store.segments(4)
    assert [(place.track, place.first_clip, place.start_s) for place in places] == [("aa", 0, 0.0), ("aa", 1, 4.0)]
    np.testing.assert_array_equal(vectors, given.vectors)
    assert moods is None
    np.testing.assert_array_equal(np.load(clip_path(store.folder, "aa")), given.clips)
    assert store.files() == {Path("/m/a.ogg"): (STAMP, "aa")}


@pytest.mark.parametrize("name", ["a\nb.ogg", "日本語.ogg", os.fsdecode(b"caf\xe9.ogg"), 'it\'s "quoted";--.ogg'])
def test_any_file_name_is_kept(store: Store, name: str) -> None:
    store.add(track("aa", Path("/m") / name), analysis(), "", STAMP)
    assert store.tracks()[0].track.path == Path("/m") / name
    assert store.forget([Path("/m") / name]) == ["aa"]


def test_a_track_moves_to_its_other_path_and_goes_with_the_last(store: Store) -> None:
    store.add(track("aa", Path("/m/1.ogg")), analysis(), "", STAMP)
    store.see(Path("/m/2.ogg"), STAMP, "aa")
    assert store.forget([Path("/m/1.ogg")]) == []
    assert store.tracks()[0].track.path == Path("/m/2.ogg")
    assert store.forget([Path("/m/2.ogg")]) == ["aa"]
    assert store.tracks() == [] and store.segments(4)[0] == []


def test_a_path_with_new_content_leaves_the_old_track(store: Store) -> None:
    store.add(track("aa", Path("/m/1.ogg")), analysis(), "", STAMP)
    store.add(track("bb", Path("/m/1.ogg")), analysis(1), "", STAMP)
    assert store.forget([]) == ["aa"]
    assert store.ids() == {"bb"}


def test_a_run_that_dies_while_adding_leaves_the_track_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add(track("aa", Path("/m/1.ogg")), analysis(), "", STAMP)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_see", die)  # the last step before the commit
    with pytest.raises(KeyboardInterrupt):
        store.add(track("bb", Path("/m/2.ogg")), analysis(1), "", STAMP)
    monkeypatch.undo()
    assert clip_path(store.folder, "bb").exists()  # written before: an orphan now
    assert store.ids() == {"aa"} and len(store.segments(4)[0]) == 2
    store.sweep()
    assert not clip_path(store.folder, "bb").exists() and clip_path(store.folder, "aa").exists()


def test_clips_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "save", die)
    with pytest.raises(OSError, match="disk full"):
        write_clips(tmp_path, "aa", np.zeros((1, 2), np.float32))
    assert not clip_path(tmp_path, "aa").exists()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(LockedError, match="another segue index"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        pass


def test_reading_goes_on_while_a_writer_writes(store: Store) -> None:
    store.add(track("aa", Path("/m/1.ogg")), analysis(), "", STAMP)
    reader = Store(store.folder, write=False)
    with reader.snapshot():
        assert len(reader.tracks()) == 1
        store.add(track("bb", Path("/m/2.ogg")), analysis(1), "", STAMP)
        assert len(reader.tracks()) == 1 and len(reader.segments(4)[0]) == 2
    assert len(reader.tracks()) == 2
    reader.close()


def test_a_reader_cannot_write(store: Store) -> None:
    reader = Store(store.folder, write=False)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.forget([])
    reader.close()


def test_another_schema_is_refused(tmp_path: Path) -> None:
    Store(tmp_path, write=True).close()
    db = sqlite3.connect(tmp_path / "catalog.sqlite")
    db.execute("PRAGMA user_version = 7")
    db.close()
    for write in (True, False):
        with pytest.raises(FormatError, match="schema 7, not 1"):
            Store(tmp_path, write)
