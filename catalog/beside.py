"""What the sidecars of a folder of music say of each file: which rows are of it, and which of them count.

Each field by itself: the nearest folder's sidecar counts first, then those of the folders above, also above the folder
that is indexed. In one folder a row that names the track (``begin_s``) goes before one that names the file, that before
a pattern, that before ``*``; of two alike the later one counts. Where a folder has both tables, the JSON's rows
are the later ones.

A name without a slash is a file of the sidecar's folder; a pattern without a slash is compared with the file's own name
in this folder and all below it; with slashes both are paths from the sidecar's folder on, where ``**`` stands for any
number of folders. Names are compared in Unicode's composed form (NFC), since systems store them differently; ``\\``
is a slash.
"""

import difflib
import fnmatch
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from .notes import Note, Place
from .sidecar import NAMES, Row, Table, read_table
from .tags import MAX_TEXT, one_line

MAX_PATTERNS: Final = 200  # in one folder: each is compared with every file below
NEAR_S: Final = 0.05  # of a track's begin, which a table may round
MAX_LOST: Final = 20  # names without a track that are told
MAX_COMPARED: Final = 2000  # files that a wrong name is compared with
WHOLE: Final = "*"
_PATTERN: Final = re.compile(r"[*?\[]")
# Fields that are a track's own: a row for a whole file with several tracks does not set them.
_OWN: Final = ("title", "artist")


Matcher = Callable[[Sequence[str]], bool]
_Rows = dict[float | None, Row]  # of one name, by ``begin_s``; the latest last


@dataclass(frozen=True, slots=True)
class Said:
    """``notes`` of places, and ``complaints``: the table, and what is wrong with it. ``closed``: folders in the
    root of which not all tables could be read, so that there are no notes of what is below."""

    notes: tuple[Note, ...]
    complaints: tuple[tuple[Path, str], ...]
    closed: tuple[Path, ...] = ()


def read_beside(root: Path, found: Iterable[Path], places: Collection[Place]) -> Said:
    """What sidecars say of ``places``, all in the folder ``root``; ``found``: the sidecars in it."""
    above = [folder / name for folder in root.parents for name in NAMES]
    paths = dict.fromkeys([*(path for path in above if os.path.isfile(path)), *found])  # noqa: PTH113 - never raises
    begins: dict[Path, list[float]] = {}
    for path, begin_s in places:
        begins.setdefault(path, []).append(begin_s)
    tables: dict[Path, list[Table]] = {}
    for path in sorted(paths, key=lambda path: path.name.casefold()):  # segue.csv before segue.json
        tables.setdefault(path.parent, []).append(read_table(path))
    names: dict[Path, dict[str, Path]] = {folder: {} for folder in tables}
    for path in begins:
        for folder in path.parents:
            if folder in names:
                names[folder][_name_in(folder, path)] = path
    folders = {folder: _Folder(folder, own, names[folder]) for folder, own in tables.items()}
    closed = tuple(
        folder for folder, own in tables.items() if folder.is_relative_to(root) and any(table.closed for table in own)
    )
    open_ = {path: own for path, own in begins.items() if not any(map(path.is_relative_to, closed))}
    notes = [note for path, own in open_.items() for note in _of_file(path, sorted(own), folders)]
    complaints = [pair for folder in folders.values() for pair in folder.complaints(root)]
    complaints += [(folder, "what tables said of the files in it before counts") for folder in closed]
    return Said(tuple(notes), tuple(complaints), closed)


def _of_file(path: Path, begins: Sequence[float], folders: Mapping[Path, "_Folder"]) -> Iterator[Note]:
    above = [folders[folder] for folder in path.parents if folder in folders]
    if not above:
        return
    rows = [row for folder in above for row in folder.rows_of(path)]
    for begin_s in begins:
        values: dict[str, str] = {}
        for row in rows:
            if row.begin_s is not None and abs(row.begin_s - begin_s) > NEAR_S:
                continue
            for name, value in row.values.items():
                if name not in _OWN or len(begins) == 1 or row.begin_s is not None:
                    values.setdefault(name, value)
        yield from (Note(path, begin_s, name, value) for name, value in values.items())


class _Folder:
    """The rows of a folder's sidecars; ``names``: of the tracks' files in it and below, from it on."""

    def __init__(self, folder: Path, tables: Sequence[Table], names: Collection[str]) -> None:
        self._folder, self._tables, self._names = folder, tables, names
        self._named: dict[str, _Rows] = {}
        self._patterns: list[tuple[Row, Matcher]] = []
        self._all: _Rows = {}
        self._unread: list[tuple[Path, str]] = []
        self._lost: list[tuple[Path, Row, str]] = []
        for table in tables:
            for row in table.rows:
                self._take(table.path, row)

    def _take(self, path: Path, row: Row) -> None:
        name = _plain(row.file)
        if name not in self._names:
            name = name.strip()  # a blank too many in a cell, since no file is called so
        if name in self._names:
            _add(self._named.setdefault(name, {}), row)
        elif name == WHOLE and row.begin_s is None:
            _add(self._all, row)
        elif not _PATTERN.search(name):
            self._lost.append((path, row, name))
        elif len(self._patterns) < MAX_PATTERNS:
            self._patterns.insert(0, (row, _matcher(name)))
        else:
            text = f"{_number(path, row)}: is not read: at most {MAX_PATTERNS} patterns; name files, or use subfolders"
            self._unread.append((path, text))

    def rows_of(self, path: Path) -> list[Row]:
        """The rows of a file, the one that counts first before the others."""
        name = _name_in(self._folder, path)
        parts = name.split("/")
        named = list(reversed(self._named.get(name, {}).values()))
        exact = [row for row in named if row.begin_s is not None]
        whole = [row for row in named if row.begin_s is None]
        return [*exact, *whole, *(row for row, matches in self._patterns if matches(parts)), *self._all.values()]

    def complaints(self, root: Path) -> Iterator[tuple[Path, str]]:
        """What is wrong with the tables; of those in ``root`` also which names are no track's."""
        for table in self._tables:
            yield from ((table.path, text) for text in table.complaints)
        yield from self._unread[:1]
        if not self._folder.is_relative_to(root):
            return
        some = list(self._names)[:MAX_COMPARED]
        for path, row, name in self._lost[:MAX_LOST]:
            near = difflib.get_close_matches(name, some, n=1, cutoff=0.8)
            hint = f"did you mean {near[0]}?" if near else "write its name as it is from this folder on"
            yield path, one_line(f"{_number(path, row)}: {name!r} is no track here; {hint}", 2 * MAX_TEXT)
        if len(self._lost) > MAX_LOST:
            yield self._tables[-1].path, f"and {len(self._lost) - MAX_LOST} more names that are no track here"


def _add(rows: _Rows, row: Row) -> None:
    """A row that counts before those of its place, with what they have beside: however many there are, they are one."""
    older = rows.pop(row.begin_s, None)
    rows[row.begin_s] = row if older is None else replace(row, values={**older.values, **row.values})


def _number(path: Path, row: Row) -> str:
    return f"{'entry' if path.suffix.casefold() == '.json' else 'line'} {row.line}"


def _name_in(folder: Path, path: Path) -> str:
    """A file's name from ``folder`` on, as names are compared."""
    return _composed("/".join(path.relative_to(folder).parts)).replace("\\", "/")


def _plain(name: str) -> str:
    """A name as it is compared."""
    plain = _composed(name).replace("\\", "/")
    while plain.lstrip().startswith("./"):
        plain = plain.lstrip()[2:]
    return plain


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _matcher(pattern: str) -> Matcher:
    """Whether the parts of a path match a pattern."""
    wanted = [part for part in pattern.split("/") if part]
    if len(wanted) == 1:
        single = re.compile(fnmatch.translate(wanted[0])).match
        return lambda parts: single(parts[-1]) is not None
    whole = [None if part == "**" else re.compile(fnmatch.translate(part)).match for part in wanted]

    def matches(parts: Sequence[str]) -> bool:
        """One state a place in the pattern: linear in the length of the path."""
        states = _skip({0}, whole)
        for part in parts:
            following: set[int] = set()
            for state in states:
                if state < len(whole):
                    test = whole[state]
                    if test is None:
                        following.add(state)
                    elif test(part):
                        following.add(state + 1)
            states = _skip(following, whole)
        return len(whole) in states

    return matches


def _skip(states: set[int], whole: Sequence[object]) -> set[int]:
    """``**`` may stand for no folder at all."""
    reached = set(states)
    for state in sorted(states):
        while state < len(whole) and whole[state] is None:
            state += 1
            reached.add(state)
    return reached
