"""A track that comes back in another encoding, when the old file is gone, goes on: its id stays, and with it likes,
cues, rights and whatever else was said of it.

An id is of encoded sound (``identity.py``), so another encoding has another one. The table ``sounds`` notes which track
such a sound belongs to. A successor is what an encoder makes of a file and no more: a version, a remaster or a loop of
the same pack is another track, even where it counts as the same recording (``sketch.py``). It has the same length to
0.3 s, the same level in each band and in each second, and its sketch differs nowhere by more than what codecs do. As
long as the old file is there, both are tracks, and the summary tells of them.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from .packing import floats
from .records import Floats, Outline
from .sketch import Sketch, same_recording

SAME_LENGTH_S: Final = 0.3  # encoders' delays and padding; a cut is longer
SAME_BAND_DB: Final = 0.6
SAME_LEVEL_LU: Final = 0.7  # over the whole track
SAME_SECOND_LU: Final = 0.7  # of nine seconds in ten, beside that
AUDIBLE_LUFS: Final = -50.0  # softer seconds hold coders' noise
FEWEST_S: Final = 8  # seconds that a decision needs
_SHARE: Final = 90.0


@dataclass(frozen=True, slots=True)
class Former:
    """A track that may go on in another encoding."""

    id: str
    duration_s: float
    sketch: bytes
    loudness: Floats  # of each second


class Sounds:
    """Which sounds are of which tracks, by a connection to the catalogue's database; see ``Store.sounds``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def track_of(self, sound: str) -> str:
        """The id of the track that a sound is of; the sound's own where nothing else is known."""
        row = self._db.execute("SELECT track FROM sounds WHERE sound = ?", (sound,)).fetchone()
        return sound if row is None else str(row[0])

    def known(self) -> set[str]:
        """The ids of all sounds that need no analysis."""
        rows = self._db.execute(
            "SELECT id FROM tracks UNION SELECT sound FROM sounds WHERE track IN (SELECT id FROM tracks)"
        )
        return {id for (id,) in rows}

    def places_of(self, track: str) -> list[Path]:
        """The files that hold a track, those too that are missing."""
        rows = self._db.execute("SELECT path FROM places WHERE track = ? ORDER BY path", (track,))
        return [Path(os.fsdecode(path)) for (path,) in rows]

    def former(self, duration_s: float, path: Path) -> list[Former]:
        """The tracks of that length: the one at ``path`` first, then those that were there until now, of these the
        one that stood for its recording (see ``recordings.py``)."""
        rows = self._db.execute(
            "SELECT id, duration_s, sketch, loudness FROM tracks WHERE duration_s BETWEEN ? AND ? "
            "AND loudness IS NOT NULL ORDER BY id NOT IN (SELECT track FROM places WHERE path = ?), "
            "(SELECT min(missing) FROM places JOIN files USING (path) WHERE track = id), "
            "lossless DESC, duration_s DESC, id",
            (duration_s - SAME_LENGTH_S, duration_s + SAME_LENGTH_S, os.fsencode(path)),
        )
        return [Former(id, length_s, sketch, floats(loudness)) for id, length_s, sketch, loudness in rows]

    def join(self, old: str, new: str) -> None:
        """Let ``new`` be of the recording of ``old``, so that what is said of that goes along. Inside a transaction."""
        self._db.execute(
            "UPDATE tracks SET recording = (SELECT recording FROM tracks WHERE id = ?) WHERE id = ?", (old, new)
        )

    def hand_over(self, old: str, new: str) -> None:
        """Let the track ``new`` be the track ``old``, whose files are gone. Inside a transaction."""
        self._db.execute("PRAGMA defer_foreign_keys = ON")
        self._db.execute("DELETE FROM tracks WHERE id = ?", (old,))
        for table, column in (("tracks", "id"), ("segments", "track"), ("places", "track")):
            self._db.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (old, new))
        self._db.execute("INSERT OR REPLACE INTO sounds (sound, track) VALUES (?, ?)", (new, old))


def predecessor(
    sketch: bytes, outline: Outline, duration_s: float, former: Iterable[Former], is_gone: Callable[[str], bool]
) -> str | None:
    """The id of the track of ``former`` that this sound is another encoding of, the first of several; None for a sound
    that is new, or whose track ``is_gone`` does not hold for."""
    for track in former:
        if is_another_encoding(sketch, outline.loudness, duration_s, track) and is_gone(track.id):
            return track.id
    return None


def is_another_encoding(sketch: bytes, loudness: Floats, duration_s: float, other: Former) -> bool:
    """Whether a sound and a track are one master in two encodings; ``loudness`` (ceil(duration_s),) LUFS."""
    if not sketch or not other.sketch or abs(duration_s - other.duration_s) > SAME_LENGTH_S:
        return False
    ours, theirs = Sketch.of(sketch), Sketch.of(other.sketch)
    if np.abs(ours.levels - theirs.levels).max(initial=0.0) > SAME_BAND_DB:
        return False
    length = min(len(loudness), len(other.loudness))
    both = np.stack([loudness[:length], other.loudness[:length]])
    apart = np.diff(both[:, both.min(axis=0) > AUDIBLE_LUFS], axis=0)[0]
    if len(apart) < FEWEST_S or abs(float(np.median(apart))) > SAME_LEVEL_LU:
        return False
    if float(np.percentile(np.abs(apart - np.median(apart)), _SHARE)) > SAME_SECOND_LU:
        return False
    return same_recording(ours, theirs)
