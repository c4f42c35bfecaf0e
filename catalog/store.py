"""What is known of every file, track and segment, in SQLite; each track's clip embeddings lie in a file of their own.

A track is there from the moment its transaction commits. Its clip file is on the disk before that; so a run that is
killed, or a power cut, leaves a consistent catalogue, and at worst a clip file that no track owns. ``sweep`` removes
those, and drops tracks whose clip file was lost or damaged later, so that they are analysed again. Paths are stored as
bytes, because a file name need not be text.

Tables: ``tracks`` (one row per distinct sound: its analysis), ``segments`` (their vectors, a row a track), ``files``
(every known path, with a stamp that tells an unchanged file without reading it, and whether it was there the last
time), ``places`` (which part of which file holds which track, and its names there), ``notes`` (what is said of these
beside, see ``notes.py``), ``changes`` (which tracks changed, for catalogues that are open). Tracks of one recording
have one ``recording``.
"""

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .clips import clip_path, clip_rows, is_whole, remove_others, write_clips
from .database import DATABASE, identity, is_read_whole, missing, open_to_read, open_to_write, transaction
from .described import described
from .energy import energy_of
from .notes import TAGS, Note, Notes
from .packing import blob, floats, pack_key, pack_outline, unpack_outline
from .records import Analysis, Floats, Outline, Track, TrackKey
from .succession import Sounds

NONE: Final[Mapping[str, str]] = {}
# The tracks whose segments fit together: their sizes are known without reading them.
_FITTING: Final = (
    "SELECT track FROM segments WHERE {} length(first_clips) > 0 AND length(first_clips) % 4 = 0 "
    "AND length(starts) = length(first_clips) AND length(borders) = length(first_clips) "
    "AND (moods IS NULL OR length(moods) = 3 * length(first_clips))"
)


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Tells whether a file is unchanged, without reading it."""

    size: int
    mtime_ns: int
    beside: str = ""  # the same of the cue sheet beside it


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A path as of the last run: the ids of the tracks that it held, and whether it has been absent since."""

    stamp: FileStamp
    missing: bool
    tracks: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A track to keep. ``analysis`` None: it is in the catalogue already, and only its place and names are new."""

    track: Track
    analysis: Analysis | None = None
    note: str = ""
    lossless: bool = False
    sketch: bytes = b""  # to recognise the same recording, see ``sketch.py``
    backwards: bytes = b""  # the sketch of the track played backwards; not kept
    said: tuple[tuple[str, str], ...] = ()  # what the file's tags say beside: field and value of a note


@dataclass(frozen=True, slots=True, eq=False)
class StoredTrack:
    """A track and what a search needs of it: beats (m,) seconds, rhythm (clips, 3); clips (clips, C) stay on disk."""

    track: Track
    beats: Floats
    rhythm: Floats
    clips: str  # the name of its clip file
    lossless: bool
    recording: str
    outline: Outline | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StoredSegments:
    """The segments of some tracks, those of a track together: ``tracks`` by id, ``counts`` (tracks,) of their rows;
    the arrays have one row a segment."""

    tracks: list[str]
    counts: NDArray[np.int64]
    first_clips: NDArray[np.int64]
    starts_s: Floats  # NaN: no start there
    borders: Floats
    vectors: Floats  # (rows, E)
    moods: Floats | None  # (rows, 3); None where a track has none


class Store:
    """One connection, for one thread. ``write=False`` needs no write access to the folder."""

    def __init__(self, folder: Path, write: bool) -> None:
        self.folder = folder
        self._stack = ExitStack()
        path = folder / DATABASE
        self._db: sqlite3.Connection = open_to_write(path) if write else self._stack.enter_context(open_to_read(path))
        self.notes = Notes(self._db)
        self.sounds = Sounds(self._db)

    def close(self) -> None:
        self._db.close()
        self._stack.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Reads inside see one state, whatever an indexer commits meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    # -- reading

    def tracks(self, ids: Collection[str] | None = None) -> list[StoredTrack]:
        """The tracks of files that are present (of ``ids``, if these are given), by id, each with the names at its
        first path and with what is noted of it there."""
        rows = self._db.execute(
            "SELECT track, title, artist, path, duration_s, tempo_bpm, licence, tags, begin_s, end_s, tagged_lufs, "
            "tagged_peak_db, beats, rhythm, clips, lossless, recording, outline, loudness, peaks, sections, downbeats, "
            "onsets, vocals, musical_key, energy FROM places JOIN files USING (path) JOIN tracks ON tracks.id = track "
            f"WHERE NOT missing {_among('track', ids)} ORDER BY track, path, begin_s",
            _named(ids),
        )
        said = self.notes.all() if ids is None else self.notes.of_tracks(ids)
        by_id: dict[str, StoredTrack] = {}
        for id, title, artist, path, length, bpm, licence, tags, begin_s, end_s, lufs, peak_db, *rest in rows:
            if id not in by_id:
                words = tuple(json.loads(tags))
                beats, rhythm, clips, lossless, recording, *packed_outline, packed_key, energy = rest
                outline = unpack_outline(packed_outline, packed_key)
                key = None if outline is None else outline.key
                vocals = None if outline is None or outline.vocals is None else float(outline.vocals.mean()) / 100.0
                track = Track(
                    id, title, artist, _path(path), length, bpm, licence, words, begin_s, end_s, lufs, peak_db, vocals,
                    heard_key="" if key is None else key.name, key_confidence=0.0 if key is None else key.confidence,
                    energy=energy_of(outline) if energy is None else energy,
                )  # fmt: skip
                by_id[id] = StoredTrack(
                    described(track, said.get((track.path, begin_s), {})),
                    floats(beats),
                    floats(rhythm).reshape(-1, 3),
                    clips,
                    bool(lossless),
                    recording,
                    outline,
                )
        return list(by_id.values())

    def segments(self, dim: int, ids: Collection[str] | None = None) -> StoredSegments:
        """All segments (of the tracks ``ids``, if these are given), with vectors of ``dim`` numbers."""
        rows = self._db.execute(
            "SELECT track, first_clips, starts, borders, moods, vectors FROM segments "
            f"WHERE TRUE {_among('track', ids)} ORDER BY track",
            _named(ids),
        ).fetchall()
        tracks, firsts, starts, borders, moods, vectors = zip(*rows, strict=True) if rows else ((),) * 6
        return StoredSegments(
            list(tracks),
            np.array([len(first) // 4 for first in firsts], np.int64),
            np.frombuffer(b"".join(firsts), "<i4").astype(np.int64),
            floats(b"".join(starts)),
            floats(b"".join(borders)),
            floats(b"".join(vectors)).reshape(-1, dim),
            None if None in moods or not moods else floats(b"".join(moods)).reshape(-1, 3),
        )

    def files(self) -> dict[Path, KnownFile]:
        """Every path known."""
        tracks_of: dict[bytes, list[str]] = {}
        for path, track in self._db.execute("SELECT path, track FROM places ORDER BY path, begin_s"):
            tracks_of.setdefault(path, []).append(track)
        rows = self._db.execute("SELECT path, size, mtime_ns, beside, missing FROM files")
        return {
            _path(path): KnownFile(FileStamp(size, mtime_ns, beside), bool(missing), tuple(tracks_of.get(path, ())))
            for path, size, mtime_ns, beside, missing in rows
        }

    def places(self) -> list[tuple[Path, float]]:
        """Every place of a track: its file and where it begins there, in order."""
        rows = self._db.execute("SELECT path, begin_s FROM places ORDER BY path, begin_s")
        return [(_path(path), begin_s) for path, begin_s in rows]

    def places_of(self, id: str) -> list[tuple[Path, float]]:
        """The places of a track and of every other track of its recording."""
        rows = self._db.execute(
            "SELECT path, begin_s FROM places JOIN tracks ON tracks.id = track "
            "WHERE recording = (SELECT recording FROM tracks WHERE id = ?) ORDER BY path, begin_s",
            (id,),
        )
        return [(_path(path), begin_s) for path, begin_s in rows]

    def ids(self) -> set[str]:
        return {id for (id,) in self._db.execute("SELECT id FROM tracks")}

    def present(self) -> dict[str, str]:
        """Track -> recording, of the tracks of files that are present."""
        return dict(
            self._db.execute(
                "SELECT DISTINCT track, recording FROM places JOIN files USING (path) "
                "JOIN tracks ON tracks.id = track WHERE NOT missing"
            )
        )

    def places_of_tracks(self, ids: Collection[str] | None = None) -> dict[str, list[tuple[Path, float]]]:
        """Where each track of files that are present (of ``ids``, if these are given) is: the file, and where in it the
        track begins."""
        found: dict[str, list[tuple[Path, float]]] = {}
        rows = self._db.execute(
            "SELECT track, path, begin_s FROM places JOIN files USING (path) "
            f"WHERE NOT missing {_among('track', ids)} ORDER BY path, begin_s",
            _named(ids),
        )
        for track, path, begin_s in rows:
            found.setdefault(track, []).append((_path(path), begin_s))
        return found

    def identity(self) -> tuple[int, ...]:
        """Another one when the database was replaced, so that revisions tell nothing."""
        return identity(self.folder / DATABASE, self._db)

    def is_read_whole(self) -> bool:
        """Whether opening it again takes as long as reading everything, see ``database.py``."""
        return is_read_whole(self.folder / DATABASE, self._db)

    def revision(self) -> int:
        """Rises with every change of a track, of its names, its files or what is noted of it."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
        return 0 if row is None else int(row[0])

    def changed_since(self, revision: int) -> set[str] | None:
        """The ids of the tracks that changed, came or went since; None where that is too long ago to be known."""
        known, latest = self._db.execute("SELECT min(revision) FROM changes").fetchone()[0], self.revision()
        if revision > latest or (revision < latest and (known is None or revision < known - 1)):
            return None
        rows = self._db.execute("SELECT DISTINCT track FROM changes WHERE revision > ?", (revision,))
        return {id for (id,) in rows}

    def mates(self, ids: Collection[str]) -> set[str]:
        """The ids of all tracks of the recordings of ``ids``."""
        rows = self._db.execute(
            f"SELECT id FROM tracks WHERE recording IN (SELECT recording FROM tracks WHERE TRUE {_among('id', ids)})",
            _named(ids),
        )
        return {id for (id,) in rows}

    def knows(self, id: str) -> bool:
        """Whether a track, or a sound of one, is in the catalogue."""
        rows = self._db.execute(
            "SELECT 1 FROM tracks WHERE id = :id UNION SELECT 1 FROM sounds WHERE sound = :id", {"id": id}
        )
        return rows.fetchone() is not None

    def pulse_bpm(self, id: str) -> float:
        """The measured tempo of a track, 0 for none, whatever its tags say."""
        return float(self._db.execute("SELECT pulse_bpm FROM tracks WHERE id = ?", (id,)).fetchone()[0])

    def beats(self, path: Path) -> Floats:
        """The measured beats of the track that ``path`` begins with, s; none where it is not known."""
        row = self._db.execute(
            "SELECT beats FROM places JOIN tracks ON tracks.id = track WHERE path = ? AND begin_s = 0", (_bytes(path),)
        ).fetchone()
        return floats(b"" if row is None else row[0])

    def without_key(self) -> set[str]:
        """The tracks that were analysed before keys were measured."""
        return {id for (id,) in self._db.execute("SELECT id FROM tracks WHERE musical_key IS NULL")}

    def names(self, path: Path) -> list[Track]:
        """The tracks at ``path``, with the names there."""
        rows = self._db.execute(
            "SELECT track, title, artist, duration_s, tempo_bpm, licence, tags, begin_s, end_s, tagged_lufs, "
            "tagged_peak_db FROM places JOIN tracks ON tracks.id = track WHERE path = ? ORDER BY begin_s",
            (_bytes(path),),
        )
        return [
            Track(id, title, artist, path, length, bpm, licence, tuple(json.loads(tags)), *rest)
            for id, title, artist, length, bpm, licence, tags, *rest in rows
        ]

    # -- is it whole

    def check(self) -> list[str]:
        """What the database itself finds wrong."""
        rows = [text for (text,) in self._db.execute("PRAGMA integrity_check") if text != "ok"]
        keys = self._db.execute("PRAGMA foreign_key_check").fetchall()
        rows += [f"a row of {table} belongs to no row of {parent}" for table, _, parent, _ in keys]
        return rows + [f"its {kind} {name} is gone" for kind, name in missing(self._db)]

    def clip_files(self) -> dict[str, tuple[str, int]]:
        """Of every track the name of its clip file, and how many clips it has."""
        rows = self._db.execute("SELECT id, clips, length(rhythm) / 12 FROM tracks ORDER BY id")
        return {id: (name, clips) for id, name, clips in rows}

    def vectors(self, dim: int) -> Iterator[tuple[str, Floats]]:
        """(track, vectors (k, ``dim``)) of each track, one after another; (0, ``dim``) where what is kept of its
        segments does not fit together."""
        rows = self._db.execute(
            "SELECT track, vectors, length(first_clips), length(starts), length(borders), length(moods) FROM segments "
            "ORDER BY track"
        )
        for track, vectors, size, starts, borders, moods in rows:
            whole = starts == borders == size and moods in (None, 3 * size) and len(vectors) == size * dim
            yield track, floats(vectors if whole else b"").reshape(-1, dim)

    # -- writing

    def put(
        self, path: Path, stamp: FileStamp, entries: Sequence[Entry], successions: Mapping[str, str] = NONE
    ) -> set[str]:
        """Set the tracks of ``path`` to ``entries``, in order; drops the tracks that no path holds now and returns
        their ids.

        An entry without an analysis must be of a track that is in the catalogue. ``successions``: entries that take
        over from a track whose files are gone, its id by theirs (see ``succession.py``).
        """
        new = {entry.track.id: entry for entry in entries if entry.analysis and not self.knows(entry.track.id)}
        clips = {
            id: write_clips(self.folder, id, clip_rows(entry.analysis)) for id, entry in new.items() if entry.analysis
        }
        with transaction(self._db):
            self._put_file(path, stamp)
            for id, name in clips.items():
                self._add(new[id], name)
            self._db.execute("DELETE FROM places WHERE path = ?", (_bytes(path),))
            self._db.executemany(
                "INSERT INTO places (path, begin_s, end_s, track, title, artist, licence, tags, tempo_bpm, "
                "tagged_lufs, tagged_peak_db) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (_place(path, entry.track) for entry in entries),
            )
            own = [Note(path, entry.track.begin_s, *pair) for entry in entries for pair in entry.said]
            self.notes.set_of(path, TAGS, own)
            self.notes.follow(path)
            for id, former in successions.items():
                self.sounds.join(former, id)
                self.notes.follow(path)
                self.sounds.hand_over(former, id)
            return self._drop_unplaced()

    def set_key(self, id: str, key: TrackKey | None) -> None:
        """Keep a track's measured key; None: nothing in it has a pitch."""
        with transaction(self._db):
            self._db.execute("UPDATE tracks SET musical_key = ? WHERE id = ?", (pack_key(key), id))

    def fill_energies(self) -> None:
        """Note the energy of tracks that were analysed before it was kept: it follows from what is kept of them."""
        rows = self._db.execute(
            "SELECT id, outline, loudness, peaks, sections, downbeats, onsets, vocals FROM tracks "
            "WHERE energy IS NULL AND outline IS NOT NULL"
        ).fetchall()
        with transaction(self._db):
            self._db.executemany(
                "UPDATE tracks SET energy = ? WHERE id = ?",
                ((energy_of(unpack_outline(packed)), id) for id, *packed in rows),
            )

    def miss(self, paths: Iterable[Path], missing: bool = True) -> None:
        """Mark files as missing (or as back): their tracks stay, but ``tracks`` leaves them out until they are back."""
        with transaction(self._db):
            self._db.executemany(
                "UPDATE files SET missing = ? WHERE path = ?", ((int(missing), _bytes(path)) for path in paths)
            )

    def forget(self, paths: Iterable[Path]) -> set[str]:
        """Drop paths, and the tracks that no path holds any more; returns the ids of these."""
        with transaction(self._db):
            self._db.executemany("DELETE FROM files WHERE path = ?", ((_bytes(path),) for path in paths))
            return self._drop_unplaced()

    def forget_moved(self) -> None:
        """Drop missing paths whose tracks are all at other, present paths too: the files were moved."""
        with transaction(self._db):
            self._db.execute(
                "DELETE FROM files WHERE missing AND NOT EXISTS (SELECT 1 FROM places AS mine "
                "WHERE mine.path = files.path AND NOT EXISTS (SELECT 1 FROM places AS other JOIN files AS there "
                "ON there.path = other.path WHERE other.track = mine.track AND NOT there.missing))"
            )

    def sweep(self, width: int, dim: int | None = None) -> set[str]:
        """Remove clip files that no track owns, and drop the tracks whose own is lost, cut short or not ``width`` wide,
        and those whose segments are lost or do not fit together (with vectors of ``dim`` numbers).

        Returns the ids of these; the files that held them count as changed, so that they are analysed again.
        """
        rows = self._db.execute("SELECT id, clips, length(rhythm) / 12 FROM tracks").fetchall()
        lost = {id for id, name, clips in rows if not is_whole(clip_path(self.folder, name), clips, width)}
        fit = f"length(vectors) = length(first_clips) * {dim} AND" if dim is not None else ""
        lost |= {id for (id,) in self._db.execute(f"SELECT id FROM tracks WHERE id NOT IN ({_FITTING.format(fit)})")}
        with transaction(self._db):
            for id in lost:
                self._db.execute(
                    "UPDATE files SET size = -1 WHERE path IN (SELECT path FROM places WHERE track = ?)", (id,)
                )
                self._db.execute("DELETE FROM tracks WHERE id = ?", (id,))
        remove_others(self.folder, {name for id, name, _ in rows if id not in lost})
        return lost

    def sweep_files(self) -> None:
        """Remove clip files that no track owns."""
        remove_others(self.folder, {name for (name,) in self._db.execute("SELECT clips FROM tracks")})

    # -- one recording in several files

    def sketches(self, duration_s: float, within_s: float) -> list[tuple[str, str, bytes]]:
        """(id, recording, sketch) of every track of about that length, by id."""
        rows = self._db.execute(
            "SELECT id, recording, sketch FROM tracks WHERE duration_s BETWEEN ? AND ? ORDER BY id",
            (duration_s - within_s, duration_s + within_s),
        )
        return [(id, recording, sketch) for id, recording, sketch in rows]

    def join_recordings(self, id: str, others: Collection[str]) -> None:
        """Make a track and all tracks of the recordings ``others`` one recording."""
        name = min(others)
        with transaction(self._db):
            self._db.execute("UPDATE tracks SET recording = ? WHERE id = ?", (name, id))
            self._db.executemany(
                "UPDATE tracks SET recording = ? WHERE recording = ?", ((name, other) for other in others)
            )
            rows = self._db.execute("SELECT path FROM places JOIN tracks ON id = track WHERE recording = ?", (name,))
            for (path,) in rows.fetchall():
                self.notes.follow(_path(path))

    # -- inside a transaction

    def _put_file(self, path: Path, stamp: FileStamp) -> None:
        self._db.execute(
            "INSERT INTO files (path, size, mtime_ns, beside, missing) VALUES (?, ?, ?, ?, 0) ON CONFLICT (path) "
            "DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, beside = excluded.beside, missing = 0",
            (_bytes(path), stamp.size, stamp.mtime_ns, stamp.beside),
        )

    def _add(self, entry: Entry, clips: str) -> None:
        analysis, id = entry.analysis, entry.track.id
        assert analysis is not None
        self._db.execute(
            "INSERT INTO tracks (id, duration_s, pulse_bpm, note, beats, rhythm, clips, lossless, sketch, recording, "
            "outline, loudness, peaks, sections, downbeats, onsets, vocals, musical_key, energy) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (id, analysis.duration_s, analysis.tempo_bpm, entry.note, blob(analysis.beats), blob(analysis.rhythm),
             clips, int(entry.lossless), entry.sketch, id, *pack_outline(analysis.outline),
             pack_key(None if analysis.outline is None else analysis.outline.key), energy_of(analysis.outline)),
        )  # fmt: skip
        borders = np.zeros(len(analysis.first_clips)) if analysis.borders is None else analysis.borders
        first_clips = analysis.first_clips.astype("<i4").tobytes()
        arrays = (blob(analysis.starts_s), blob(borders), None if analysis.moods is None else blob(analysis.moods))
        self._db.execute(
            "INSERT INTO segments (track, first_clips, starts, borders, moods, vectors) VALUES (?, ?, ?, ?, ?, ?)",
            (id, first_clips, *arrays, blob(analysis.vectors)),
        )

    def _drop_unplaced(self) -> set[str]:
        gone = {id for (id,) in self._db.execute("SELECT id FROM tracks WHERE id NOT IN (SELECT track FROM places)")}
        self._db.executemany("DELETE FROM tracks WHERE id = ?", ((id,) for id in gone))
        return gone


def _among(column: str, ids: Collection[str] | None) -> str:
    """A condition that ``column`` is one of ``ids``, which ``_named`` gives as a value; nothing for None."""
    return "" if ids is None else f"AND {column} IN (SELECT value FROM json_each(?))"


def _named(ids: Collection[str] | None) -> tuple[str, ...]:
    return () if ids is None else (json.dumps(sorted(ids)),)


def _place(path: Path, track: Track) -> tuple[object, ...]:
    words = json.dumps(track.tags, ensure_ascii=False)
    return (_bytes(path), track.begin_s, track.end_s, track.id, track.title, track.artist, track.licence, words,
            track.tempo_bpm, track.tagged_lufs, track.tagged_peak_db)  # fmt: skip


def _bytes(path: Path) -> bytes:
    return os.fsencode(path)


def _path(stored: bytes) -> Path:
    return Path(os.fsdecode(stored))
