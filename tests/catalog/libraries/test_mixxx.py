"""Mixxx's database: what its tables and messages mean, also while Mixxx writes, and what is refused."""

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixxx_database import MixxxDatabase, beat_map, grid

from catalog.errors import LibraryError
from catalog.libraries import mixxx
from catalog.libraries.mixxx import read_mixxx
from catalog.libraries.prepared import Cue, Prepared, Tempo

HOT, MAIN, LOOP, JUMP, INTRO, OUTRO, SOUND = 1, 2, 4, 5, 6, 7, 8
# As Mixxx 2.3.3 itself wrote it of a file of clicks at 120 bpm: a first beat at frame 21,858.
REAL_GRID = b"\n\t\t\x00\x00\x00\x00\x00\x00^@\x12\x04\x08\xe2\xaa\x01"


@pytest.fixture
def database(tmp_path: Path) -> MixxxDatabase:
    return MixxxDatabase(tmp_path / "mixxxdb.sqlite")


def read(database: MixxxDatabase) -> list[Prepared]:
    return list(read_mixxx(database.path).tracks)


def test_a_track_with_everything(database: MixxxDatabase) -> None:
    track = database.add("/m/a.mp3", 1000, 200.0, 128.0, grid(128.0, 0.5), rating=4, key="D♭")
    for kind, begin_s, length_s, label in (
        (SOUND, 1.0, 190.0, ""),
        (MAIN, 1.0, 0.0, ""),  # Mixxx's own, at the first sound
        (INTRO, 1.0, 15.0, ""),
        (OUTRO, 170.0, 21.0, ""),
        (HOT, 60.0, 0.0, "Drop"),
        (LOOP, 90.0, 16.0, ""),
        (JUMP, 3.0, 0.0, ""),
    ):
        database.cue(track, kind, begin_s, length_s, label)
    database.playlist("Friday", [track, track])
    database.playlist("Auto DJ", [track], hidden=1)
    database.playlist("2026-11-30", [track], hidden=2)  # what was played
    database.crate("Calm", [track])
    assert read(database) == [
        Prepared(
            "/m/a.mp3",
            size=1000,
            length_s=200.0,
            tempo_bpm=128.0,
            key="Db",
            rating=4,
            tempi=(Tempo(0.5, 128.0),),
            cues=(
                Cue("intro", None, 16.0),
                Cue("hot", 60.0, None, "Drop"),
                Cue("loop", 90.0, 106.0),
                Cue("outro", 170.0, 191.0),
            ),
            playlists=("Friday", "Calm"),
            first_sound_s=1.0,
        )
    ]


def test_what_mixxx_puts_itself_says_nothing(database: MixxxDatabase) -> None:
    track = database.add("/m/a.flac", bpm=0.0)
    database.cue(track, SOUND, 1.0, 57.0)
    database.cue(track, MAIN, 1.0)
    database.cue(track, INTRO, 1.0)
    database.cue(track, OUTRO, None, 58.0)
    assert read(database) == [Prepared("/m/a.flac", length_s=60.0, first_sound_s=1.0)]
    database.cue(track, MAIN, 8.0)
    assert read(database)[0].cues == (Cue("main", 8.0),)


@pytest.mark.parametrize(
    ("version", "data", "tempi", "beats_s"),
    [
        ("BeatGrid-2.0", REAL_GRID, (Tempo(21858 / 44100, 120.0),), ()),
        ("BeatGrid-2.0", grid(120.0, 0.25, as_double=True), (Tempo(0.25, 120.0),), ()),
        ("BeatGrid-2.0", grid(120.0, -0.25), (Tempo(-0.25, 120.0),), ()),
        ("BeatGrid-2.0", b"\x0a\x09\x09" + struct.pack("<d", 99.0) + b"\x12\x00", (Tempo(0.0, 99.0),), ()),
        ("BeatGrid-1.0", struct.pack("<dd", 100.0, 44100.0), (Tempo(1.0, 100.0),), ()),
        ("BeatMap-1.0", beat_map([1.0, 0.5, 1.5]), (), (0.5, 1.0, 1.5)),
        ("BeatMap-1.0", b"\x0a\x05\x08\xe4\xac\x01\x00", (), ()),
        ("BeatGrid-2.0", grid(0.0, 1.0), (), ()),
        ("BeatGrid-2.0", b"\xff\xff", (), ()),
        ("", b"", (), ()),
    ],
)
def test_beats(
    database: MixxxDatabase, version: str, data: bytes, tempi: tuple[Tempo, ...], beats_s: tuple[float, ...]
) -> None:
    database.add("/m/a.flac", beats=data, version=version)
    [track] = read(database)
    assert (track.tempi, track.beats_s) == (tempi, beats_s)


def test_keys_by_name_or_number(database: MixxxDatabase) -> None:
    for place, (key, number) in enumerate((("8A", 0), ("", 1), ("", 13), ("", 22), ("?", 25))):
        database.add(f"/m/{place}.mp3", key=key, key_id=number)
    assert [track.key for track in read(database)] == ["Am", "C", "Cm", "Am", ""]


def test_what_was_deleted_is_left_out(database: MixxxDatabase) -> None:
    database.add("/m/gone.mp3", deleted=1)
    database.add("/m/here.mp3")
    database.run("INSERT INTO track_locations (location, fs_deleted) VALUES ('/m/lost.mp3', 1)")
    assert [track.location for track in read(database)] == ["/m/here.mp3"]


def test_it_is_read_while_mixxx_writes(database: MixxxDatabase) -> None:
    database.add("/m/a.mp3")
    with closing(sqlite3.connect(database.path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE library SET rating = 5")
        assert [track.rating for track in read(database)] == [None]
        writer.commit()
    assert [track.rating for track in read(database)] == [5]


def test_a_database_that_stays_locked(database: MixxxDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixxx, "WAIT_S", 0.01)
    with closing(sqlite3.connect(database.path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LibraryError, match="Mixxx is writing it"):
            read(database)


def test_reading_changes_nothing(database: MixxxDatabase) -> None:
    database.add("/m/a.mp3")
    before = {path.name: path.read_bytes() for path in database.path.parent.iterdir()}
    read(database)
    assert {path.name: path.read_bytes() for path in database.path.parent.iterdir()} == before


def test_versions(tmp_path: Path) -> None:
    assert not read(MixxxDatabase(tmp_path / "new", schema=99))  # Mixxx says itself that older programs may read it
    for name, schema, least in (("old", 18, 3), ("future", 99, 99)):
        with pytest.raises(LibraryError, match=f"has schema {schema}"):
            read(MixxxDatabase(tmp_path / name, schema, least))


def test_other_databases_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE settings (a)")
    with pytest.raises(LibraryError, match="but not of Mixxx"):
        read_mixxx(path)
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(LibraryError, match="cannot be read as Mixxx's"):
        read_mixxx(path)


@given(st.sampled_from(["BeatGrid-1.0", "BeatGrid-2.0", "BeatMap-1.0"]), st.binary(max_size=40))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_bytes_as_beats(database: MixxxDatabase, version: str, data: bytes) -> None:
    database.run("DELETE FROM library")
    database.run("DELETE FROM track_locations")
    database.add("/m/a.mp3", beats=data, version=version)
    assert len(read(database)) == 1


def test_values_of_other_kinds_are_none(database: MixxxDatabase) -> None:
    track = database.add("/m/a.mp3")
    database.run("UPDATE library SET duration = 'x', bpm = 1e400, rating = 'many', key_id = x'00', beats = 'text'")
    database.run("INSERT INTO cues (track_id, type, position, length) VALUES (?, 1, 'x', 9e99)", (track,))
    [read_track] = read(database)
    assert (read_track.length_s, read_track.tempo_bpm, read_track.rating, read_track.key) == (0.0, 0.0, None, "")
