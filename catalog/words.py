"""Tracks by words: in their titles, artists, tags, moods, playlists and file names. SQLite's FTS5 does the search.

Letters count without case and accents (``Björk`` is found by ``bjork``), and anywhere in a word, in every script: the
tokens are trigrams. All words of a query must be there, in any order. A word of one or two characters has no trigram:
it is looked for in each text.
"""

import sqlite3
import threading
import unicodedata
from collections.abc import Iterable
from typing import Final

from .records import Track

MOST_CHARACTERS: Final = 200  # of a query; what is beyond is not read
TRIGRAM: Final = 3
WEIGHTS: Final = (8.0, 6.0, 2.0, 1.0)  # of a hit in the title, the artist, tags and the like, the file's name


class WordSearch:
    """Some tracks' words, in memory; any number of threads may search."""

    def __init__(self, tracks: Iterable[Track] = ()) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        # FTS5 itself folds case; accents are folded by us, since SQLite does that for trigrams from 3.45 on only.
        self._db.execute(
            "CREATE VIRTUAL TABLE words USING fts5(title, artist, tags, file, track UNINDEXED, tokenize = 'trigram')"
        )
        self._rows: dict[str, int] = {}
        self.change((), tracks)

    def change(self, gone: Iterable[str], tracks: Iterable[Track]) -> None:
        """Forget tracks by their ids, and know these instead of what was known of them."""
        new = {track.id: _texts(track) for track in tracks}
        with self._lock:
            rows = [(self._rows.pop(id),) for id in {*gone, *new} if id in self._rows]
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM words WHERE rowid = ?", rows)
            for id, texts in new.items():
                cursor = self._db.execute("INSERT INTO words VALUES (?, ?, ?, ?, ?)", (*texts, id))
                self._rows[id] = int(cursor.lastrowid or 0)
            self._db.execute("COMMIT")

    def search(self, text: str) -> list[str]:
        """The ids of all tracks that have every word of ``text``, the best first; none for a text without words."""
        words = list(dict.fromkeys(folded(text[:MOST_CHARACTERS]).split()))
        long = [word for word in words if len(word) >= TRIGRAM]
        short = [word for word in words if len(word) < TRIGRAM]
        if not words:
            return []
        conditions = ["words MATCH ?"] * bool(long)
        values = [" AND ".join(f'"{word.replace(chr(34), chr(34) * 2)}"' for word in long)] * bool(long)
        for word in short:  # by instr: LIKE on a table of trigrams misses some of these in SQLite before 3.41
            conditions.append("instr(title || ' ' || artist || ' ' || tags || ' ' || file, ?)")
            values.append(word)
        order = f"bm25(words, {', '.join(map(str, WEIGHTS))}), track" if long else "title, track"
        with self._lock:
            rows = self._db.execute(
                f"SELECT track FROM words WHERE {' AND '.join(conditions)} ORDER BY {order}",
                values,
            ).fetchall()
        return [track for (track,) in rows]

    def close(self) -> None:
        with self._lock:
            self._db.close()


def folded(text: str) -> str:
    """Without case, accents, zero characters, and what is no text (a lone surrogate, such as JSON may hold)."""
    apart = unicodedata.normalize("NFKD", text.encode("utf-8", "replace").decode().casefold())
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c))).replace("\0", "")


def _texts(track: Track) -> tuple[str, str, str, str]:
    more = " ".join((*track.tags, *track.moods, *track.playlists))
    return folded(track.title), folded(track.artist), folded(more), folded(track.path.name)
