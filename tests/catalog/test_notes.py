"""The table of notes: a catalogue of the schema before gets it without an analysis; edits go along with the sound."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.database import DATABASE
from catalog.notes import EDIT, ORIGINS, Note, counting
from catalog.records import Analysis, Track
from catalog.store import Store
from catalog.stored import Entry, FileStamp

STAMP = FileStamp(10, 20)
# As the program before wrote it.
SCHEMA_5 = """
CREATE TABLE tracks (
    id TEXT PRIMARY KEY, duration_s REAL NOT NULL, pulse_bpm REAL NOT NULL, note TEXT NOT NULL,
    beats BLOB NOT NULL, rhythm BLOB NOT NULL, clips TEXT NOT NULL,
    lossless INTEGER NOT NULL, sketch BLOB NOT NULL, recording TEXT NOT NULL,
    outline TEXT, loudness BLOB, peaks BLOB, sections BLOB, downbeats BLOB, onsets BLOB, vocals BLOB
);
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
INSERT INTO tracks (id, duration_s, pulse_bpm, note, beats, rhythm, clips, lossless, sketch, recording)
    VALUES ('aa', 20.0, 60.0, '', x'', zeroblob(12), 'aa-1.npy', 0, x'', 'aa');
INSERT INTO segments VALUES ('aa', 0, 0, 0.0, 0.0, x'0000803f00000000', NULL);
INSERT INTO files VALUES (CAST('/m/a.ogg' AS BLOB), 10, 20, '', 0);
INSERT INTO places VALUES (CAST('/m/a.ogg' AS BLOB), 0.0, NULL, 'aa', 'A', 'B', 'CC0-1.0', '["x"]', 60.0, NULL, NULL);
PRAGMA user_version = 5;
"""


def analysis(seconds: float = 20.0) -> Analysis:
    ones = np.ones((5, 3), np.float32)
    return Analysis(seconds, 60.0, np.zeros(0, np.float32), ones, ones, np.arange(2), np.zeros(2, np.float32), ones[:2],
                    None)  # fmt: skip


def entry(id: str, path: Path, known: bool = False) -> Entry:
    return Entry(Track(id, id, "", path, 20.0, 60.0, "", ()), None if known else analysis())


def edited(store: Store, path: str) -> dict[str, str]:
    return store.notes.all().get((Path(path), 0.0), {}).get(EDIT, {})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path, write=True)) as store:
        yield store


def make_older(folder: Path) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.executescript(SCHEMA_5)


def shape(folder: Path) -> tuple[int, dict[str, list[str]]]:
    """The schema's number and the text of its tables."""
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return db.execute("PRAGMA user_version").fetchone()[0], {name: sql.split() for name, sql in rows}


def test_a_catalogue_of_the_schema_before_is_brought_up_to_this_one(tmp_path: Path) -> None:
    make_older(tmp_path)
    with closing(Store(tmp_path, write=True)) as store:
        assert [stored.track.title for stored in store.tracks()] == ["A"]
        assert store.segments(2).vectors.tolist() == [[1.0, 0.0]]
        assert store.notes.all() == {}
        store.notes.put(EDIT, [Note(Path("/m/a.ogg"), 0.0, "licence", "CC-BY-4.0")])
        assert store.files()[Path("/m/a.ogg")].stamp.size == -1  # its tags are read again, its sound is not analysed
    with closing(Store(tmp_path, write=True)) as store:
        assert edited(store, "/m/a.ogg") == {"licence": "CC-BY-4.0"}
    (tmp_path / "new").mkdir()
    Store(tmp_path / "new", write=True).close()
    assert shape(tmp_path) == shape(tmp_path / "new")


def test_a_reader_reads_the_schema_before_and_leaves_it(tmp_path: Path) -> None:
    make_older(tmp_path)
    before = (tmp_path / DATABASE).read_bytes()
    with closing(Store(tmp_path, write=False)) as store, store.snapshot():
        assert [stored.track.title for stored in store.tracks()] == ["A"]
        assert store.segments(2).vectors.tolist() == [[1.0, 0.0]] and store.segments(2).starts_s.tolist() == [0.0]
        assert store.notes.all() == {} and store.revision() == 0
    assert (tmp_path / DATABASE).read_bytes() == before


def test_a_step_that_fails_leaves_the_older_schema(tmp_path: Path) -> None:
    make_older(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("CREATE TRIGGER full BEFORE UPDATE ON files BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        db.commit()
    with pytest.raises(sqlite3.IntegrityError, match="disk full"):
        Store(tmp_path, write=True)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (5,)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'notes'").fetchone() == (0,)


def test_notes_of_an_origin_are_replaced_below_a_folder(store: Store) -> None:
    inside, outside = Path("/m/a.ogg"), Path("/n/a.ogg")
    store.notes.put("sidecar", [Note(inside, 0.0, "licence", "X"), Note(outside, 0.0, "licence", "Y")])
    store.notes.put(EDIT, [Note(inside, 0.0, "licence", "Z")])
    assert store.notes.replace("sidecar", [Note(inside, 0.0, "source", "S")], under=Path("/m")) == 2
    assert store.notes.replace("sidecar", [Note(inside, 0.0, "source", "S")], under=Path("/m")) == 0
    assert store.notes.all() == {
        (inside, 0.0): {"sidecar": {"source": "S"}, EDIT: {"licence": "Z"}},
        (outside, 0.0): {"sidecar": {"licence": "Y"}},
    }
    assert store.notes.replace("sidecar", [], Path("/m"), [Path("/m")]) == 0  # nobody knows what is said there now
    assert store.notes.replace("sidecar", [], Path("/"), [Path("/m/sub")]) == 2
    store.notes.put("sidecar", [Note(inside, 0.0, "source", "S"), Note(outside, 0.0, "licence", "Y")])
    store.notes.remove(EDIT, [(inside, 0.0, "licence")])
    assert store.notes.replace("sidecar", []) == 2
    assert store.notes.all() == {}


def test_names_that_are_no_text_have_notes(store: Store) -> None:
    odd = Path("/m/\udcff.ogg")
    store.notes.put(EDIT, [Note(odd, 1.5, "licence", "X")])
    assert list(store.notes.all()) == [(odd, 1.5)]


def test_the_first_origin_counts() -> None:
    said = {origin: {"licence": origin, origin: "only here"} for origin in ORIGINS}
    chosen = counting(said)
    assert chosen["licence"] == (EDIT, EDIT)
    assert all(chosen[origin] == ("only here", origin) for origin in ORIGINS)


def test_an_edit_goes_along_when_the_file_is_moved_or_copied(store: Store) -> None:
    a, b, c = Path("/m/a.ogg"), Path("/m/b.ogg"), Path("/m/c.ogg")
    store.put(a, STAMP, [entry("aa", a)])
    store.notes.put(EDIT, [Note(a, 0.0, "licence", "X")])
    store.put(b, STAMP, [entry("aa", b, known=True)])
    store.miss([a])
    store.forget_moved()
    assert list(store.files()) == [b]
    assert edited(store, "/m/b.ogg") == {"licence": "X"}
    store.notes.put(EDIT, [Note(b, 0.0, "licence", "Y")])
    store.put(c, STAMP, [entry("aa", c, known=True)])
    store.put(c, replace(STAMP, size=11), [entry("aa", c, known=True)])
    assert edited(store, "/m/c.ogg") == {"licence": "Y"}


def test_an_edit_is_of_the_recording(store: Store) -> None:
    a, b = Path("/m/a.mp3"), Path("/m/b.flac")
    store.put(a, STAMP, [entry("aa", a)])
    store.notes.put(EDIT, [Note(a, 0.0, "licence", "X")])
    store.put(b, STAMP, [entry("bb", b)])
    assert edited(store, "/m/b.flac") == {}
    store.join_recordings("bb", {"aa"})
    assert edited(store, "/m/b.flac") == {"licence": "X"}


def test_a_refusal_is_of_the_recording_and_of_its_origin(store: Store) -> None:
    a, b, c = Path("/m/a.mp3"), Path("/m/b.flac"), Path("/m/c.flac")
    for id, path in (("aa", a), ("bb", b), ("cc", c)):
        store.put(path, STAMP, [entry(id, path)])
    store.join_recordings("bb", {"aa"})
    said = [Note(a, 0.0, "vod_ok", "no"), Note(b, 0.0, "vod_ok", "yes"), Note(b, 0.0, "live_ok", "yes")]
    store.notes.put("sidecar", [*said, Note(c, 0.0, "vod_ok", "yes")])
    store.notes.put("tags", [Note(b, 0.0, "live_ok", "no")])
    found = store.notes.all()
    assert found[b, 0.0] == {"sidecar": {"vod_ok": "no", "live_ok": "yes"}, "tags": {"live_ok": "no"}}
    assert found[a, 0.0] == {"sidecar": {"vod_ok": "no"}, "tags": {"live_ok": "no"}}
    assert found[c, 0.0] == {"sidecar": {"vod_ok": "yes"}}
    assert counting(found[b, 0.0])["live_ok"] == ("yes", "sidecar")  # a table counts before the file's own tags
    assert store.notes.contradictions("sidecar") == [(b, "vod_ok", a)]
    assert store.notes.of(b, "sidecar") == {0.0: {"vod_ok": "yes", "live_ok": "yes"}}  # what was said is kept as it was
