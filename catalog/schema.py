"""The tables of the catalogue's database, and the way from an older schema to this one."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from .packing import pack_segments

Step = Callable[[sqlite3.Connection], None]
SCHEMA_VERSION = 11
_NOTES = """
TABLE notes (
    path BLOB NOT NULL, begin_s REAL NOT NULL, origin TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (path, begin_s, origin, field)
) WITHOUT ROWID;
"""
# Which tracks changed, in order: what a catalogue that is open has to read again. The triggers see every writer.
CHANGES = (
    "CREATE TABLE changes (revision INTEGER PRIMARY KEY AUTOINCREMENT, track TEXT NOT NULL)",
    "CREATE INDEX tracks_by_recording ON tracks(recording)",
    *(
        f"CREATE TRIGGER {table}_{name} AFTER {event} ON {table} BEGIN "
        f"INSERT INTO changes (track) {source.format(row=row)}; END"
        for table, source in (
            ("tracks", "VALUES ({row}.id)"),
            ("places", "VALUES ({row}.track)"),
            ("notes", "SELECT track FROM places WHERE path = {row}.path"),
        )
        for name, event, row in (("come", "INSERT", "NEW"), ("differ", "UPDATE", "NEW"), ("go", "DELETE", "OLD"))
    ),
    "CREATE TRIGGER files_differ AFTER UPDATE OF missing ON files WHEN OLD.missing <> NEW.missing BEGIN "
    "INSERT INTO changes (track) SELECT track FROM places WHERE path = NEW.path; END",
)
# A track's segments in one row: a million rows take seconds to read. int32, then float32 (NaN: no start there).
_SEGMENTS = """
TABLE segments (
    track TEXT PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE,
    first_clips BLOB NOT NULL, starts BLOB NOT NULL, borders BLOB NOT NULL, moods BLOB, vectors BLOB NOT NULL
)
"""
# Sounds that are of a track in another encoding than the one that its id is of: see ``succession.py``. They stay when a
# track is dropped to be analysed again.
_SOUNDS = "TABLE sounds (sound TEXT PRIMARY KEY, track TEXT NOT NULL) WITHOUT ROWID"
_SOUNDS_BY_TRACK = "CREATE INDEX sounds_by_track ON sounds(track)"
# From an older schema to the next one, without analysing anything again. Tags that have become of use since are read
# when the folder is indexed the next time: no file has the size -1.
STEPS: Mapping[int, Sequence[str | Step]] = {
    5: (f"CREATE {_NOTES}", "UPDATE files SET size = -1"),
    6: ("ALTER TABLE tracks ADD COLUMN musical_key TEXT", "ALTER TABLE tracks ADD COLUMN energy REAL"),
    7: CHANGES,
    8: (
        "ALTER TABLE segments RENAME TO old_segments",
        f"CREATE {_SEGMENTS}",
        partial(pack_segments, "old_segments"),
        "DROP TABLE old_segments",
    ),
    9: (f"CREATE {_SOUNDS}", _SOUNDS_BY_TRACK),
    10: (
        "ALTER TABLE sounds RENAME TO old_sounds",
        f"CREATE {_SOUNDS}",
        "INSERT INTO sounds (sound, track) SELECT sound, track FROM old_sounds",
        "DROP TABLE old_sounds",
        _SOUNDS_BY_TRACK,
    ),
}
# What a reader, who changes nothing, lacks in an older schema: tables and views of its own connection, which go before
# those of the file.
STAND_INS: Mapping[int, Sequence[str | Step]] = {
    5: (f"CREATE TEMP {_NOTES}",),
    6: ("CREATE TEMP VIEW tracks AS SELECT *, NULL AS musical_key, NULL AS energy FROM main.tracks",),
    7: ("CREATE TEMP TABLE changes (revision INTEGER PRIMARY KEY AUTOINCREMENT, track TEXT NOT NULL)",),
    8: (f"CREATE TEMP {_SEGMENTS.replace(' REFERENCES tracks(id) ON DELETE CASCADE', '')}",
        partial(pack_segments, "main.segments")),
    9: (f"CREATE TEMP {_SOUNDS}",),
    10: (),
}  # fmt: skip
# Columns of later schemas stand where ALTER TABLE puts them.
SCHEMA = f"""
CREATE TABLE tracks (
    id TEXT PRIMARY KEY, duration_s REAL NOT NULL, pulse_bpm REAL NOT NULL, note TEXT NOT NULL,
    beats BLOB NOT NULL, rhythm BLOB NOT NULL, clips TEXT NOT NULL,
    lossless INTEGER NOT NULL, sketch BLOB NOT NULL, recording TEXT NOT NULL,
    outline TEXT, loudness BLOB, peaks BLOB, sections BLOB, downbeats BLOB, onsets BLOB, vocals BLOB
, musical_key TEXT, energy REAL);
CREATE INDEX tracks_by_duration ON tracks(duration_s);
CREATE {_SEGMENTS};
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
CREATE {_SOUNDS};
{_SOUNDS_BY_TRACK};
"""
