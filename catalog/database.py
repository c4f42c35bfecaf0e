"""The catalogue's SQLite file: how it is opened, what its errors say, and the lock that one writer holds."""

import secrets
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import FormatError, LockedError
from .schema import CHANGES, SCHEMA, SCHEMA_VERSION, STAND_INS, STEPS, Step

DATABASE = "catalog.sqlite"
LOCK = "index.lock"
CURE = "index the music again into a new folder"
# What says nothing of the database itself: the disk is full or read-only, or another process holds it.
NOT_ITS_FAULT = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
)
TRIES = 3  # to copy a database that is being written
SETTLED_NS = 2_000_000_000
WAIT_S = 30.0  # for another process to end its transaction
CHANGES_KEPT = 200_000


def open_to_write(path: Path) -> sqlite3.Connection:
    """The database at ``path``, made where there is none; one of an older schema is brought up to this one, if a way is
    known (see ``STEPS``). Raises ``FormatError``, and ``LockedError`` where another process writes it for too long."""
    db = _connect(path)
    try:
        with free(path):
            if _version(path, db) == 0:
                db.execute("PRAGMA journal_mode = WAL")
                changes = "; ".join(CHANGES)
                db.executescript(f"BEGIN; {SCHEMA} {changes}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT")
            _migrate(path, db)
            _check(path, db)
            if identity(path, db)[1] == 0:  # a database that is put in its place later has another
                db.execute(f"PRAGMA application_id = {secrets.randbelow(2**31 - 1) + 1}")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("DELETE FROM changes WHERE revision < (SELECT max(revision) FROM changes) - ?", (CHANGES_KEPT,))
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
        with free(path):
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
        with free(path):
            _stand_in(path, db)
        yield db
    finally:
        db.close()


@dataclass(frozen=True, slots=True)
class Stamp:
    """Of a database and its log. An equal stamp that is ``settled`` says that nothing was written since."""

    parts: tuple[object, ...]
    settled: bool  # written so long ago that a later write cannot have the same time


def stamp_of(path: Path) -> Stamp:
    """Of the database at ``path``."""
    parts = tuple(map(_stamp, _parts(path)))
    latest_ns = max((part[2] for part in parts if part is not None), default=0)
    return Stamp(parts, time.time_ns() - latest_ns > SETTLED_NS)


def missing(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Kinds and names of the tables, indexes and triggers that a database of this schema has and this one has not."""
    named = "SELECT type, name FROM sqlite_master UNION SELECT type, name FROM sqlite_temp_master"
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as whole:
        whole.executescript(f"{SCHEMA} {'; '.join(CHANGES)}")
        there = set(db.execute(named))
        of_readers = {} if _version(Path(), db) == SCHEMA_VERSION else {"trigger", "index"}  # an older one has fewer
        return sorted(it for it in whole.execute(named) if it not in there and it[0] not in of_readers)


def identity(path: Path, db: sqlite3.Connection) -> tuple[int, ...]:
    """Another one when the database at ``path`` is put in the place of that which ``db`` reads."""
    stamp = _stamp(path)
    return (0 if stamp is None else stamp[0], int(db.execute("PRAGMA application_id").fetchone()[0]))


def is_read_whole(path: Path, db: sqlite3.Connection) -> bool:
    """Whether ``db`` is a copy of the database at ``path``, or an older schema seen as this one: opening it again takes
    as long as reading everything."""
    [opened] = [file for _, name, file in db.execute("PRAGMA database_list") if name == "main"]
    return _version(path, db) != SCHEMA_VERSION or not path.samefile(opened)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """What is written inside is written whole or not at all. Raises ``LockedError``."""
    with free(Path(DATABASE)):
        db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def free(path: Path) -> Iterator[None]:
    """What waits inside for another process longer than ``WAIT_S`` raises ``LockedError``."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        raise LockedError(
            f"{path}: another program has been writing it for {WAIT_S:.0f} s, perhaps to bring it up to this version; "
            "wait for it to end and try again"
        ) from error


def damaged(folder: Path, error: Exception) -> FormatError:
    """What to raise where the database of a catalogue cannot be read."""
    return FormatError(
        f"{folder / DATABASE}: cannot be read to its end ({error}); segue catalog verify -c {folder} says what is "
        f"damaged; restore it, or {CURE}"
    )


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """What is read or written inside raises ``FormatError`` where a page of the catalogue's database is damaged."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (*NOT_ITS_FAULT, sqlite3.SQLITE_CONSTRAINT):
            raise
        raise damaged(folder, error) from error


@contextmanager
def exclusive(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the catalogue for one writer, once no other does, which is waited for; freed by the system when the process
    dies. Raises ``LockedError``.

    An SQLite transaction on a file of its own is a lock that works alike on every system.
    """
    lock = sqlite3.connect(folder / LOCK, timeout=wait_s, isolation_level=None)
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


def _connect(place: Path | str, uri: bool = False) -> sqlite3.Connection:
    """Text that is damaged reads as far as it can, so that one row does not end the reading of all."""
    db = sqlite3.connect(place, uri=uri, timeout=WAIT_S, isolation_level=None)
    db.text_factory = lambda stored: stored.decode("utf-8", "replace")
    return db


def _read_only(path: Path) -> sqlite3.Connection:
    db = _connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
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
    parts = _parts(path)
    try:
        if not path.exists():
            raise FormatError(f"{path}: is gone; {CURE}, or put it back")
        for _ in range(TRIES):
            before = [_stamp(part) for part in parts]
            for part in parts:
                if part.exists():
                    shutil.copyfile(part, folder / part.name)
            if [_stamp(part) for part in parts] == before:
                break
        else:
            raise FormatError(f"{path}: is being written, and its folder cannot be; try again when that has ended")
        db = _connect(folder / path.name)
    except OSError as error:
        raise FormatError(f"{path}: cannot be opened ({failure}; {error}); {CURE}") from error
    try:
        _stand_in(path, db)
    except BaseException:
        db.close()
        raise
    return db


def _parts(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + "-wal")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    # a reader leaves an empty log
    return (status.st_ino, status.st_size, status.st_mtime_ns) if status.st_size else None


def _version(path: Path, db: sqlite3.Connection) -> int:
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in NOT_ITS_FAULT:
            raise
        raise FormatError(f"{path}: cannot be read ({error}); {CURE}") from error


def _migrate(path: Path, db: sqlite3.Connection) -> None:
    """Take the steps from an older schema to this one, each whole or not at all."""
    while (version := _version(path, db)) in STEPS:
        with transaction(db):
            if _version(path, db) == version:  # nobody was faster
                for step in STEPS[version]:
                    _take(db, step)
                db.execute(f"PRAGMA user_version = {version + 1}")


def _stand_in(path: Path, db: sqlite3.Connection) -> None:
    """Let a reader see an older schema as this one, if that can be done without writing. Of one state: an indexer may
    be bringing it up to this schema."""
    db.execute("BEGIN")
    version = _version(path, db)
    if version not in STAND_INS:
        _check(path, db)
    for older in range(version, SCHEMA_VERSION):
        for step in STAND_INS[older]:
            _take(db, step)
    db.execute("COMMIT")


def _take(db: sqlite3.Connection, step: str | Step) -> None:
    if isinstance(step, str):
        db.execute(step)
    else:
        step(db)


def _check(path: Path, db: sqlite3.Connection) -> None:
    if (version := _version(path, db)) != SCHEMA_VERSION:
        raise FormatError(f"{path}: schema {version}, not {SCHEMA_VERSION}; {CURE}")
