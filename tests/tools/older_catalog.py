"""A catalogue's database as an earlier release had it."""

import sqlite3

import numpy as np


def to_schema(version: int, db: sqlite3.Connection) -> None:
    """Undo what came since 5 (no notes) or 6 (with them): keys and energies, the list of changes, a row a track for its
    segments."""
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    rows = db.execute("SELECT track, first_clips, starts, borders, moods, vectors FROM segments").fetchall()
    db.executescript(
        """
        DROP TABLE sounds; DROP TABLE segments; DROP TABLE changes; DROP INDEX tracks_by_recording;
        ALTER TABLE tracks DROP COLUMN musical_key; ALTER TABLE tracks DROP COLUMN energy;
        CREATE TABLE segments (
            track TEXT NOT NULL REFERENCES tracks(id) ON DELETE CASCADE, ordinal INTEGER NOT NULL,
            first_clip INTEGER NOT NULL, start_s REAL, border REAL NOT NULL, vector BLOB NOT NULL, mood BLOB,
            PRIMARY KEY (track, ordinal)
        ) WITHOUT ROWID;
        """
    )
    for track, firsts, starts, borders, moods, vectors in rows:
        count = len(firsts) // 4
        width = len(vectors) // count
        for i, (first, start, border) in enumerate(
            zip(np.frombuffer(firsts, "<i4"), np.frombuffer(starts, "<f4"), np.frombuffer(borders, "<f4"), strict=True)
        ):
            mood = None if moods is None else moods[i * 12 : (i + 1) * 12]
            values = (int(first), None if np.isnan(start) else float(start), float(border))
            db.execute(
                "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)",
                (track, i, *values, vectors[i * width : (i + 1) * width], mood),
            )
    if version < 6:
        db.execute("DROP TABLE notes")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
