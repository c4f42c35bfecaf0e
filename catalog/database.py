"""The catalogue's SQLite file: its tables, how it is opened, and the lock that one writer holds."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import FormatError, LockedError

SCHEMA_VERSION = 7
DATABASE = "catalog.sqlite"
LOCK = "index.lock"
CURE = "index the music again into a new folder"
TRIES = 3  # to copy a database that is being written
_NOTES = """
TABLE notes (
    path BLOB NOT NULL, begin_s REAL NOT NULL, origin TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (path, begin_s, origin, field)
) WITHOUT ROWID;
"""
# From an older schema to the next one, without analysing anything again. Tags that have become of use since are read
# when the folder is indexed the next time: no file has the size -1.
_STEPS = {
    5: f"CREATE {_NOTES} UPDATE files SET size = -1;",
    6: "ALTER TABLE tracks ADD COLUMN musical_key TEXT; ALTER TABLE tracks ADD COLUMN energy REAL;",
}
# What a reader, who changes nothing, lacks in an older schema: tables and views of its own connection, which go before
# those of the file.
_STAND_INS = {
    5: f"CREATE TEMP {_NOTES}",
    6: "CREATE TEMP VIEW tracks AS SELECT *, NULL AS musical_key, NULL AS energy FROM main.tracks;",
}
# Columns of later schemas stand where ALTER TABLE puts them.
_SCHEMA = f"""
CREATE TABLE tracks (
    id TEXT PRIMARY KEY, duration_s REAL NOT NULL, pulse_bpm REAL NOT NULL, note TEXT NOT NULL,
    beats BLOB NOT NULL, rhythm BLOB NOT NULL, clips TEXT NOT NULL,
    lossless INTEGER NOT NULL, sketch BLOB NOT NULL, recording TEXT NOT NULL,
    outline TEXT, loudness BLOB, peaks BLOB, sections BLOB, downbeats BLOB, onsets BLOB, vocals BLOB
, musical_key TEXT, energy REAL);
CREATE INDEX tracks_by_duration ON tracks(duration_s);
CREATE TABLE segments (
    track TEXT NOT NULL REFERENCES tracks(id) ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    first_clip INTEGER NOT NULL, start_s REAL, border REAL NOT NULL, vector BLOB NOT NULL, mood BLOB,
    PRIMARY KEY (track, ordinal)
) WITHOUT ROWID;
CREATE TABLE files (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, beside TEXT NOT NULL,
    missing INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE places (
    path BLOB NOT NULL REFERENCES files(path) ON DELETE CASCADE, begin_s REAL NOT NULL, end_s REAL,
    track TEXT NOT NULL REFERENCES tracks(id) ON DELETE CASCADE,
    title TEXT NOT NULL, artist TEXT NOT NULL, licence TEXT NOT NULL, tags TEXT NOT NULL, tempo_bpm REAL NOT NULL,
    tagged_lufs REAL, tagged_peak_db REAL,
    PRIMARY KEY (path, begin_s)
) WITHOUT ROWID;
CREATE INDEX places_by_track ON places(track);
CREATE {_NOTES}
"""


def open_to_write(path: Path) -> sqlite3.Connection:
    """The database at ``path``, made where there is none; one of an older schema is brought up to this one, if a way is
    known (see ``_STEPS``). Raises ``FormatError``."""
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        if _version(path, db) == 0:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT")
        _migrate(path, db)
        _check(path, db)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def open_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """The database at ``path``, without write access to its folder. Raises ``FormatError``.

    Where the folder cannot be written, SQLite can neither make the file that readers share with a writer (``-shm``)
    nor read what a killed writer left in the ``-wal`` file. Then it reads a copy of the database and its log.
    """
    try:
        db = _read_only(path)
    except sqlite3.OperationalError as error:
        with tempfile.TemporaryDirectory(prefix="segue-", ignore_cleanup_errors=True) as folder:
            db = _open_copy(path, Path(folder), error)
            try:
                yield db
            finally:
                db.close()
        return
    try:
        _stand_in(path, db)
        yield db
    finally:
        db.close()


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """What is written inside is written whole or not at all."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the catalogue for one writer; freed by the system when the process dies. Raises ``LockedError``.

    An SQLite transaction on a file of its own is a lock that works alike on every system.
    """
    lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None)
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


def _read_only(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30, isolation_level=None)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        db.close()
        raise
    except sqlite3.DatabaseError as error:
        db.close()
        raise FormatError(f"{path}: not a database ({error}); {CURE}") from error
    return db


def _open_copy(path: Path, folder: Path, failure: sqlite3.Error) -> sqlite3.Connection:
    """Open a copy of a database and its log, made while neither changed."""
    parts = [path, path.with_name(path.name + "-wal")]
    try:
        for _ in range(TRIES):
            before = [_stamp(part) for part in parts]
            for part in parts:
                if part.exists():
                    shutil.copyfile(part, folder / part.name)
            if [_stamp(part) for part in parts] == before:
                break
        else:
            raise FormatError(f"{path}: is being written, and its folder cannot be; try again when that has ended")
        db = sqlite3.connect(folder / path.name, isolation_level=None)
    except OSError as error:
        raise FormatError(f"{path}: cannot be opened ({failure}; {error}); {CURE}") from error
    try:
        _stand_in(path, db)
    except BaseException:
        db.close()
        raise
    return db


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns


def _version(path: Path, db: sqlite3.Connection) -> int:
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise FormatError(f"{path}: cannot be read ({error}); {CURE}") from error


def _migrate(path: Path, db: sqlite3.Connection) -> None:
    """Take the steps from an older schema to this one, each whole or not at all."""
    while (version := _version(path, db)) in _STEPS:
        with transaction(db):
            if _version(path, db) == version:  # nobody was faster
                for statement in filter(str.strip, _STEPS[version].split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {version + 1}")


def _stand_in(path: Path, db: sqlite3.Connection) -> None:
    """Let a reader see an older schema as this one, if that can be done without writing."""
    version = _version(path, db)
    if version not in _STAND_INS:
        _check(path, db)
    for older in range(version, SCHEMA_VERSION):
        db.executescript(_STAND_INS[older])


def _check(path: Path, db: sqlite3.Connection) -> None:
    if (version := _version(path, db)) != SCHEMA_VERSION:
        raise FormatError(f"{path}: schema {version}, not {SCHEMA_VERSION}; {CURE}")
