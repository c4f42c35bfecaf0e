"""Reading what is known of every file, track and segment: the part of a ``Store`` that changes nothing.

A track whose rows are damaged is left out of what is read, with its cause, see ``whole.py``.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from .clips import clip_path
from .database import DATABASE, identity, is_read_whole, missing
from .described import described
from .energy import energy_of
from .faults import of_indexing, unread_paths
from .notes import Notes, Place, Said
from .packing import floats, unpack_outline
from .records import Floats, Track
from .stored import FileStamp, KnownFile, StoredSegments, StoredTrack, among, named, path_bytes, path_of
from .whole import (
    LEAN_COLUMNS,
    NO_SEGMENT,
    SEGMENT_COLUMNS,
    UNREADABLE,
    check_arrays,
    check_outline,
    check_track,
    segments_of,
    told,
)

BLOCK = 512  # tracks whose segments are looked at together


class Reader:
    """What a connection reads, for one thread."""

    folder: Path
    notes: Notes
    _db: sqlite3.Connection
    _stack: ExitStack

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

    def tracks(
        self, ids: Collection[str] | None = None, damaged: dict[str, str] | None = None, absent: bool = False
    ) -> list[StoredTrack]:
        """The tracks of files that are present (of ``ids``, if these are given), by id, each with the names at its
        first path and with what is noted of it there. ``absent``: those of other files too. ``damaged`` gets the tracks
        that are left out, and what of each is damaged."""
        rows = self._db.execute(
            "SELECT track, title, artist, path, duration_s, tempo_bpm, licence, tags, begin_s, end_s, tagged_lufs, "
            "tagged_peak_db, beats, rhythm, clips, lossless, recording, outline, loudness, peaks, sections, downbeats, "
            "onsets, vocals, musical_key, energy FROM places JOIN files USING (path) JOIN tracks ON tracks.id = track "
            f"WHERE {'TRUE' if absent else 'NOT missing'} {among('track', ids)} ORDER BY track, path, begin_s",
            named(ids),
        )
        said = self.notes.all() if ids is None else self.notes.of_tracks(ids)
        by_id: dict[str, StoredTrack] = {}
        faults: dict[str, str] = {}
        for row in rows:
            if (id := row[0]) not in by_id and id not in faults:
                try:
                    by_id[id] = _stored(row, said)
                except UNREADABLE as error:
                    faults[id] = f"what is kept of its {error} is damaged"
        if damaged is not None:
            damaged |= faults
        return list(by_id.values())

    def segments(
        self,
        dim: int,
        ids: Collection[str] | None = None,
        damaged: dict[str, str] | None = None,
        vectors: bool = True,
    ) -> StoredSegments:
        """All segments (of the tracks ``ids``, if these are given), with vectors of ``dim`` numbers, or without these.
        ``damaged`` gets the tracks whose segments are left out, and what of each is damaged."""
        columns = SEGMENT_COLUMNS if vectors else LEAN_COLUMNS
        rows = self._db.execute(
            f"SELECT {columns} WHERE typeof(track) = 'text' {among('track', ids)} ORDER BY track", named(ids)
        ).fetchall()
        found, faults = segments_of(rows, dim, lean=not vectors)
        if damaged is not None:
            damaged |= faults | damaged
        return found

    def files(self) -> dict[Path, KnownFile]:
        """Every path known."""
        tracks_of: dict[bytes, list[str]] = {}
        for path, track in self._db.execute("SELECT path, track FROM places ORDER BY path, begin_s"):
            tracks_of.setdefault(path, []).append(track)
        rows = self._db.execute("SELECT path, size, mtime_ns, beside, missing FROM files WHERE typeof(path) = 'blob'")
        return {
            path_of(path): KnownFile(FileStamp(size, mtime_ns, beside), bool(missing), tuple(tracks_of.get(path, ())))
            for path, size, mtime_ns, beside, missing in rows
        }

    def places(self) -> list[tuple[Path, float]]:
        """Every place of a track: its file and where it begins there, in order."""
        rows = self._db.execute("SELECT path, begin_s FROM places WHERE typeof(path) = 'blob' ORDER BY path, begin_s")
        return [(path_of(path), begin_s) for path, begin_s in rows]

    def places_of(self, id: str) -> list[tuple[Path, float]]:
        """The places of a track and of every other track of its recording."""
        rows = self._db.execute(
            "SELECT path, begin_s FROM places JOIN tracks ON tracks.id = track "
            "WHERE recording = (SELECT recording FROM tracks WHERE id = ?) ORDER BY path, begin_s",
            (id,),
        )
        return [(path_of(path), begin_s) for path, begin_s in rows]

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
            f"WHERE NOT missing {among('track', ids)} ORDER BY path, begin_s",
            named(ids),
        )
        for track, path, begin_s in rows:
            found.setdefault(track, []).append((path_of(path), begin_s))
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
            f"SELECT id FROM tracks WHERE recording IN (SELECT recording FROM tracks WHERE TRUE {among('id', ids)})",
            named(ids),
        )
        return {id for (id,) in rows}

    def knows(self, id: str) -> bool:
        """Whether a track, or a sound of one, is in the catalogue."""
        rows = self._db.execute(
            "SELECT 1 FROM tracks WHERE id = :id "
            "UNION SELECT 1 FROM sounds JOIN tracks ON tracks.id = track WHERE sound = :id",
            {"id": id},
        )
        return rows.fetchone() is not None

    def pulse_bpm(self, id: str) -> float:
        """The measured tempo of a track, 0 for none, whatever its tags say."""
        return float(self._db.execute("SELECT pulse_bpm FROM tracks WHERE id = ?", (id,)).fetchone()[0])

    def beats(self, path: Path) -> Floats:
        """The measured beats of the track that ``path`` begins with, s; none where it is not known."""
        row = self._db.execute(
            "SELECT beats FROM places JOIN tracks ON tracks.id = track WHERE path = ? AND begin_s = 0",
            (path_bytes(path),),
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
            (path_bytes(path),),
        )
        return [
            Track(id, title, artist, path, length, bpm, licence, tuple(json.loads(tags)), *rest)
            for id, title, artist, length, bpm, licence, tags, *rest in rows
        ]

    def sketches(self, duration_s: float, within_s: float) -> list[tuple[str, str, bytes]]:
        """(id, recording, sketch) of every track of about that length that has one, by id."""
        rows = self._db.execute(
            "SELECT id, recording, sketch FROM tracks WHERE duration_s BETWEEN ? AND ? AND length(sketch) > 0 "
            "ORDER BY id",
            (duration_s - within_s, duration_s + within_s),
        )
        return [(id, recording, sketch) for id, recording, sketch in rows]

    # -- is it whole

    def check(self) -> list[str]:
        """What the database itself finds wrong."""
        rows = [text for (text,) in self._db.execute("PRAGMA integrity_check") if text != "ok"]
        keys = self._db.execute("PRAGMA foreign_key_check").fetchall()
        rows += [f"a row of {table} belongs to no row of {parent}" for table, _, parent, _ in keys]
        rows += [f"{count} paths of files are damaged" for count in [unread_paths(self._db)] if count]
        return rows + [f"its {kind} {name} is gone" for kind, name in missing(self._db)]

    def clip_files(self) -> dict[str, tuple[str, int]]:
        """Of every track the name of its clip file, and how many clips it has."""
        rows = self._db.execute("SELECT id, clips, length(rhythm) / 12 FROM tracks ORDER BY id")
        return {id: (name if isinstance(name, str) else "", clips) for id, name, clips in rows}

    def count_segments(self) -> int:
        return int(self._db.execute("SELECT total(length(first_clips) / 4) FROM segments").fetchone()[0])

    def _whole_segments(self, dim: int, damaged: dict[str, str]) -> set[str]:
        """The tracks whose segments are whole; read a few at a time. ``damaged`` gets the others, and why."""
        moods, all_of_them = self._db.execute("SELECT count(moods), count(*) FROM segments").fetchone()
        rows = self._db.execute(f"SELECT {SEGMENT_COLUMNS} ORDER BY track")
        whole = set[str]()
        while block := rows.fetchmany(BLOCK):
            found, faults = segments_of(block, dim, 2 * moods > all_of_them)
            damaged |= faults | damaged
            whole.update(found.tracks)
        return whole

    def faults(self, dim: int) -> dict[str, str]:
        """Every track of which the database keeps something that is damaged, and what."""
        found: dict[str, str] = {}
        self.tracks(None, found, absent=True)
        found = of_indexing(self._db) | found
        held = self._whole_segments(dim, found)
        known = self.ids()
        none = dict.fromkeys(known - held, NO_SEGMENT)
        return none | {id: what for id, what in found.items() if id in known}


def _stored(row: Sequence[Any], said: Mapping[Place, Said]) -> StoredTrack:
    """A row of ``Reader.tracks``. Raises one of ``UNREADABLE``."""
    id, title, artist, path, length, bpm, licence, tags, begin_s, end_s, lufs, peak_db, *rest = row
    beats, rhythm, clips, lossless, recording, *packed_outline, packed_key, energy = rest
    with told("tags"):
        words = tuple(json.loads(tags))
    with told("outline"):
        outline = unpack_outline(packed_outline, packed_key)
        if outline is not None:
            check_outline(outline)
        energy = energy_of(outline) if energy is None else energy
        vocals = None if outline is None or outline.vocals is None else float(outline.vocals.mean()) / 100.0
    with told("clip file's name"):
        clip_path(Path(), clips)
    key = None if outline is None else outline.key
    track = Track(
        id, title, artist, path_of(path), length, bpm, licence, words, begin_s, end_s, lufs, peak_db, vocals,
        heard_key="" if key is None else key.name, key_confidence=0.0 if key is None else key.confidence,
        energy=energy,
    )  # fmt: skip
    check_track(track)
    with told("beats"):
        beats = floats(beats)
    with told("rhythm"):
        rhythm = floats(rhythm).reshape(-1, 3)
    check_arrays(beats=beats, rhythm=rhythm)
    with told("notes"):
        track = described(track, said.get((track.path, begin_s), {}))
    return StoredTrack(track, beats, rhythm, clips, bool(lossless), recording, outline)
