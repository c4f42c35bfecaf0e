"""Damage of every kind is found and named, and what a killed indexer leaves is none; the numbers of a catalogue."""

import errno
import json
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import segue
from catalog.catalog import Catalog
from catalog.clips import CLIPS
from catalog.database import DATABASE
from catalog.edit import edit
from catalog.errors import FormatError
from catalog.indexer import index_folder
from catalog.notes import Note
from catalog.records import Analysis, Track
from catalog.stats import stats
from catalog.store import Store
from catalog.stored import Entry, FileStamp
from catalog.verify import verify
from engines.bundle import Bundle
from engines.onnx_engine import OnnxEngine

C, E = 16, 32


def entry(number: int, licence: str) -> Entry:
    rng = np.random.default_rng(number)
    vectors = rng.normal(size=(2, E)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ones = np.ones((5, 3), np.float32)
    clips = np.ones((5, C), np.float32)
    analysis = Analysis(40.0, 90.0, ones[:, 0], clips, ones, np.arange(2), np.zeros(2, np.float32), vectors, None)
    path = Path(f"/music/{number}.ogg")
    track = Track(f"{number:016x}", f"Song {number}", "", path, 40.0, 90.0 + 10 * number, licence, ("x",))
    return Entry(track, analysis)


@pytest.fixture
def folder(tmp_path: Path, bundle: Bundle) -> Path:
    folder = tmp_path / "c"
    Catalog.create(folder, bundle).close()
    with closing(Store(folder, write=True)) as store:
        for number, licence in enumerate(("CC0-1.0", "CC0-1.0", "")):
            one = entry(number, licence)
            store.put(one.track.path, FileStamp(1, 1), [one])
        store.miss([Path("/music/2.ogg")])
    return folder


def change(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        db.executescript(sql)


def cut_clips(folder: Path) -> None:
    one = min((folder / CLIPS).iterdir())
    one.write_bytes(one.read_bytes()[:-4])


def test_a_whole_one(folder: Path) -> None:
    found = verify(folder)
    assert (found.tracks, found.segments, found.faults, found.unowned, found.absent) == (2, 6, (), 0, 3)
    (folder / CLIPS / "left.npy").write_bytes(b"")
    assert verify(folder).unowned == 1 and verify(folder, look_at_music=False).absent == 0


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (cut_clips, "track 0000000000000000: its clip file .* is gone or damaged"),
        (lambda folder: change(folder, "DELETE FROM segments WHERE track LIKE '%1'"), "0001: has no segment"),
        (lambda folder: change(folder, "UPDATE segments SET vectors = x'ff' || 'x'"), "of its segments is damaged"),
        (lambda folder: change(folder, "UPDATE segments SET vectors = zeroblob(256)"), "of its segments are damaged"),
        (lambda folder: change(folder, "UPDATE segments SET vectors = zeroblob(13)"), "of its segments is damaged"),
        (lambda folder: change(folder, "UPDATE segments SET first_clips = zeroblob(3)"), "of its segments is damaged"),
        (lambda folder: change(folder, "UPDATE tracks SET outline = '{' WHERE id LIKE '%1'"), "0001: what is kept"),
        (lambda folder: change(folder, "UPDATE tracks SET outline = '{}' WHERE id LIKE '%1'"), "0001: what is kept"),
        (lambda folder: change(folder, "UPDATE tracks SET rhythm = zeroblob(13) WHERE id LIKE '%1'"), "1: what is"),
        (lambda folder: change(folder, "UPDATE tracks SET beats = 'x' WHERE id LIKE '%1'"), "0001: what is kept"),
        (lambda folder: change(folder, "UPDATE places SET tags = 'x' WHERE track LIKE '%1'"), "0001: what is kept"),
        (lambda folder: change(folder, "DROP TRIGGER notes_go"), "its trigger notes_go is gone"),
        (lambda folder: change(folder, "DROP TABLE changes"), "its table changes is gone"),
        (lambda folder: change(folder, "UPDATE segments SET starts = zeroblob(4)"), "of its segments is damaged"),
        (lambda folder: change(folder, "PRAGMA foreign_keys = OFF; DELETE FROM tracks"), "belongs to no row of tracks"),
    ],
)
def test_what_is_damaged_is_named(folder: Path, harm: Callable[[Path], None], says: str) -> None:
    harm(folder)
    faults = verify(folder).faults
    assert any(re.search(says, fault) for fault in faults), faults


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM segments WHERE track LIKE '%1'",
        "UPDATE segments SET vectors = zeroblob(12) WHERE track LIKE '%1'",
        "UPDATE segments SET moods = zeroblob(4) WHERE track LIKE '%1'",
        "UPDATE segments SET first_clips = zeroblob(3) WHERE track LIKE '%1'",
    ],
)
def test_an_index_drops_tracks_whose_segments_are_damaged_to_analyse_them_again(folder: Path, sql: str) -> None:
    change(folder, sql)
    with closing(Store(folder, write=True)) as store:
        assert store.sweep(C, E) == {f"{1:016x}"}
        assert store.files()[Path("/music/1.ogg")].stamp.size == -1 and store.sweep(C, E) == set()
    assert verify(folder).faults == ()


ONE_ROW = {
    "UPDATE tracks SET outline = '{'": "outline",
    "UPDATE tracks SET outline = '{}'": "outline",
    "UPDATE tracks SET outline = '[' || replace(hex(zeroblob(50000)), '0', '[')": "outline",
    "UPDATE tracks SET rhythm = zeroblob(13)": "rhythm",
    "UPDATE tracks SET rhythm = x'0000c07f' || zeroblob(56)": "rhythm",
    "UPDATE tracks SET rhythm = zeroblob(12)": "first clips",
    "UPDATE tracks SET beats = 'x'": "beats",
    "UPDATE tracks SET beats = x'0000807f'": "beats",
    "UPDATE tracks SET duration_s = 'long'": "length",
    "UPDATE tracks SET duration_s = 9e999": "length",
    "UPDATE tracks SET clips = x'00'": "clip file",
    "UPDATE tracks SET energy = 'high'": "energy",
    "UPDATE places SET tags = 'x'": "tags",
    "UPDATE places SET tags = '[1]'": "tags",
    "UPDATE places SET tags = '7'": "tags",
    "UPDATE places SET title = x'ff'": "title",
    "UPDATE places SET tempo_bpm = 'fast'": "tempo",
    "UPDATE places SET begin_s = -1": "place",
    "UPDATE places SET begin_s = 30, end_s = 20": "place",
    "UPDATE segments SET vectors = zeroblob(13)": "segments",
    "UPDATE segments SET vectors = x'ff' || 'x'": "segments",
    "UPDATE segments SET vectors = zeroblob(256)": "vectors",
    "UPDATE segments SET first_clips = zeroblob(3)": "segments",
    "UPDATE segments SET first_clips = x'0000000005000000'": "first clips",
    "UPDATE segments SET first_clips = x'00000000ffffffff'": "first clips",
    "UPDATE segments SET starts = x'0000004200003042'": "starts",  # 32 and 44 s, of 40
    "UPDATE segments SET borders = x'0000c07f0000c07f'": "borders",
    "DELETE FROM segments": "segment",
}


@pytest.mark.parametrize("sql", ONE_ROW)
def test_one_bad_row_stops_no_other(folder: Path, bundle: Bundle, sql: str, caplog: pytest.LogCaptureFixture) -> None:
    """A catalogue opens without that track and says so, one that is open loses it, ``verify`` names it, and the next
    ``segue index`` analyses it again: its file counts as changed."""
    damaged, whole = f"{1:016x}", f"{0:016x}"
    with Catalog.open(folder, bundle) as opened:
        column = "id" if "tracks" in sql else "track"
        change(folder, f"{sql} WHERE {column} = '{damaged}'")
        with Catalog.open(folder, bundle) as catalog:
            assert [track.id for track in catalog.tracks()] == [whole]
            assert [found.track.id for found in catalog.search(catalog.vector(whole), 5)] == [whole]
        opened.refresh()
        if "segments" not in sql:  # nothing but an index writes these, with their track
            assert [track.id for track in opened.tracks()] == [whole]
    told = [text for text in caplog.messages if damaged in text]
    assert told and ONE_ROW[sql] in told[0] and f"segue catalog verify -c {folder}" in told[0]
    assert "segue index" in told[0] and whole not in "".join(caplog.messages)
    faults = verify(folder).faults
    assert all(damaged in fault and "segue index" in fault for fault in faults)
    assert any(ONE_ROW[sql] in fault for fault in faults)
    with closing(Store(folder, write=True)) as store:
        assert store.sweep(C, E) == {damaged}
        assert store.files()[Path("/music/1.ogg")].stamp.size == -1
    assert verify(folder).faults == ()


OF_INDEXING = {
    "UPDATE tracks SET pulse_bpm = 'fast'": "tempo",
    "UPDATE tracks SET pulse_bpm = 9e999": "tempo",
    "UPDATE tracks SET sketch = x'00'": "sketch",
    "UPDATE tracks SET sketch = 'x'": "sketch",
    "UPDATE tracks SET sketch = zeroblob(69)": "sketch",
    "UPDATE tracks SET sketch = x'0000c07f' || zeroblob(66)": "sketch",
    "UPDATE tracks SET recording = x'00'": "recording",
    "UPDATE places SET tags = 'x'": "tags",
    "UPDATE places SET title = x'ff'": "title",
}


@pytest.mark.parametrize("sql", OF_INDEXING)
def test_what_an_indexer_alone_uses_may_be_damaged(folder: Path, bundle: Bundle, sql: str) -> None:
    """At any of a track's places: it is played all the same, and analysed again by the next ``segue index``."""
    damaged, second = f"{1:016x}", Path("/music/second.ogg")
    with closing(Store(folder, write=True)) as store:
        known = entry(1, "")
        store.put(second, FileStamp(1, 1), [Entry(replace(known.track, path=second))])
    at = f"id = '{damaged}'" if "tracks" in sql else "path = CAST('/music/second.ogg' AS BLOB)"
    change(folder, f"{sql} WHERE {at}")
    with Catalog.open(folder, bundle) as catalog:
        assert len(catalog.tracks()) == 2
    (fault,) = verify(folder).faults
    assert damaged in fault and OF_INDEXING[sql] in fault and "segue index" in fault
    with closing(Store(folder, write=True)) as store:
        assert store.sweep(C, E) == {damaged} and store.files()[second].stamp.size == -1
    assert verify(folder).faults == ()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tracks SET id = 'else' WHERE id LIKE '%1'",
        "UPDATE tracks SET id = x'ff' WHERE id LIKE '%1'",
        "UPDATE places SET track = 'else' WHERE track LIKE '%1'",
        "UPDATE segments SET track = x'ff' WHERE track LIKE '%1'; UPDATE segments SET track = 7 WHERE track LIKE '%2'",
        "UPDATE segments SET track = NULL WHERE track LIKE '%1'",
        "UPDATE places SET path = x'ff' WHERE track LIKE '%1'",
        "UPDATE places SET path = 7 WHERE track LIKE '%1'",
        "UPDATE files SET path = 7 WHERE path = CAST('/music/1.ogg' AS BLOB)",
        "UPDATE files SET path = zeroblob(5000) WHERE path = CAST('/music/1.ogg' AS BLOB)",
    ],
)
def test_rows_that_belong_to_nothing_go_with_the_next_index(folder: Path, bundle: Bundle, sql: str) -> None:
    change(folder, sql)
    assert verify(folder).faults and stats(folder).files >= 2
    with Catalog.open(folder, bundle) as catalog:
        assert f"{0:016x}" in [track.id for track in catalog.tracks()]
    with closing(Store(folder, write=True)) as store:
        store.sweep(C, E)
        again = store.files().get(Path("/music/1.ogg"))
        assert again is None or again.stamp.size == -1
        one = entry(1, "")
        store.put(one.track.path, FileStamp(1, 1), [one])  # as the next index does
    assert verify(folder).faults == ()
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        for table in ("tracks", "segments"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (2 if "%2" in sql else 3,)
    with Catalog.open(folder, bundle) as catalog:
        assert len(catalog.tracks()) == 2


def test_music_on_a_drive_that_does_not_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: object, **_: object) -> object:
        if str(path).startswith("/music"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return stat(path)  # type: ignore[call-overload]

    stat = os.stat
    monkeypatch.setattr(os, "stat", failing)
    assert verify(folder).absent == 3


def test_what_is_said_of_a_track_may_be_damaged(folder: Path, bundle: Bundle) -> None:
    with closing(Store(folder, write=True)) as store:
        for field, value in (("rating", "inf"), ("tempo", "inf"), ("playlists", "{"), ("prepared", "[]")):
            store.notes.put("rekordbox", [Note(Path("/music/1.ogg"), 0.0, field, value)])
        store.notes.put("edit", [Note(Path("/music/1.ogg"), 0.0, "tags", "[1")])
    change(folder, "INSERT INTO notes VALUES (CAST('/music/0.ogg' AS BLOB), 0.0, 'edit', 'title', x'ff')")
    with Catalog.open(folder, bundle) as catalog:
        assert len(catalog.tracks()) == 2


def test_a_damaged_database(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray((folder / DATABASE).read_bytes())
    data[4096 * 3 : 4096 * 3 + 2000] = b"\xff" * 2000
    (folder / DATABASE).write_bytes(bytes(data))
    assert any(fault.startswith("the database: ") for fault in verify(folder).faults)


def test_a_database_that_cannot_be_read_to_its_end(folder: Path, bundle: Bundle) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        [root] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'segments'").fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray((folder / DATABASE).read_bytes())
    data[4096 * (root - 1) : 4096 * root] = b"\xff" * 4096
    (folder / DATABASE).write_bytes(bytes(data))
    with pytest.raises(FormatError, match=r"cannot be read to its end .*; segue catalog verify -c .* says what"):
        Catalog.open(folder, bundle)


def write_over(folder: Path, table: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        [root] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray((folder / DATABASE).read_bytes())
    data[4096 * (root - 1) : 4096 * root] = b"\xff" * 4096
    (folder / DATABASE).write_bytes(bytes(data))


@pytest.mark.parametrize("table", ["tracks", "segments", "files", "places", "notes", "sounds", "changes"])
def test_a_damaged_page_is_told_by_whoever_writes(
    folder: Path, tmp_path: Path, engine: OnnxEngine, write_music: Callable[..., Path], table: str
) -> None:
    music = write_music(tmp_path / "music" / "a.wav", duration_s=2).parent
    write_over(folder, table)
    says = rf"{DATABASE}: cannot be read.* or index the music (again )?into a new folder"
    with pytest.raises(FormatError, match=says):
        index_folder(music, folder, engine, 1, lambda *_: None)
        edit(folder, [f"{0:016x}"], (), {"live_ok": "yes"}, ())  # of a table that no index reads
    if table not in ("sounds", "segments", "changes"):
        with pytest.raises(FormatError, match=says):
            edit(folder, [f"{0:016x}"], (), {"live_ok": "yes"}, ())


def test_names_in_the_database_that_are_no_text(folder: Path) -> None:
    """SQLite quotes them in its errors, which Python cannot read then."""
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = (folder / DATABASE).read_bytes()
    assert b"tableplacesplaces" in data
    data = data.replace(b"tableplacesplaces", b"table\xff\xfeacesplaces").replace(
        b"CREATE TABLE places", b"CREATE TABLE pla(es"
    )
    (folder / DATABASE).write_bytes(data)
    for write in (False, True):
        with pytest.raises(FormatError, match="cannot be read"):
            Store(folder, write=write)
    with pytest.raises(FormatError, match="cannot be read"):
        verify(folder)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    for look in (verify, stats):
        with pytest.raises(FormatError):
            look(tmp_path)  # type: ignore[operator]


def test_numbers(folder: Path) -> None:
    found = stats(folder)
    assert (found.tracks, found.copies, found.missing, found.files, found.segments) == (2, 0, 1, 3, 6)
    assert found.damaged == 0
    assert found.hours == pytest.approx(80 / 3600) and found.licences == {"CC0-1.0": 2} and found.tags == {"x": 2}
    assert found.tempi == {"90": 1, "100": 1} and found.known["licence"] == 2 and found.known["key"] == 0
    assert found.database_bytes > 4096 and found.clip_bytes > 3 * 5 * C * 4 and found.index_bytes == 0


def test_numbers_of_one_with_a_bad_row(folder: Path) -> None:
    change(folder, "UPDATE tracks SET beats = 'x' WHERE id LIKE '%1'")
    found = stats(folder)
    assert (found.tracks, found.missing, found.damaged) == (1, 1, 1)


def test_the_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main(["catalog", "verify", "-c", str(folder)]) == 0
    assert "whole; 2 tracks, 6 segments, 3 files of music are not there now" in capsys.readouterr().out
    assert segue.main(["catalog", "stats", "-c", str(folder)]) == 0
    assert "CC0-1.0: 2" in capsys.readouterr().out
    assert segue.main(["catalog", "stats", "-c", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tracks"] == 2
    cut_clips(folder)
    assert segue.main(["catalog", "verify", "-c", str(folder), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["faults"]) == 1
    assert segue.main(["catalog", "verify", "-c", str(folder)]) == 1
    assert "1 faults" in capsys.readouterr().out
