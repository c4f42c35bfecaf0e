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
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from .clips import clip_path, clip_rows, is_whole, remove_others, write_clips
from .database import DATABASE, damaged, open_to_read, open_to_write, readable, transaction
from .energy import energy_of
from .faults import drop_orphans
from .notes import TAGS, Note, Notes
from .packing import blob, pack_key, pack_outline, unpack_outline
from .reading import Reader
from .records import Track, TrackKey
from .stored import Entry, FileStamp, path_bytes, path_of
from .succession import Sounds

NONE: Final[Mapping[str, str]] = {}


class Store(Reader):
    """One connection, for one thread. ``write=False`` needs no write access to the folder. Raises ``FormatError``."""

    def __init__(self, folder: Path, write: bool) -> None:
        self.folder = folder
        self._stack = ExitStack()
        path = folder / DATABASE
        try:
            with readable(folder):
                self._db = open_to_write(path) if write else self._stack.enter_context(open_to_read(path))
        except UnicodeDecodeError as error:  # of what SQLite says, which quotes names that are damaged
            raise damaged(folder, error) from error
        self.notes = Notes(self._db)
        self.sounds = Sounds(self._db)

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
            self._db.execute("DELETE FROM places WHERE path = ?", (path_bytes(path),))
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
                "UPDATE files SET missing = ? WHERE path = ?", ((int(missing), path_bytes(path)) for path in paths)
            )

    def forget(self, paths: Iterable[Path]) -> set[str]:
        """Drop paths, and the tracks that no path holds any more; returns the ids of these."""
        with transaction(self._db):
            self._db.executemany("DELETE FROM files WHERE path = ?", ((path_bytes(path),) for path in paths))
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
        and those of which the database keeps something that is damaged (with vectors of ``dim`` numbers).

        Returns the ids of these; the files that held them count as changed, so that they are analysed again. Rows that
        belong to no track go too.
        """
        owned = self.clip_files()
        lost = {id for id, (name, clips) in owned.items() if not is_whole(clip_path(self.folder, name), clips, width)}
        lost |= set() if dim is None else self.faults(dim).keys()
        with transaction(self._db):
            drop_orphans(self._db)
            for id in lost:
                self._db.execute(
                    "UPDATE files SET size = -1 WHERE path IN (SELECT path FROM places WHERE track = ?)", (id,)
                )
                self._db.execute("DELETE FROM tracks WHERE id = ?", (id,))
        remove_others(self.folder, {name for id, (name, _) in owned.items() if id not in lost})
        return lost

    def sweep_files(self) -> None:
        """Remove clip files that no track owns."""
        remove_others(self.folder, {name for (name,) in self._db.execute("SELECT clips FROM tracks")})

    # -- one recording in several files

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
                self.notes.follow(path_of(path))

    # -- inside a transaction

    def _put_file(self, path: Path, stamp: FileStamp) -> None:
        self._db.execute(
            "INSERT INTO files (path, size, mtime_ns, beside, missing) VALUES (?, ?, ?, ?, 0) ON CONFLICT (path) "
            "DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, beside = excluded.beside, missing = 0",
            (path_bytes(path), stamp.size, stamp.mtime_ns, stamp.beside),
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
        for table, column in (("sounds", "track"), ("tracks", "id")):
            self._db.executemany(f"DELETE FROM {table} WHERE {column} = ?", ((id,) for id in gone))
        return gone


def _place(path: Path, track: Track) -> tuple[object, ...]:
    words = json.dumps(track.tags, ensure_ascii=False)
    return (path_bytes(path), track.begin_s, track.end_s, track.id, track.title, track.artist, track.licence, words,
            track.tempo_bpm, track.tagged_lufs, track.tagged_peak_db)  # fmt: skip
