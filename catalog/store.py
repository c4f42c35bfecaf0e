"""The catalogue on disk: SQLite for what is known of each track and segment, one ``.npy`` file of clips per track.

A track is there from the moment its transaction commits. Its clip file is written before, under a temporary name that
is then renamed; so a run that is killed leaves a consistent catalogue, and at worst a clip file without a row, which
``sweep`` removes. Paths are stored as bytes, because a file name need not be text.

Tables: ``tracks`` (one row per distinct content), ``segments`` (their vectors), ``files`` (every path seen and which
track it holds, with the size and time that tell an unchanged file without reading it).
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import FormatError, LockedError
from .records import Analysis, Floats, Track

SCHEMA_VERSION = 1
DATABASE = "catalog.sqlite"
CLIPS = "clips"
_SCHEMA = """
CREATE TABLE tracks (
    id TEXT PRIMARY KEY, path BLOB NOT NULL, title TEXT NOT NULL, artist TEXT NOT NULL, licence TEXT NOT NULL,
    tags TEXT NOT NULL, duration_s REAL NOT NULL, tempo_bpm REAL NOT NULL, note TEXT NOT NULL,
    beats BLOB NOT NULL, rhythm BLOB NOT NULL
);
CREATE TABLE segments (
    track TEXT NOT NULL REFERENCES tracks(id) ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    first_clip INTEGER NOT NULL, start_s REAL NOT NULL, vector BLOB NOT NULL, mood BLOB,
    PRIMARY KEY (track, ordinal)
) WITHOUT ROWID;
CREATE TABLE files (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    track TEXT NOT NULL REFERENCES tracks(id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX files_by_track ON files(track);
"""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells that a file is the one seen before, without reading it."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class StoredTrack:
    """A track and what a search needs of it: beats (m,) seconds, rhythm (clips, 3); clips (clips, C) stay on disk."""

    track: Track
    beats: Floats
    rhythm: Floats


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """One segment's place; its vector and mood are returned beside it as arrays."""

    track: str
    first_clip: int
    start_s: float


class Store:
    """One connection, for one thread. ``write=False`` needs no write access to the folder."""

    def __init__(self, folder: Path, write: bool) -> None:
        self.folder = folder
        self._db = _connect(folder / DATABASE, write)
        try:
            self._prepare(write)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, write: bool) -> None:
        path = self.folder / DATABASE
        try:
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0 and write:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT")
                version = SCHEMA_VERSION
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.DatabaseError as error:
            raise FormatError(f"{path}: cannot be read ({error}); index the music again into a new folder") from error
        if version != SCHEMA_VERSION:
            raise FormatError(
                f"{path}: schema {version}, not {SCHEMA_VERSION}; index the music again into a new folder"
            )

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside belongs together, whatever an indexer commits meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    # -- reading

    def tracks(self) -> list[StoredTrack]:
        """All tracks, by id."""
        rows = self._db.execute(
            "SELECT id, title, artist, path, duration_s, tempo_bpm, licence, tags, beats, rhythm "
            "FROM tracks ORDER BY id"
        )
        return [
            StoredTrack(
                Track(id, title, artist, _path(path), duration_s, tempo_bpm, licence, tuple(json.loads(tags))),
                _floats(beats),
                _floats(rhythm).reshape(-1, 3),
            )
            for id, title, artist, path, duration_s, tempo_bpm, licence, tags, beats, rhythm in rows
        ]

    def segments(self, dim: int) -> tuple[list[StoredSegment], Floats, Floats | None]:
        """All segments by track and place, their vectors (n, ``dim``), and moods (n, 3) or None."""
        places: list[StoredSegment] = []
        vectors: list[bytes] = []
        moods: list[bytes] = []
        rows = self._db.execute("SELECT track, first_clip, start_s, vector, mood FROM segments ORDER BY track, ordinal")
        for track, first_clip, start_s, vector, mood in rows:
            places.append(StoredSegment(track, first_clip, start_s))
            vectors.append(vector)
            if mood is not None:
                moods.append(mood)
        matrix = _floats(b"".join(vectors)).reshape(-1, dim)
        return places, matrix, _floats(b"".join(moods)).reshape(-1, 3) if moods else None

    def files(self) -> dict[Path, tuple[FileStamp, str]]:
        """Every path known, with its stamp and the id of its track."""
        rows = self._db.execute("SELECT path, size, mtime_ns, track FROM files")
        return {_path(path): (FileStamp(size, mtime_ns), track) for path, size, mtime_ns, track in rows}

    def ids(self) -> set[str]:
        return {id for (id,) in self._db.execute("SELECT id FROM tracks")}

    # -- writing

    def add(self, track: Track, analysis: Analysis, note: str, stamp: FileStamp) -> None:
        """Make ``track`` part of the catalogue, its path among the files seen; replaces a track of that id."""
        write_clips(self.folder, track.id, kept_rows(analysis))
        words = json.dumps(track.tags, ensure_ascii=False)
        known = (track.title, track.artist, track.licence, words, track.duration_s, track.tempo_bpm, note)
        with self._transaction():
            self._db.execute("DELETE FROM tracks WHERE id = ?", (track.id,))
            self._db.execute(
                "INSERT INTO tracks (id, path, title, artist, licence, tags, duration_s, tempo_bpm, note, "
                "beats, rhythm) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (track.id, _bytes(track.path), *known, _blob(analysis.beats), _blob(analysis.rhythm)),
            )
            self._db.executemany(
                "INSERT INTO segments (track, ordinal, first_clip, start_s, vector, mood) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (track.id, i, int(first), float(analysis.starts_s[i]), _blob(analysis.vectors[i]), mood)
                    for i, (first, mood) in enumerate(zip(analysis.first_clips, _moods(analysis), strict=True))
                ),
            )
            self._see(track.path, stamp, track.id)

    def see(self, path: Path, stamp: FileStamp, track: str) -> None:
        """Note that ``path`` now holds ``track``, which must be in the catalogue."""
        with self._transaction():
            self._see(path, stamp, track)

    def forget(self, paths: list[Path]) -> list[str]:
        """Drop paths; a track without a path left goes, one with another path moves there. Returns the ids gone."""
        with self._transaction():
            self._db.executemany("DELETE FROM files WHERE path = ?", ((_bytes(path),) for path in paths))
            return self._settle_paths()

    def settle(self) -> list[str]:
        """Let every track stand at a path that holds it; returns the ids of the tracks that no path holds, now gone."""
        with self._transaction():
            return self._settle_paths()

    def sweep(self) -> None:
        """Remove clip files that no track owns: what a killed run or a removed track leaves."""
        owned = {f"{id}.npy" for id in self.ids()}
        for path in (self.folder / CLIPS).glob("*"):
            if path.name not in owned:
                path.unlink(missing_ok=True)

    def _see(self, path: Path, stamp: FileStamp, track: str) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO files (path, size, mtime_ns, track) VALUES (?, ?, ?, ?)",
            (_bytes(path), stamp.size, stamp.mtime_ns, track),
        )

    def _settle_paths(self) -> list[str]:
        gone = [id for (id,) in self._db.execute("SELECT id FROM tracks WHERE id NOT IN (SELECT track FROM files)")]
        self._db.executemany("DELETE FROM tracks WHERE id = ?", ((id,) for id in gone))
        self._db.execute(
            "UPDATE tracks SET path = (SELECT min(path) FROM files WHERE track = id) "
            "WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.path = tracks.path AND files.track = tracks.id)"
        )
        return gone

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the catalogue for one writer; freed by the system when the process dies. Raises ``LockedError``.

    An SQLite transaction on a file of its own is a lock that works alike on every system.
    """
    lock = sqlite3.connect(folder / "index.lock", timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise LockedError(f"{folder}: another segue index is writing it; wait for it to end") from error
        yield
    finally:
        lock.close()


def clip_path(folder: Path, track: str) -> Path:
    """Where a track's clip embeddings (clips, C) float32 lie."""
    return folder / CLIPS / f"{track}.npy"


def kept_rows(analysis: Analysis) -> Floats:
    """(clips, C + ...): each clip's vector, and behind it what else is kept of it, end to end."""
    flat = [values.reshape(len(values), -1) for values in analysis.extras.values()]
    return np.concatenate([analysis.clips, *flat], axis=1) if flat else analysis.clips


def write_clips(folder: Path, track: str, clips: Floats) -> None:
    """Write a track's clip embeddings so that the name appears only when the contents are whole."""
    path = clip_path(folder, track)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".tmp")
    with partial.open("wb") as file:
        np.save(file, clips.astype(np.float32, copy=False))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _connect(path: Path, write: bool) -> sqlite3.Connection:
    if write:
        return sqlite3.connect(path, timeout=30, isolation_level=None)
    uri = path.absolute().as_uri()
    for mode in ("mode=ro", "immutable=1"):  # the latter for a medium where WAL's own files cannot be made
        db = sqlite3.connect(f"{uri}?{mode}", uri=True, timeout=30, isolation_level=None)
        try:
            db.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            db.close()
            failure = error
        except sqlite3.DatabaseError as error:
            db.close()
            raise FormatError(f"{path}: not a database ({error}); index the music again into a new folder") from error
        else:
            return db
    raise FormatError(f"{path}: cannot be opened ({failure}); index the music again into a new folder") from failure


def _bytes(path: Path) -> bytes:
    return os.fsencode(path)


def _path(stored: bytes) -> Path:
    return Path(os.fsdecode(stored))


def _blob(values: Floats) -> bytes:
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def _floats(blob: bytes) -> Floats:
    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


def _moods(analysis: Analysis) -> list[bytes | None]:
    if analysis.moods is None:
        return [None] * len(analysis.first_clips)
    return [_blob(mood) for mood in analysis.moods]
