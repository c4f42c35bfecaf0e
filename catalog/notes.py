"""What people and other programs say of a track beside its file's own tags: the table ``notes``.

A note is of the part of a file that begins at ``begin_s`` (0 for a whole file), as the table ``places`` has it; it may
be of a file that the catalogue does not know (yet), and then has no effect. ``origin`` tells who says it. Of one field
the origin that stands first in ``ORIGINS`` counts, so what a user edits is kept apart from what files say, whatever is
indexed again. ``value`` is text; a field that is a list holds a JSON array of texts.

What a user edits goes along with the sound: to other places of the same track, wherever its file is moved or copied,
and to other files of the same recording. So does what is forbidden: who says of one file that it may not be heard in a
stream, or in a recording of it, says so of the music, and goes before those of the same origin who allow it elsewhere.
"""

import itertools
import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .database import transaction

EDIT: Final = "edit"
SIDECAR: Final = "sidecar"
TAGS: Final = "tags"
# ``edit``: by ``segue catalog edit``; ``sidecar``: a table beside the music; then libraries of other programs;
# ``tags``: those of the file that have no column of their own.
ORIGINS: Final = (EDIT, SIDECAR, "rekordbox", "mixxx", "opensubsonic", "m3u8", TAGS)
REFUSALS: Final = ("live_ok", "vod_ok")
REFUSED: Final = "no"
_ANY: Final = "SELECT path, begin_s, origin, field, value FROM notes ORDER BY path, begin_s, origin, field"
_OF_TRACKS: Final = (
    "SELECT path, begin_s, origin, field, value FROM notes WHERE path IN "
    "(SELECT path FROM places WHERE track IN (SELECT value FROM json_each(?))) ORDER BY path, begin_s, origin, field"
)
# Every place of the recordings of which something is refused somewhere.
_REFUSED: Final = (
    "FROM notes AS no JOIN places AS here ON here.path = no.path AND here.begin_s = no.begin_s "
    "JOIN tracks AS mine ON mine.id = here.track JOIN tracks AS same ON same.recording = mine.recording "
    f"JOIN places AS there ON there.track = same.id {{}} WHERE no.field IN {REFUSALS} AND no.value = '{REFUSED}'"
)
_REFUSALS: Final = f"SELECT DISTINCT there.path, there.begin_s, origin, no.field {_REFUSED.format('')}"

Place = tuple[Path, float]  # a file, and where in it a track begins, seconds
Said = Mapping[str, Mapping[str, str]]  # origin -> field -> value


@dataclass(frozen=True, slots=True)
class Note:
    """One origin's value of one field of one track."""

    path: Path
    begin_s: float
    field: str
    value: str


class Notes:
    """The notes of a catalogue, by a connection to its database; see ``Store.notes``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self) -> dict[Place, dict[str, dict[str, str]]]:
        """Place -> origin -> field -> value; a refusal also at the other places of its recording."""
        return self._grouped(self._db.execute(_ANY), self._db.execute(_REFUSALS))

    def of_tracks(self, ids: Iterable[str]) -> dict[Place, dict[str, dict[str, str]]]:
        """The same, of the files that hold some of the tracks ``ids``."""
        some = (json.dumps(sorted(ids)),)
        among = f"{_REFUSALS} AND same.id IN (SELECT value FROM json_each(?))"
        return self._grouped(self._db.execute(_OF_TRACKS, some), self._db.execute(among, some))

    def _grouped(
        self, notes: Iterable[tuple[bytes, float, str, str, str]], refusals: Iterable[tuple[bytes, float, str, str]]
    ) -> dict[Place, dict[str, dict[str, str]]]:
        found: dict[Place, dict[str, dict[str, str]]] = {}
        for (path, begin_s), rows in itertools.groupby(notes, lambda row: row[:2]):
            by_origin = found.setdefault((Path(os.fsdecode(path)), begin_s), {})
            for _, _, origin, field, value in rows:
                by_origin.setdefault(origin, {})[field] = value if isinstance(value, str) else ""
        for path, begin_s, origin, field in refusals:
            place = Path(os.fsdecode(path)), begin_s
            found.setdefault(place, {}).setdefault(origin, {})[field] = REFUSED
        return found

    def contradictions(self, origin: str) -> list[tuple[Path, str, Path]]:
        """Files of which ``origin`` allows what it refuses of another file of the same recording: file, field, and the
        other file."""
        theirs = (
            "JOIN notes AS yes ON yes.path = there.path AND yes.begin_s = there.begin_s AND yes.field = no.field "
            "AND yes.origin = no.origin AND yes.value = 'yes'"
        )
        rows = self._db.execute(
            f"SELECT yes.path, yes.field, min(no.path) {_REFUSED.format(theirs)} AND no.origin = ? "
            "GROUP BY yes.path, yes.field ORDER BY yes.path, yes.field",
            (origin,),
        )
        return [(Path(os.fsdecode(path)), field, Path(os.fsdecode(other))) for path, field, other in rows]

    def of(self, path: Path, origin: str) -> dict[float, dict[str, str]]:
        """What an origin says of a file: begin_s -> field -> value."""
        found: dict[float, dict[str, str]] = {}
        rows = self._db.execute(
            "SELECT begin_s, field, value FROM notes WHERE path = ? AND origin = ?", (os.fsencode(path), origin)
        )
        for begin_s, field, value in rows:
            found.setdefault(begin_s, {})[field] = value
        return found

    def replace(
        self, origin: str, notes: Iterable[Note], under: Path | None = None, closed: Collection[Path] = ()
    ) -> int:
        """Let ``notes`` be all that ``origin`` says (of files in the folder ``under``, if that is given, and not of
        those in the folders ``closed``); returns how many notes are new, gone or other than they were. One
        transaction."""
        new = {(os.fsencode(note.path), note.begin_s, note.field): note.value for note in notes}
        with transaction(self._db):
            rows = self._db.execute("SELECT path, begin_s, field, value FROM notes WHERE origin = ?", (origin,))
            old = {
                (path, begin_s, field): value
                for path, begin_s, field, value in rows
                if (under is None or Path(os.fsdecode(path)).is_relative_to(under))
                and not any(map(Path(os.fsdecode(path)).is_relative_to, closed))
            }
            gone = old.keys() - new.keys()
            changed = {key: value for key, value in new.items() if old.get(key) != value}
            self._remove(origin, gone)
            self._put(origin, changed)
        return len(gone) + len(changed)

    def change(self, origin: str, gone: Iterable[tuple[Path, float, str]], notes: Iterable[Note]) -> None:
        """Take back what ``origin`` says of each of ``gone`` (path, begin_s, field), and add notes, over older ones of
        the same place and field. One transaction."""
        with transaction(self._db):
            self._remove(origin, ((os.fsencode(path), begin_s, field) for path, begin_s, field in gone))
            self._put(origin, {(os.fsencode(note.path), note.begin_s, note.field): note.value for note in notes})

    def put(self, origin: str, notes: Iterable[Note]) -> None:
        """``change`` that takes nothing back."""
        self.change(origin, (), notes)

    def remove(self, origin: str, keys: Iterable[tuple[Path, float, str]]) -> None:
        """``change`` that adds nothing."""
        self.change(origin, keys, ())

    def set_of(self, path: Path, origin: str, notes: Iterable[Note]) -> None:
        """Let ``notes`` be all that ``origin`` says of the file ``path``. Inside a transaction."""
        self._db.execute("DELETE FROM notes WHERE path = ? AND origin = ?", (os.fsencode(path), origin))
        self._put(origin, {(os.fsencode(path), note.begin_s, note.field): note.value for note in notes})

    def follow(self, path: Path) -> None:
        """Copy what was edited of the tracks at ``path`` from their other places, and from those of other tracks of
        the same recordings; what was edited here stays. Inside a transaction."""
        self._db.execute(
            "INSERT OR IGNORE INTO notes (path, begin_s, origin, field, value) "
            "SELECT here.path, here.begin_s, origin, field, value FROM places AS here "
            "JOIN tracks AS mine ON mine.id = here.track JOIN tracks AS same ON same.recording = mine.recording "
            "JOIN places AS there ON there.track = same.id "
            "JOIN notes ON notes.path = there.path AND notes.begin_s = there.begin_s AND origin = ? "
            "WHERE here.path = ? ORDER BY same.id = mine.id DESC, there.path",
            (EDIT, os.fsencode(path)),
        )

    def _put(self, origin: str, values: Mapping[tuple[bytes, float, str], str]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO notes (path, begin_s, origin, field, value) VALUES (?, ?, ?, ?, ?)",
            ((path, begin_s, origin, field, value) for (path, begin_s, field), value in values.items()),
        )

    def _remove(self, origin: str, keys: Iterable[tuple[bytes, float, str]]) -> None:
        self._db.executemany(
            "DELETE FROM notes WHERE path = ? AND begin_s = ? AND field = ? AND origin = ?",
            ((path, begin_s, field, origin) for path, begin_s, field in keys),
        )


def counting(said: Said) -> dict[str, tuple[str, str]]:
    """Field -> the value that counts, and its origin: of several origins the one that stands first in ``ORIGINS``."""
    chosen: dict[str, tuple[str, str]] = {}
    for origin in ORIGINS:
        for field, value in said.get(origin, {}).items():
            chosen.setdefault(field, (value, origin))
    return chosen
