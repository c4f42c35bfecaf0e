"""What is on disk stays consistent: killed runs, two writers, paths that are no text."""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog import database
from catalog.clips import CLIPS, clip_path, is_whole, write_clips
from catalog.database import exclusive
from catalog.errors import FormatError, LockedError
from catalog.records import Analysis, Track
from catalog.schema import SCHEMA_VERSION
from catalog.store import Store
from catalog.stored import Entry, FileStamp, KnownFile

STAMP = FileStamp(10, 20)
# As schema 8 had segments: a row each.
OLDER = """
ALTER TABLE segments RENAME TO newer;
CREATE TABLE segments (track TEXT NOT NULL REFERENCES tracks(id) ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    first_clip INTEGER NOT NULL, start_s REAL, border REAL NOT NULL, vector BLOB NOT NULL, mood BLOB,
    PRIMARY KEY (track, ordinal)) WITHOUT ROWID;
INSERT INTO segments SELECT track, 0, 0, 0.0, 0.0, substr(vectors, 1, 16), NULL FROM newer;
INSERT INTO segments SELECT track, 1, 1, 4.0, 0.0, substr(vectors, 17, 16), NULL FROM newer;
DROP TABLE newer;
DROP TABLE sounds;
PRAGMA user_version = 8;
"""


def analysis(seed: int = 0) -> Analysis:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, 4)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
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


def put(store: Store, id: str, path: Path, seed: int = 0) -> set[str]:
    return store.put(path, STAMP, [Entry(track(id, path), analysis(seed))])


def clip_files(folder: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in (folder / CLIPS).iterdir())


def test_a_track_comes_back_as_it_went_in(store: Store) -> None:
    given = analysis()
    put(store, "aa", Path("/m/a.ogg"))
    (stored,) = store.tracks()
    assert stored.track == track("aa", Path("/m/a.ogg"))
    np.testing.assert_array_equal(stored.beats, given.beats)
    np.testing.assert_array_equal(stored.rhythm, given.rhythm)
    segments = store.segments(4)
    assert (segments.tracks, segments.counts.tolist(), segments.first_clips.tolist()) == (["aa"], [2], [0, 1])
    assert segments.starts_s.tolist() == [0.0, 4.0] and segments.borders.tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(segments.vectors, given.vectors)
    assert segments.moods is None
    np.testing.assert_array_equal(np.load(clip_path(store.folder, stored.clips)), given.clips)
    assert store.files() == {Path("/m/a.ogg"): KnownFile(STAMP, False, ("aa",))}


@pytest.mark.parametrize("name", ["a\nb.ogg", "日本語.ogg", os.fsdecode(b"caf\xe9.ogg"), 'it\'s "quoted";--.ogg'])
def test_any_file_name_is_kept(store: Store, name: str) -> None:
    put(store, "aa", Path("/m") / name)
    assert store.tracks()[0].track.path == Path("/m") / name
    assert store.forget([Path("/m") / name]) == {"aa"}


def test_a_track_moves_to_its_other_path_and_goes_with_the_last(store: Store) -> None:
    put(store, "aa", Path("/m/1.ogg"))
    store.put(Path("/m/2.ogg"), STAMP, [Entry(track("aa", Path("/m/2.ogg")))])
    assert store.forget([Path("/m/1.ogg")]) == set()
    assert store.tracks()[0].track.path == Path("/m/2.ogg")
    assert store.forget([Path("/m/2.ogg")]) == {"aa"}
    assert store.tracks() == [] and store.segments(4).tracks == []


def test_a_path_with_new_content_drops_the_old_track(store: Store) -> None:
    put(store, "aa", Path("/m/1.ogg"))
    assert put(store, "bb", Path("/m/1.ogg"), 1) == {"aa"}
    assert store.ids() == {"bb"}


def test_a_missing_file_keeps_its_track_out_of_sight(store: Store) -> None:
    put(store, "aa", Path("/m/1.ogg"))
    store.miss([Path("/m/1.ogg")])
    assert store.tracks() == [] and store.present() == {} and store.ids() == {"aa"}
    assert store.files()[Path("/m/1.ogg")].missing
    store.miss([Path("/m/1.ogg")], missing=False)
    assert [stored.track.id for stored in store.tracks()] == ["aa"]


def test_one_file_may_hold_several_tracks(store: Store) -> None:
    path = Path("/m/album.flac")
    tracks = [replace(track(id, path), begin_s=at, end_s=end) for id, at, end in (("aa", 0.0, 9.5), ("bb", 9.5, None))]
    store.put(path, STAMP, [Entry(each, analysis(i)) for i, each in enumerate(tracks)])
    assert [stored.track for stored in store.tracks()] == tracks
    assert store.files()[path].tracks == ("aa", "bb")
    assert store.put(path, STAMP, [Entry(replace(tracks[0], end_s=None))]) == {"bb"}


def test_a_run_that_dies_while_adding_leaves_the_track_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "aa", Path("/m/1.ogg"))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_drop_unplaced", die)  # the last step before the commit
    with pytest.raises(KeyboardInterrupt):
        put(store, "bb", Path("/m/2.ogg"), 1)
    monkeypatch.undo()
    assert clip_files(store.folder) == ["aa", "bb"]  # written before: an orphan now
    assert store.ids() == {"aa"} and len(store.segments(4).vectors) == 2
    store.sweep(6)
    assert clip_files(store.folder) == ["aa"]


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    "harm", [Path.unlink, cut_short, lambda path: path.write_bytes(b""), lambda path: np.save(path, np.zeros((5, 7)))]
)
def test_a_track_whose_clip_file_is_lost_or_damaged_is_to_be_heard_again(
    store: Store, harm: Callable[[Path], None]
) -> None:
    put(store, "aa", Path("/m/1.ogg"))
    put(store, "bb", Path("/m/2.ogg"), 1)
    harm(clip_path(store.folder, store.tracks()[0].clips))
    assert store.sweep(6) == {"aa"}
    assert store.ids() == {"bb"} and clip_files(store.folder) == ["bb"]
    assert store.files()[Path("/m/1.ogg")].stamp != STAMP
    assert store.sweep(6) == set()


def test_no_clip_file_is_ever_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses to replace a file that a search has mapped."""

    def refuse(*_: object) -> None:
        raise PermissionError("mapped")

    for name in ("replace", "rename"):
        monkeypatch.setattr(Path, name, refuse)
        monkeypatch.setattr(os, name, refuse)
    rows = np.zeros((2, 3), np.float32)
    names = [write_clips(tmp_path, "aa", rows) for _ in range(2)]
    assert names[0] != names[1]
    assert all(is_whole(clip_path(tmp_path, name), 2, 3) for name in names)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere folders cannot be flushed")
def test_clips_are_on_the_disk_before_the_track_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []

    def fsync(handle: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink()) if Path("/proc/self/fd").is_dir() else "")
        assert "aa" not in store.ids()

    monkeypatch.setattr(os, "fsync", fsync)
    put(store, "aa", Path("/m/1.ogg"))
    assert len(flushed) == 2
    if flushed[0]:
        assert flushed[0].endswith(".npy") and flushed[1] == str((store.folder / CLIPS).resolve())


def test_a_track_without_a_sketch_is_compared_with_none(store: Store, tmp_path: Path) -> None:
    put(store, "aa", tmp_path / "a.ogg")
    store.put(tmp_path / "b.ogg", STAMP, [Entry(track("bb", tmp_path / "b.ogg"), analysis(1), sketch=b"x" * 70)])
    assert [id for id, *_ in store.sketches(20.0, 1.0)] == ["bb"]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(LockedError, match="another segue index"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        pass


@pytest.mark.parametrize("schema", [SCHEMA_VERSION, 8])
def test_a_database_that_another_writes_for_long_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: int
) -> None:
    """Also where it is of an older schema, which the other is bringing up to this one."""
    monkeypatch.setattr(database, "WAIT_S", 0.1)
    with closing(Store(tmp_path, write=True)) as first:
        put(first, "aa", Path("/m/1.ogg"))
    make = f"PRAGMA user_version = {schema}" if schema == SCHEMA_VERSION else OLDER
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)) as other:
        other.executescript(make)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError, match=r"catalog\.sqlite: another program has been writing it for .* try again"):
            Store(tmp_path, write=True)
        with closing(Store(tmp_path, write=False)) as reader:  # which sees what was committed last
            assert reader.ids() == {"aa"}
        other.execute("ROLLBACK")
    with closing(Store(tmp_path, write=True)) as store:
        assert len(store.segments(4).vectors) == 2


def test_a_reader_of_a_database_without_a_log_waits_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another program may leave it. It is not copied in mid-write."""
    monkeypatch.setattr(database, "WAIT_S", 0.1)
    Store(tmp_path, write=True).close()
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LockedError, match="another program has been writing it"):
            Store(tmp_path, write=False)


def test_a_disk_that_cannot_be_written_is_not_taken_for_a_damaged_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(tmp_path, write=True).close()
    connect = sqlite3.connect

    def read_only(place: object, **more: object) -> sqlite3.Connection:
        """Of a disk that is mounted so: the log that writers share cannot be made."""
        return connect(f"{(tmp_path / 'catalog.sqlite').as_uri()}?mode=ro", uri=True, isolation_level=None)

    monkeypatch.setattr(database.sqlite3, "connect", read_only)
    with pytest.raises(sqlite3.OperationalError, match="readonly database"):
        Store(tmp_path, write=True)


def test_a_second_writer_may_wait_for_the_first(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(LockedError), exclusive(tmp_path, 0.05):
        pass
    done = threading.Event()

    def hold() -> None:
        with exclusive(tmp_path):
            done.set()
            time.sleep(0.3)

    first = threading.Thread(target=hold)
    first.start()
    done.wait()
    with exclusive(tmp_path, 30.0):
        assert done.is_set()
    first.join()


def test_reading_goes_on_while_a_writer_writes(store: Store) -> None:
    put(store, "aa", Path("/m/1.ogg"))
    reader = Store(store.folder, write=False)
    with reader.snapshot():
        assert len(reader.tracks()) == 1
        put(store, "bb", Path("/m/2.ogg"), 1)
        assert len(reader.tracks()) == 1 and len(reader.segments(4).vectors) == 2
    assert len(reader.tracks()) == 2
    reader.close()


def test_a_reader_cannot_write(store: Store) -> None:
    put(store, "aa", Path("/m/1.ogg"))
    reader = Store(store.folder, write=False)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.forget([Path("/m/1.ogg")])
    reader.close()


def test_what_a_killed_writer_left_in_the_log_is_read_where_nothing_can_be_written(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without write access: SQLite cannot make the file that readers of a log share."""
    put(store, "aa", Path("/m/1.ogg"))
    left = tmp_path / "left"
    left.mkdir()
    for name in ("catalog.sqlite", "catalog.sqlite-wal"):
        shutil.copy(tmp_path / name, left / name)
    assert (left / "catalog.sqlite-wal").stat().st_size > 0

    def refuse(path: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr("catalog.database._read_only", refuse)
    with closing(Store(left, write=False)) as reader:
        assert reader.ids() == {"aa"}
    assert {path.name for path in left.iterdir()} == {"catalog.sqlite", "catalog.sqlite-wal"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everything")
def test_a_folder_without_write_access_is_read(store: Store, tmp_path: Path) -> None:
    put(store, "aa", Path("/m/1.ogg"))
    left = tmp_path / "left"
    left.mkdir()
    for name in ("catalog.sqlite", "catalog.sqlite-wal"):
        shutil.copy(tmp_path / name, left / name)
    left.chmod(0o555)
    try:
        with closing(Store(left, write=False)) as reader:
            assert reader.ids() == {"aa"}
    finally:
        left.chmod(0o755)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    Store(tmp_path, write=True).close()
    db = sqlite3.connect(tmp_path / "catalog.sqlite")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    for write in (True, False):
        with pytest.raises(FormatError, match=f"schema {SCHEMA_VERSION + 1}, not {SCHEMA_VERSION}"):
            Store(tmp_path, write)
