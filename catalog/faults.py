"""Damage that an indexer alone meets: names at every place of a track, its pulse, its sketch, its recording, and rows
that belong to nothing. A server does without these, so it plays such a track; see ``whole.py`` for what it needs.
"""

import json
import sqlite3
from typing import Any, Final

import numpy as np

from .packing import floats
from .records import Track
from .sketch import BITS
from .stored import path_of
from .whole import UNREADABLE, check_track, told

_LEVELS: Final = 4 * (BITS + 1)  # bytes in front of a sketch; behind them two for each word
_DAMAGED: Final = {
    "tempo": "typeof(pulse_bpm) <> 'real' OR abs(pulse_bpm) > 1e300",
    "recording": "typeof(recording) <> 'text'",
    "sketch": "typeof(sketch) <> 'blob' OR "
    f"(length(sketch) > 0 AND (length(sketch) < {_LEVELS} OR (length(sketch) - {_LEVELS}) % 2 <> 0))",
}
_SKETCHES: Final = (
    f"SELECT id, substr(sketch, 1, {_LEVELS}) FROM tracks WHERE typeof(sketch) = 'blob' AND length(sketch) >= {_LEVELS}"
)
# But for each track's first place, which ``Reader.tracks`` looks at.
_PLACES: Final = (
    "SELECT track, title, artist, path, 0.0, tempo_bpm, licence, tags, begin_s, end_s, tagged_lufs, tagged_peak_db "
    "FROM places WHERE EXISTS (SELECT 1 FROM places AS first WHERE first.track = places.track AND "
    "(first.path, first.begin_s) < (places.path, places.begin_s))"
)
_OF_NO_TRACK: Final = "track IS NULL OR track NOT IN (SELECT id FROM tracks)"
_OF_NO_FILE: Final = "path NOT IN (SELECT path FROM files)"


def of_indexing(db: sqlite3.Connection) -> dict[str, str]:
    """Every track of which something is damaged that only an indexer uses, and what."""
    found: dict[str, str] = {}
    for what, test in _DAMAGED.items():
        found |= {id: _text(what) for (id,) in db.execute(f"SELECT id FROM tracks WHERE {test}")}
    rows = db.execute(_SKETCHES).fetchall()
    levels = floats(b"".join(start for _, start in rows)).reshape(-1, BITS + 1)
    wrong = np.flatnonzero(~np.isfinite(levels).all(axis=1))
    found |= {rows[n][0]: _text("sketch") for n in wrong}
    for row in db.execute(_PLACES):
        try:
            _check_names(*row)
        except UNREADABLE as error:
            found[row[0]] = _text(error)
    return found


def _text(what: object) -> str:
    return f"what is kept of its {what} is damaged"


def unread_paths(db: sqlite3.Connection) -> int:
    """How many rows of files have a path that is none."""
    return int(db.execute("SELECT count(*) FROM files WHERE typeof(path) <> 'blob'").fetchone()[0])


def drop_orphans(db: sqlite3.Connection) -> None:
    """Drop rows whose id or path is none, or that belong to no track or no file; the files that they were of count as
    changed, so that they are read again. Inside a transaction."""
    db.execute("DELETE FROM tracks WHERE typeof(id) <> 'text'")
    db.execute("DELETE FROM files WHERE typeof(path) <> 'blob'")
    db.execute(f"DELETE FROM places WHERE {_OF_NO_TRACK} OR {_OF_NO_FILE}")
    db.execute(f"DELETE FROM segments WHERE {_OF_NO_TRACK}")
    db.execute("UPDATE files SET size = -1 WHERE path NOT IN (SELECT path FROM places)")


def _check_names(
    track: str, title: str, artist: str, path: bytes, length_s: float, bpm: float, licence: str, tags: str, *rest: Any
) -> None:
    with told("path"):
        where = path_of(path)
    with told("tags"):
        words = tuple(json.loads(tags))
    check_track(Track(track, title, artist, where, length_s, bpm, licence, words, *rest))
