"""A folder of music -> a catalogue that mirrors it.

Incremental by sound. A file whose size and time are known is not read; otherwise a hash of its encoded sound tells
whether the sound is known: then the file was renamed, copied or tagged anew, and nothing is analysed. Each file is
committed by itself, so an index that is interrupted goes on where it stopped. The analysis of a file that vanished is
kept: the file is marked as missing, and its tracks come back with it; tracks from other folders stay.
"""

import os
import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from engines.base import Engine
from features.beats import warm_up

from .beside import read_beside
from .closed import Closed
from .database import exclusive
from .errors import CatalogError, MusicFolderError
from .fields import usable
from .layout import (
    check_bundle,
    check_vacant,
    is_catalog,
    layout_of,
    read_layout,
    remove_catalog,
    remove_empty,
    write_layout,
)
from .libraries.bring import (
    Brought,
    bring_libraries,
    bring_playlists,
    forget_libraries,
    read_library,
    read_playlists,
)
from .libraries.m3u8 import PlaylistError, is_playlist
from .libraries.prepared import Library
from .needs import row_width
from .notes import SIDECAR, TAGS
from .pool import analyse_all
from .records import Track
from .scan import Scan, named_as_music, scan, scan_playlist
from .settling import CHANGED, WRITTEN, Settling
from .sketch import LENGTHS_S, Sketch, same_recording
from .store import Entry, FileStamp, Store
from .succession import predecessor
from .tags import one_line, tagged_tempo
from .worker import AnalysedFile, EngineSpec, FileTrack, Job, RejectedFile, analyse_file, own_engine

MAX_CONTRADICTIONS = 100  # between sidecars that are told
# Analyses files elsewhere: jobs, the engine's spec and the catalogue in, each path with its outcome out.
Analyse = Callable[[Iterator[Job], EngineSpec, Path], Generator[tuple[Path, AnalysedFile | RejectedFile]]]
Progress = Callable[[int, int, str], None]  # files done, files to analyse, what is going on


@dataclass(frozen=True, slots=True)
class FileNote:
    """A file and a note on it, such as why it failed."""

    path: Path
    text: str

    def line(self) -> str:
        """On one line, whatever the file's name holds."""
        return f"{printable(self.path)}: {self.text}"


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Counts of tracks; ``failed`` files, each with its reason; ``notes`` on files that were indexed nevertheless."""

    added: int
    refreshed: int  # a known path with new content
    removed: int  # missing ones that were to be forgotten
    unchanged: int
    failed: tuple[FileNote, ...]
    retagged: int = 0  # the same sound under other names
    renamed: int = 0
    recoded: int = 0  # the same track in another encoding, its old file gone: its id stays
    returned: int = 0  # were missing, are there again
    healed: int = 0  # analysed again, since what the catalogue kept of them was lost or damaged
    completed: int = 0  # whose key was measured afterwards, see ``refresh``
    incomplete: int = 0  # analysed by a version that measured no keys
    missing: int = 0  # in the catalogue, their files not there now: not suggested
    duplicates: int = 0  # files whose sound another file has as well
    copies: int = 0  # tracks of a recording that is suggested from another file
    skipped: int = 0  # files that are no music by their name or nature
    scores: int = 0  # trackers' modules, MIDI and the like, which hold no sound
    described: int = 0  # tracks of which sidecars say something
    notes: tuple[FileNote, ...] = ()
    changing: int = 0  # files that somebody is still writing: for the next time
    tracks: int = 0  # that can be suggested now, one a recording
    playlists: int = 0  # that name a file here
    prepared: int = 0  # files that a library knows


def index_folder(
    music: Path,
    catalog: Path,
    engine: Engine,
    jobs: int,
    progress: Progress,
    spec: EngineSpec | None = None,
    forget_missing: bool = False,
    libraries: Sequence[Path | Library] = (),
    forget_libraries: bool = False,
    refresh: bool = False,
    analyse: Analyse | None = None,
    settle_s: float = 0.0,
) -> IndexReport:
    """Add and refresh until ``catalog`` holds what ``music`` does; makes the catalogue where there is none.
    ``music`` is a folder, or a playlist (M3U, M3U8) of files anywhere. ``libraries`` of other programs say more of the
    files (see ``libraries/``); ``forget_libraries`` drops what earlier ones said.

    ``jobs`` processes with an engine of their own each, opened as ``spec`` says (None: the bundle's on the CPU); 1
    works in this process with ``engine``, of which more processes need no more than the bundle. ``analyse``: what
    analyses the files instead (see ``dask_pool.on_cluster``). ``forget_missing``: tracks whose files are not in
    ``music`` any more leave the catalogue. ``refresh``: also measures what tracks lack that an older version analysed.
    ``settle_s``: how long a file must stay as it is before it is analysed (see ``settling.py``).
    Raises ``MusicFolderError`` for a folder that is missing or without files to try, unless the catalogue knows tracks
    of it, ``BundleMismatchError``, ``FormatError``, ``LockedError``, and what ``analyse`` raises. A catalogue that is
    new and would be empty is not left behind.
    """
    music, catalog = Path(os.path.realpath(music)), Path(os.path.realpath(catalog))
    scanned = _scan(music, catalog)
    opened = [read_library(library) if isinstance(library, Path) else library for library in libraries]
    if not scanned.files and not _holds(catalog, music):
        raise MusicFolderError(_no_music(music, scanned))
    spec = spec or EngineSpec(str(engine.bundle.path))
    try:
        if not is_catalog(catalog):
            check_vacant(catalog)
        with exclusive(catalog):
            new = not is_catalog(catalog)
            if new:
                write_layout(catalog, layout_of(engine.bundle))
            check_bundle(catalog, read_layout(catalog), engine.bundle)
            try:
                with closing(Store(catalog, write=True)) as store:
                    run = _Run(music, catalog, scanned, store, engine, spec, progress, refresh, analyse, settle_s)
                    report = run.report(max(1, jobs), forget_missing)
                    return _bring(report, music, scanned, store, opened, forget_libraries)
            finally:
                if new and _is_empty(catalog):
                    remove_catalog(catalog)
    except (OSError, sqlite3.OperationalError) as error:
        raise CatalogError(
            f"{catalog}: cannot be written ({error}); free some space or mend its permissions"
        ) from error
    finally:
        remove_empty(catalog)


def _holds(catalog: Path, music: Path) -> bool:
    """Whether there is a catalogue that knows files under ``music``."""
    if not is_catalog(catalog):
        return False
    read_layout(catalog)
    with closing(Store(catalog, write=False)) as store:
        return any(path.is_relative_to(music) for path in store.files())


def _scan(music: Path, catalog: Path) -> Scan:
    if music.is_dir():
        return scan(music, catalog)
    if not is_playlist(music):
        if music.exists():
            raise MusicFolderError(
                f"{printable(music)}: is not a folder; name a folder of music, or a playlist (.m3u8)"
            )
        return Scan()
    try:
        return scan_playlist(music, catalog)
    except PlaylistError as error:
        raise MusicFolderError(f"{printable(music)}: {error}; name a playlist of files, or a folder") from error


def _is_inside(path: Path, music: Path, scanned: Scan) -> bool:
    """Whether a file is of the music that is indexed; a playlist's are those that it names."""
    if scanned.listed is not None:
        return path in scanned.files or path in scanned.gone
    return path.is_relative_to(music)


def _bring(
    report: IndexReport, music: Path, scanned: Scan, store: Store, libraries: Sequence[Library], forget: bool
) -> IndexReport:
    """Note what playlists and libraries say of the files."""
    sizes = {path: known.stamp.size for path, known in store.files().items()}
    sizes |= {path: stamp.size for path, stamp in scanned.files.items()}
    brought = Brought()
    playlists = [scanned.listed] if scanned.listed else read_playlists(scanned.playlists, sizes, brought)
    bring_playlists(store, music, playlists, brought)
    if forget:
        forget_libraries(store, lambda path: _is_inside(path, music, scanned))
    if libraries:
        bring_libraries(store, libraries, sizes, lambda path: _is_inside(path, music, scanned), brought)
    notes = tuple(FileNote(path, text) for path, text in brought.notes)
    return replace(report, playlists=brought.playlists, prepared=brought.tracks, notes=report.notes + notes)


def _is_empty(catalog: Path) -> bool:
    with closing(Store(catalog, write=True)) as store:
        return not store.ids()


def _no_music(music: Path, scanned: Scan) -> str:
    if not music.exists():
        return f"{printable(music)}: no such folder; name a folder of music"
    if scanned.listed is not None:
        absent = "".join(f"; {note}" for note in scanned.listed.notes())
        return f"{printable(music)}: names no music that is here{absent}; nothing was changed"
    others = scanned.skipped + scanned.scores.total()
    scores = f"; {scores_text(scanned)}" if scanned.scores else ""
    return f"{printable(music)}: holds no music ({others} other files){scores}; nothing was changed"


def scores_text(scanned: Scan) -> str:
    """A note on files that hold notes rather than sound, and how to render them."""
    endings = ", ".join(f"{count} .{ending}" for ending, count in sorted(scanned.scores.items()))
    return (
        f"{endings} passed over: notes, not sound; render them to FLAC or WAV first "
        "(OpenMPT or openmpt123 for modules, FluidSynth for MIDI, VGMPlay or Audacious for chip music)"
    )


def lacking_text(tracks: int) -> str:
    """A note on tracks whose key nobody has measured."""
    which = "1 track was" if tracks == 1 else f"{tracks} tracks were"
    return f"{which} analysed before keys were measured; segue index --refresh does that alone, an hour in seconds"


class _Run:
    """One run's bookkeeping."""

    def __init__(
        self,
        music: Path,
        catalog: Path,
        scanned: Scan,
        store: Store,
        engine: Engine,
        spec: EngineSpec,
        progress: Progress,
        refresh: bool,
        analyse: Analyse | None = None,
        settle_s: float = 0.0,
    ) -> None:
        self._music, self._scanned, self._store, self._engine, self._progress = music, scanned, store, engine, progress
        self._spec, self._catalog, self._analyse = spec, catalog, analyse
        self._lost = store.sweep(row_width(engine.bundle), engine.bundle.manifest.embedding_dim)
        store.fill_energies()
        self._known = store.files()
        self._ids = store.ids()
        self._lacking = store.without_key()
        self._refresh = frozenset(self._lacking) if refresh else frozenset()
        self._settling = Settling(scanned.files, settle_s)
        self._changing: set[Path] = set()  # files that were read while somebody wrote them
        # A known track that is not among these can only have been renamed.
        self._in_place = {
            id
            for path, known in self._known.items()
            if (scanned.files.get(path) == known.stamp or not self._is_inside(path)) and not known.missing
            for id in known.tracks
        }
        names = "added refreshed unchanged retagged renamed recoded returned healed duplicates completed"
        self._counts = dict.fromkeys(names.split(), 0)
        self._skipped = scanned.skipped
        self._failed = [FileNote(path, reason) for path, reason in scanned.closed.items()]
        self._notes = [FileNote(path, text) for path, text in scanned.notes]
        self._bad: list[Path] = []  # known paths that hold nothing usable any more
        self._done = self._total = 0

    def report(self, jobs: int, forget_missing: bool) -> IndexReport:
        todo = [path for path, stamp in self._scanned.files.items() if not self._is_unchanged(path, stamp)]
        self._total = len(todo)
        if todo:
            self._progress(0, self._total, "getting ready (the first time on a machine takes a while)")
        with closing(self._outcomes(todo, min(jobs, len(todo)))) as outcomes:
            for path, outcome in outcomes:
                self._take(path, outcome)
        self._notes += [FileNote(path, WRITTEN) for path in self._settling.left]
        changed = [path for path in self._settling.changed_since(todo) if path not in self._changing]
        changed = [path for path in changed if path not in self._settling.left]
        self._notes += [FileNote(path, CHANGED) for path in changed]
        gone = self._absent(forget_missing)
        self._store.sweep_files()
        described = self._describe()
        present, known = self._store.present(), self._store.ids()
        recordings = len(set(present.values()))
        if self._scanned.scores:
            self._notes.append(FileNote(self._music, scores_text(self._scanned)))
        incomplete = len(self._lacking & present.keys())
        if incomplete:
            self._notes.append(FileNote(self._music, lacking_text(incomplete)))
        return IndexReport(
            **self._counts,
            removed=len(gone),
            failed=tuple(self._failed),
            missing=len(known) - len(present),
            copies=len(present) - recordings,
            incomplete=incomplete,
            skipped=self._skipped,
            scores=self._scanned.scores.total(),
            described=described,
            notes=tuple(self._notes),
            changing=len(self._settling.left) + len(self._changing) + len(changed),
            tracks=recordings,
        )

    def _is_inside(self, path: Path) -> bool:
        return _is_inside(path, self._music, self._scanned)

    def _is_unchanged(self, path: Path, stamp: FileStamp) -> bool:
        """Whether a file is as it was the last time; one that was marked as missing is back."""
        known = self._known.get(path)
        if known is None or known.stamp != stamp or not self._refresh.isdisjoint(known.tracks):
            return False
        if known.missing:
            self._store.miss([path], missing=False)
        self._counts["returned" if known.missing else "unchanged"] += len(known.tracks)
        return True

    def _absent(self, forget: bool) -> set[str]:
        """Mark the files that vanished or cannot be read any more; returns the ids that were forgotten."""
        closed = tuple(self._scanned.closed)
        absent = [
            path
            for path in self._known
            if self._is_inside(path) and path not in self._scanned.files and not any(map(path.is_relative_to, closed))
        ]
        self._store.miss(absent + self._bad)
        self._store.forget_moved()
        return self._store.forget(absent + self._bad) if forget else set()

    def _describe(self) -> int:
        """Note what sidecars say of the files, present or missing; returns of how many tracks they say anything. A
        playlist is not where its files are, so what the tables of their folders said stays; so does what was said in
        folders, and by tables, that cannot be read now."""
        if self._scanned.listed is not None:
            return 0
        hidden = tuple(self._scanned.closed)
        places = [
            (path, begin_s)
            for path, begin_s in self._store.places()
            if self._is_inside(path) and not any(map(path.is_relative_to, hidden))
        ]
        said = read_beside(self._music, self._scanned.sidecars, places)
        self._notes += [FileNote(path, text) for path, text in said.complaints]
        self._store.notes.replace(SIDECAR, said.notes, self._music, (*hidden, *said.closed))
        against = [it for it in self._store.notes.contradictions(SIDECAR) if any(map(self._is_inside, it[::2]))]
        self._notes += [
            FileNote(
                path, f"{field} is yes here, but no for {printable(other)}, which is the same music: the no counts"
            )
            for path, field, other in against[:MAX_CONTRADICTIONS]
        ]
        if len(against) > MAX_CONTRADICTIONS:
            self._notes.append(FileNote(self._music, f"and {len(against) - MAX_CONTRADICTIONS} more such tracks"))
        return len({(note.path, note.begin_s) for note in said.notes})

    def _outcomes(self, todo: list[Path], jobs: int) -> Generator[tuple[Path, AnalysedFile | RejectedFile]]:
        work = (
            Job(path, self._scanned.sheets.get(path), self._refresh_of(path)) for path in self._settling.in_order(todo)
        )
        if self._analyse is not None:
            yield from self._analyse(work, self._spec, self._catalog)
            return
        if jobs > 1:
            yield from analyse_all(work, self._spec, self._catalog, jobs)
            return
        for i, job in enumerate(work):
            if i == 0:
                warm_up()
            engine = own_engine(self._spec) if isinstance(self._engine, Closed) else self._engine
            yield job.path, analyse_file(job, engine, self._store.knows)

    def _refresh_of(self, path: Path) -> frozenset[str]:
        known = self._known.get(path)
        return frozenset() if known is None else self._refresh.intersection(known.tracks)

    def _take(self, path: Path, outcome: AnalysedFile | RejectedFile) -> None:
        self._done += 1
        if isinstance(outcome, RejectedFile):
            self._reject(path, outcome.reason, outcome.foreign, outcome.changing)
        else:
            self._keep(path, outcome)
        inside = path.is_relative_to(self._music)
        self._progress(self._done, self._total, printable(path.relative_to(self._music) if inside else path))

    def _keep(self, path: Path, analysed: AnalysedFile) -> None:
        notes = [*analysed.notes, *([analysed.damage] if analysed.damage else [])]
        self._notes += [FileNote(path, note) for note in notes]
        for file_track in analysed.tracks:
            if file_track.reason:
                self._failed.append(FileNote(path, f"track {file_track.part.tags.title!r} {file_track.reason}"))
        usable = [file_track for file_track in analysed.tracks if not file_track.reason]
        if not usable:
            self._reject(path, "holds no track that can be used")
            return
        entries = [self._entry(path, file_track, analysed) for file_track in usable]
        said = self._store.notes.of(path, TAGS)
        before = {track.id: (_names_of(track), said.get(track.begin_s, {})) for track in self._store.names(path)}
        successions = self._successions(path, entries)
        for entry in entries:
            self._count(path, entry, before, successions)
        self._store.put(path, self._scanned.files[path], entries, successions)
        entries = [replace(entry, track=replace(entry.track, id=successions.get(entry.track.id, entry.track.id)))
                   for entry in entries]  # fmt: skip
        for file_track in usable:
            if file_track.heard is not None and file_track.part.id in self._lacking:
                self._store.set_key(file_track.part.id, file_track.heard.key)
                self._lacking.discard(file_track.part.id)
                self._counts["completed"] += 1
        for entry in entries:
            if entry.analysis is not None and entry.track.id not in self._ids:
                self._join(entry)
            self._ids.add(entry.track.id)
            if entry.analysis is not None:
                self._lacking.discard(entry.track.id)
            self._in_place.add(entry.track.id)

    def _entry(self, path: Path, file_track: FileTrack, analysed: AnalysedFile) -> Entry:
        part, tags, analysis = file_track.part, file_track.part.tags, file_track.analysis
        id = self._store.sounds.track_of(part.id)
        measured_bpm = self._store.pulse_bpm(id) if analysis is None else analysis.tempo_bpm
        tempo_bpm = tagged_tempo(measured_bpm, tags.tempo_bpm)
        duration_s = 0.0 if analysis is None else analysis.duration_s  # kept with the analysis, not with the name
        track = Track(id, tags.title, tags.artist, path, duration_s, tempo_bpm, tags.licence, tags.genres,
                      part.begin_s, part.end_s, tags.lufs, tags.peak_db)  # fmt: skip
        return Entry(track, analysis, analysed.damage, analysed.lossless, file_track.sketch, file_track.backwards,
                     usable(tags.said))  # fmt: skip

    def _successions(self, path: Path, entries: Sequence[Entry]) -> dict[str, str]:
        """The new tracks of a file that go on with a track whose files are gone: its id by theirs."""
        taken: dict[str, str] = {}

        def is_gone(id: str) -> bool:
            places = self._store.sounds.places_of(id)
            return id not in taken.values() and not any(place != path and self._is_there(place) for place in places)

        for entry in entries:
            outline = None if entry.analysis is None else entry.analysis.outline
            if outline is not None and entry.analysis is not None and entry.track.id not in self._ids | self._lost:
                length_s = entry.analysis.duration_s
                old = predecessor(entry.sketch, outline, length_s, self._store.sounds.former(length_s), is_gone)
                if old is not None:
                    taken[entry.track.id] = old
        return taken

    def _is_there(self, path: Path) -> bool:
        """Whether a file is there, or may be: a folder that cannot be read, or a disk that is away, tells nothing."""
        if path in self._scanned.files or any(map(path.is_relative_to, self._scanned.closed)):
            return True
        return path.exists() or not (self._is_inside(path) or path.parent.is_dir())

    def _count(
        self,
        path: Path,
        entry: Entry,
        before: Mapping[str, tuple[object, object]],
        successions: Mapping[str, str],
    ) -> None:
        """Count a track of an analysed file under the kind of change that it is."""
        track = entry.track
        if track.id in before:
            kind = "unchanged" if before[track.id] == (_names_of(track), dict(entry.said)) else "retagged"
            if self._known[path].missing:
                kind = "returned"
        elif track.id in self._lost:
            kind = "healed"
            self._notes.append(FileNote(path, "analysed again: what the catalogue kept of it was lost or damaged"))
        elif track.id in successions:
            kind = "recoded"
            text = f"is another encoding of a file that is gone: the same track goes on ({successions[track.id]})"
            self._notes.append(FileNote(path, text))
        elif track.id not in self._ids:
            kind = "refreshed" if path in self._known else "added"
        elif track.id in self._in_place:
            kind = "duplicates"
            self._notes.append(FileNote(path, f"has the sound of another file (track {track.id})"))
        else:
            kind = "renamed"
        self._counts[kind] += 1

    def _join(self, entry: Entry) -> None:
        """Join a new track to the recording that another file holds too, also where one of them runs backwards."""
        length_s = entry.analysis.duration_s if entry.analysis else 0.0
        ways = [Sketch.of(data) for data in (entry.sketch, entry.backwards) if data]
        others = {
            recording
            for id, recording, other in self._store.sketches(length_s, LENGTHS_S)
            if id != entry.track.id and any(same_recording(way, Sketch.of(other)) for way in ways)
        }
        if others:
            self._store.join_recordings(entry.track.id, others)
            note = f"is a recording that another file has as well (track {min(others)}); the better one is suggested"
            self._notes.append(FileNote(entry.track.path, note))

    def _reject(self, path: Path, reason: str, foreign: bool = False, changing: bool = False) -> None:
        if changing:
            self._failed.append(FileNote(path, reason))
            self._changing.add(path)  # what is known of it stays until it is whole
            return
        if foreign and not named_as_music(path):
            self._skipped += 1
        else:
            self._failed.append(FileNote(path, reason))
        if path in self._known:
            self._bad.append(path)


def _names_of(track: Track) -> tuple[object, ...]:
    """The names that a file gives a track, and where in it the track lies."""
    return (track.title, track.artist, track.licence, track.tags, track.tempo_bpm, track.begin_s, track.end_s,
            track.tagged_lufs, track.tagged_peak_db)  # fmt: skip


def printable(path: Path) -> str:
    """A path on one line of valid text."""
    return one_line(os.fsencode(path).decode("utf-8", "replace"))
