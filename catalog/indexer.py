"""A folder of music -> a catalogue that mirrors it.

Incremental by content. A file whose size and time are known is not read; otherwise its SHA-256 says whether its content
is: then it was renamed, copied or only touched. Each track is committed by itself, so an index that is interrupted goes
on where it stopped. Files that vanished from the folder leave the catalogue; tracks from other folders stay.
"""

import os
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from engines.base import Engine
from features.beats import warm_up

from .errors import CatalogError, MusicFolderError
from .layout import check_bundle, is_catalog, layout_of, read_layout, write_layout
from .pool import hear_all
from .records import Track
from .scan import Found, named_as_music, scan, track_id
from .store import FileStamp, Store, exclusive
from .tags import one_line
from .worker import Heard, Refused, Source, hear

Progress = Callable[[int, int, str], None]  # files done, files to analyse, what is going on


@dataclass(frozen=True, slots=True)
class FileNote:
    """A file and what is to be said of it, such as why it failed."""

    path: Path
    text: str

    def line(self) -> str:
        """On one line, whatever the file's name holds."""
        return f"{printable(self.path)}: {self.text}"


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Counts of tracks; ``failed`` files with the reason each; ``notes`` on files that are in nevertheless."""

    added: int
    refreshed: int  # a known path with new content
    removed: int
    unchanged: int
    failed: tuple[FileNote, ...]
    renamed: int = 0
    duplicates: int = 0  # files whose content another file has as well
    skipped: int = 0  # files that are no music by their name or nature
    notes: tuple[FileNote, ...] = ()
    tracks: int = 0  # in the catalogue now


def index_folder(
    music: Path, catalog: Path, engine: Engine, jobs: int, progress: Progress, source: Source | None = None
) -> IndexReport:
    """Add, refresh and remove until ``catalog`` holds what ``music`` does; makes the catalogue where there is none.

    ``jobs`` processes with an engine of their own each, opened as ``source`` says (None: the bundle's on the CPU); 1
    works in this process with ``engine``. Raises ``MusicFolderError`` for a folder that is missing or holds nothing to
    try (the catalogue stays as it was), ``BundleMismatchError``, ``FormatError``, ``LockedError``.
    """
    music, catalog = Path(os.path.realpath(music)), Path(os.path.realpath(catalog))
    if not music.is_dir():
        what = "is not a folder" if music.exists() else "no such folder"
        raise MusicFolderError(f"{printable(music)}: {what}; name a folder of music")
    found = scan(music, catalog)
    if not found.files:
        raise MusicFolderError(f"{printable(music)}: holds no music ({found.skipped} other files); nothing was changed")
    if is_catalog(catalog):
        check_bundle(catalog, read_layout(catalog), engine.bundle)
    else:
        write_layout(catalog, layout_of(engine.bundle))
    try:
        with exclusive(catalog), closing(Store(catalog, write=True)) as store:
            store.sweep()
            source = source or Source(str(engine.bundle.path))
            return _Run(music, found, store, engine, source, progress).report(max(1, jobs))
    except (OSError, sqlite3.OperationalError) as error:
        raise CatalogError(
            f"{catalog}: cannot be written ({error}); free some space or mend its permissions"
        ) from error


@dataclass(slots=True)
class _Pending:
    """A file that is being analysed, and others that turned out to have its content meanwhile."""

    track: str
    twins: list[Path] = field(default_factory=list)


class _Run:
    """One run's bookkeeping."""

    def __init__(
        self, music: Path, found: Found, store: Store, engine: Engine, source: Source, progress: Progress
    ) -> None:
        self._music, self._found, self._store, self._engine, self._progress = music, found, store, engine, progress
        self._source = source
        self._known = store.files()
        self._ids = store.ids()
        # A track of which no old path is left can only have been renamed.
        self._standing = {
            id for path, (stamp, id) in self._known.items() if found.files.get(path) == stamp or not self._mine(path)
        }
        self._pending: dict[Path, _Pending] = {}
        self._paths: dict[str, Path] = {}
        self._counts = dict.fromkeys(("added", "refreshed", "unchanged", "renamed", "duplicates"), 0)
        self._skipped = found.skipped
        self._failed = [FileNote(path, reason) for path, reason in found.closed.items()]
        self._lost: list[Path] = []  # known paths that hold nothing usable any more
        self._replaced: set[str] = set()
        self._notes: list[FileNote] = []
        self._done = self._total = 0

    def report(self, jobs: int) -> IndexReport:
        todo = [path for path, stamp in self._found.files.items() if self._known.get(path, (None,))[0] != stamp]
        self._counts["unchanged"] = len(self._found.files) - len(todo)
        self._total = len(todo)
        if todo:
            self._progress(0, self._total, "getting ready (the first time on a machine takes a while)")
        with closing(self._outcomes(iter(todo), min(jobs, len(todo)))) as outcomes:
            for path, outcome in outcomes:
                self._take(path, outcome)
        closed = tuple(self._found.closed)
        vanished = [
            path
            for path in self._known
            if self._mine(path) and path not in self._found.files and not any(map(path.is_relative_to, closed))
        ]
        gone = set(self._store.forget(vanished + self._lost))
        self._store.sweep()
        return IndexReport(
            **self._counts,
            removed=len(gone - self._replaced),
            failed=tuple(self._failed),
            skipped=self._skipped,
            notes=tuple(self._notes),
            tracks=len(self._store.ids()),
        )

    def _mine(self, path: Path) -> bool:
        return path.is_relative_to(self._music)

    def _outcomes(self, todo: Iterator[Path], jobs: int) -> Generator[tuple[Path, Heard | Refused]]:
        fresh = self._fresh(todo)
        if jobs > 1:
            yield from hear_all(fresh, self._source, jobs)
            return
        for i, path in enumerate(fresh):
            if i == 0:
                warm_up()
            yield path, hear(path, self._engine)

    def _fresh(self, todo: Iterator[Path]) -> Iterator[Path]:
        """Of the files to look at, those with content that has to be analysed; the others are settled here."""
        for path in todo:
            try:
                id = track_id(path)
            except OSError as error:
                self._refuse(path, f"cannot be read: {error.strerror}")
                continue
            if id in self._ids:
                self._recognise(path, id)
            elif id in self._paths:
                self._pending[self._paths[id]].twins.append(path)
            else:
                self._paths[id] = path
                self._pending[path] = _Pending(id)
                yield path

    def _recognise(self, path: Path, id: str) -> None:
        """A file whose content is in the catalogue already."""
        self._step(path)
        before = self._known.get(path)
        if before is not None and before[1] == id:
            self._counts["unchanged"] += 1
        elif before is None and id not in self._standing:
            self._counts["renamed"] += 1
            self._standing.add(id)
        else:
            self._counts["duplicates"] += 1
            self._notes.append(FileNote(path, f"has the content of another file (track {id})"))
        if before is not None and before[1] != id:
            self._replaced.add(before[1])
        self._store.see(path, self._found.files[path], id)

    def _take(self, path: Path, outcome: Heard | Refused) -> None:
        pending = self._pending.pop(path)
        del self._paths[pending.track]
        if isinstance(outcome, Refused):
            for each in (path, *pending.twins):
                self._refuse(each, outcome.reason, outcome.foreign)
            return
        self._store.add(_track(pending.track, path, outcome), outcome.analysis, outcome.note, self._stamp(path))
        self._step(path)
        self._ids.add(pending.track)
        self._standing.add(pending.track)
        if outcome.note:
            self._notes.append(FileNote(path, outcome.note))
        if path in self._known:
            self._counts["refreshed"] += 1
            self._replaced.add(self._known[path][1])
        else:
            self._counts["added"] += 1
        for twin in pending.twins:
            self._recognise(twin, pending.track)

    def _refuse(self, path: Path, reason: str, foreign: bool = False) -> None:
        self._step(path)
        if foreign and not named_as_music(path):
            self._skipped += 1
        else:
            self._failed.append(FileNote(path, reason))
        if path in self._known:
            self._lost.append(path)

    def _step(self, path: Path) -> None:
        self._done += 1
        self._progress(self._done, self._total, printable(path.relative_to(self._music)))

    def _stamp(self, path: Path) -> FileStamp:
        return self._found.files[path]


def _track(id: str, path: Path, heard: Heard) -> Track:
    tags, analysis = heard.tags, heard.analysis
    tempo_bpm = analysis.tempo_bpm or tags.tempo_bpm
    return Track(id, tags.title, tags.artist, path, analysis.duration_s, tempo_bpm, tags.licence, tags.genres)


def printable(path: Path) -> str:
    """A path on one line of valid text."""
    return one_line(os.fsencode(path).decode("utf-8", "replace"))
