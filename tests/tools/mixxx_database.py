"""Writes a library as Mixxx 2.3 lays it out: the tables, units and messages that its own database was seen to have."""

import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

RATE_HZ = 44100
_SCHEMA = """
CREATE TABLE settings (name TEXT UNIQUE NOT NULL, value TEXT, locked INTEGER DEFAULT 0, hidden INTEGER DEFAULT 0);
CREATE TABLE track_locations (id INTEGER PRIMARY KEY AUTOINCREMENT, location varchar(512) UNIQUE,
    filename varchar(512), directory varchar(512), filesize INTEGER, fs_deleted INTEGER, needs_verification INTEGER);
CREATE TABLE library (id INTEGER PRIMARY KEY AUTOINCREMENT, location INTEGER REFERENCES track_locations(location),
    duration FLOAT, samplerate INTEGER, bpm FLOAT, mixxx_deleted INTEGER, rating INTEGER DEFAULT 0,
    key varchar(8) DEFAULT '', key_id INTEGER DEFAULT 0, beats BLOB, beats_version TEXT);
CREATE TABLE cues (id INTEGER PRIMARY KEY AUTOINCREMENT, track_id INTEGER NOT NULL, type INTEGER DEFAULT 0 NOT NULL,
    position INTEGER DEFAULT -1 NOT NULL, length INTEGER DEFAULT 0 NOT NULL, hotcue INTEGER DEFAULT -1 NOT NULL,
    label TEXT DEFAULT '' NOT NULL);
CREATE TABLE Playlists (id INTEGER PRIMARY KEY, name varchar(48), position INTEGER, hidden INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE PlaylistTracks (id INTEGER PRIMARY KEY, playlist_id INTEGER, track_id INTEGER, position INTEGER);
CREATE TABLE crates (id INTEGER PRIMARY KEY AUTOINCREMENT, name varchar(48) UNIQUE NOT NULL);
CREATE TABLE crate_tracks (crate_id INTEGER NOT NULL, track_id INTEGER NOT NULL, UNIQUE (crate_id, track_id));
"""


class MixxxDatabase:
    """A new database at ``path``, schema 32 unless told; each call is written at once."""

    def __init__(self, path: Path, schema: int = 32, least: int = 3) -> None:
        self.path = path
        with closing(sqlite3.connect(path)) as db:
            db.executescript(_SCHEMA)
            db.executemany(
                "INSERT INTO settings (name, value) VALUES (?, ?)",
                [("mixxx.schema.version", str(schema)), ("mixxx.schema.min_compatible_version", str(least))],
            )
            db.commit()

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        with closing(sqlite3.connect(self.path)) as db:
            db.execute("PRAGMA synchronous = OFF")
            number = db.execute(statement, values).lastrowid
            db.commit()
        return int(number or 0)

    def add(
        self, location: str, size: int = 0, length_s: float = 60.0, bpm: float = 120.0, beats: bytes | None = None,
        version: str = "BeatGrid-2.0", rating: int = 0, key: str = "", key_id: int = 0, deleted: int = 0,
    ) -> int:  # fmt: skip
        place = self.run("INSERT INTO track_locations (location, filesize, fs_deleted) VALUES (?, ?, 0)",
                         (location, size))  # fmt: skip
        return self.run(
            "INSERT INTO library (location, duration, samplerate, bpm, mixxx_deleted, rating, key, key_id, beats, "
            "beats_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (place, length_s, RATE_HZ, bpm, deleted, rating, key, key_id, beats, version),
        )

    def cue(self, track: int, kind: int, begin_s: float | None, length_s: float = 0.0, label: str = "") -> None:
        """Positions count the samples of two channels."""
        begin = -1 if begin_s is None else round(begin_s * RATE_HZ) * 2
        self.run("INSERT INTO cues (track_id, type, position, length, label) VALUES (?, ?, ?, ?, ?)",
                 (track, kind, begin, round(length_s * RATE_HZ) * 2, label))  # fmt: skip

    def playlist(self, name: str, tracks: Sequence[int], hidden: int = 0) -> None:
        number = self.run("INSERT INTO Playlists (name, hidden) VALUES (?, ?)", (name, hidden))
        for place, track in enumerate(tracks):
            self.run("INSERT INTO PlaylistTracks (playlist_id, track_id, position) VALUES (?, ?, ?)",
                     (number, track, place))  # fmt: skip

    def crate(self, name: str, tracks: Sequence[int]) -> None:
        number = self.run("INSERT INTO crates (name) VALUES (?)", (name,))
        for track in tracks:
            self.run("INSERT INTO crate_tracks (crate_id, track_id) VALUES (?, ?)", (number, track))


def grid(bpm: float, first_s: float, as_double: bool = False) -> bytes:
    """A grid of constant tempo; ``as_double``: the position as the newest versions write it."""
    return _part(1, b"\x09" + struct.pack("<d", bpm)) + _part(2, _beat(first_s, as_double))


def beat_map(beats_s: Sequence[float]) -> bytes:
    return b"".join(_part(1, _beat(at, False)) for at in beats_s)


def _beat(at_s: float, as_double: bool) -> bytes:
    frame = round(at_s * RATE_HZ)
    return b"\x09" + struct.pack("<d", frame) if as_double else b"\x08" + _varint(frame)


def _part(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
