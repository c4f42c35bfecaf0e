"""One run of the indexer: which files to read, what became of each, and what is kept of it.

Each file is committed by itself, so an index that is interrupted goes on where it stopped.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from engines.base import Engine
from features.beats import warm_up

from .absent import away_text, emptied
from .closed import Closed
from .describing import describe
from .fields import usable
from .needs import row_width
from .notes import TAGS
from .pool import analyse_all
from .records import Track
from .report import FileNote, IndexReport, lacking_text, printable, scores_text
from .scan import Scan, named_as_music
from .settling import CHANGED, WRITTEN, Settling
from .sketch import LENGTHS_S, Sketch, same_recording
from .store import Store
from .stored import Entry, FileStamp
from .tags import tagged_tempo
from .takeover import Takeover
from .worker import AnalysedFile, EngineSpec, FileTrack, Job, RejectedFile, analyse_file, own_engine

# Analyses files elsewhere: jobs, the engine's spec and the catalogue in, each path with its outcome out.
Analyse = Callable[[Iterator[Job], EngineSpec, Path], Generator[tuple[Path, AnalysedFile | RejectedFile]]]
Progress = Callable[[int, int, str], None]  # files done, files to analyse, what is going on


def is_inside(path: Path, music: Path, scanned: Scan) -> bool:
    """Whether a file is of the music that is indexed; a playlist's are those that it names."""
    if scanned.listed is not None:
        return path in scanned.files or path in scanned.gone
    return path.is_relative_to(music)


class Run:
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
        unattended: bool = False,
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
        self._takeover = Takeover(music, scanned, store, self._is_inside)
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
        closed = [FileNote(path, reason) for path, reason in scanned.closed.items()]
        self._unattended = unattended
        self._failed, self._away = ([], closed) if unattended else (closed, [])
        self._notes = [FileNote(path, text) for path, text in scanned.notes]
        self._bad: list[Path] = []  # known paths that hold nothing usable any more
        self._done = self._total = 0

    def report(self, jobs: int, forget_missing: bool) -> IndexReport:
        todo = self._moved_first(
            [path for path, stamp in self._scanned.files.items() if not self._is_unchanged(path, stamp)]
        )
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
        described, said = describe(self._music, self._scanned, self._store, self._is_inside)
        self._notes += said
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
            away=tuple(self._away),
            changing=len(self._settling.left) + len(self._changing) + len(changed),
            tracks=recordings,
        )

    def _is_inside(self, path: Path) -> bool:
        return is_inside(path, self._music, self._scanned)

    def _is_unchanged(self, path: Path, stamp: FileStamp) -> bool:
        """Whether a file is as it was the last time; one that was marked as missing is back."""
        known = self._known.get(path)
        if known is None or known.stamp != stamp or not self._refresh.isdisjoint(known.tracks):
            return False
        if known.missing:
            self._store.miss([path], missing=False)
        self._counts["returned" if known.missing else "unchanged"] += len(known.tracks)
        return True

    def _moved_first(self, todo: list[Path]) -> list[Path]:
        """Files that look like one that is not at its place any more come first: nothing goes on in another encoding
        whose old file was only moved."""
        files = self._scanned.files
        gone = {(it.stamp.size, it.stamp.mtime_ns) for path, it in self._known.items() if path not in files}
        return sorted(todo, key=lambda path: (files[path].size, files[path].mtime_ns) not in gone)

    def _absent(self, forget: bool) -> set[str]:
        """Mark the files that vanished or cannot be read any more; returns the ids that were forgotten."""
        closed = tuple(self._scanned.closed)
        absent = [
            path
            for path in self._known
            if self._is_inside(path) and path not in self._scanned.files and not any(map(path.is_relative_to, closed))
        ]
        if self._unattended:
            absent = self._without_away(absent)
        self._store.miss(absent + self._bad)
        self._store.forget_moved()
        return self._store.forget(absent + self._bad) if forget else set()

    def _without_away(self, absent: list[Path]) -> list[Path]:
        """Those of the files that vanished whose folder is not away."""
        now = self._store.files()
        held = {id for path in self._scanned.files if path in now for id in now[path].tracks}
        gone = [path for path in absent if not now[path].missing and not held.issuperset(now[path].tracks)]
        folders = emptied(gone, self._music)
        self._away += [FileNote(folder, away_text(folder, count)) for folder, count in folders.items()]
        return [path for path in absent if not any(map(path.is_relative_to, folders))]

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
        successions = self._takeover.of(path, entries, self._ids | self._lost)
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
