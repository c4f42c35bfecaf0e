"""What one process of an indexer does: a file in, its tracks out, with their tags and their analysis.

A track whose sound the catalogue knows is not analysed again, whatever its file is called now and however it is tagged.

Heavy modules are imported inside the functions, because ``prepare`` must bound the threads of the numeric libraries
before they load: tracks are analysed side by side, and more threads than cores make all of them slower.
"""

import functools
import multiprocessing
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import FormatError, LockedError

if TYPE_CHECKING:
    from engines.base import Engine
    from features.decode.sound import Sound

    from .parts import Part
    from .records import Analysis, Floats, TrackKey
    from .store import Store

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Which engine to analyse with: the bundle's folder, the engine's name and, as far as they are not the defaults,
    the options that it is opened with. Plain values only, since a process gets them before its threads are
    bounded."""

    bundle: str
    engine: str = "onnx-cpu"
    options: tuple[tuple[str, str | int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A file to analyse, and its cue sheet, if it has one."""

    path: Path
    sheet: Path | None = None
    lacking: frozenset[str] = frozenset()  # tracks that are known, but not their key: only that is measured


@dataclass(frozen=True, slots=True)
class FileTrack:
    """A track of a file. Without an ``analysis`` it is in the catalogue already, or cannot be used for ``reason``."""

    part: "Part"
    analysis: "Analysis | None" = None
    sketch: bytes = b""
    backwards: bytes = b""  # the sketch of the same played from its end to its begin
    reason: str = ""
    heard: "Heard | None" = None  # what was measured of a known track that lacked it


@dataclass(frozen=True, slots=True)
class Heard:
    """What tracks lack that an older version analysed."""

    key: "TrackKey | None"


@dataclass(frozen=True, slots=True)
class AnalysedFile:
    """A usable file and its tracks; ``damage`` says what of it was lost, ``notes`` anything else."""

    tracks: tuple[FileTrack, ...]
    lossless: bool = False
    damage: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file that cannot be used, and why. ``foreign``: it is no music at all; ``changing``: somebody is writing it."""

    reason: str
    foreign: bool = False
    changing: bool = False


def prepare(spec: EngineSpec) -> None:
    """A process's start: one thread, Ctrl-C kills it without a traceback, engine and beat tracker ready."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    for name in THREAD_LIMITS:
        os.environ[name] = "1"
    from features.beats import warm_up

    own_engine(spec)
    warm_up()


def leave_with_parent() -> None:
    """End this process when the one that started it is killed: the pool's pipes would keep it waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@functools.cache
def own_engine(spec: EngineSpec) -> "Engine":
    """This process's engine, opened once."""
    from engines.bundle import load_bundle
    from engines.choose import EngineOptions, open_engine
    from features.spec import FEATURES

    options: dict[str, Any] = dict(spec.options)
    if options.get("plans") is not None:
        options["plans"] = Path(options["plans"])
    return open_engine(load_bundle(spec.bundle, FEATURES), spec.engine, EngineOptions(**options))


@functools.cache
def own_store(catalog: Path) -> "Store":
    """This process's view of the catalogue, to look up what is in it now."""
    from .store import Store

    return Store(catalog, write=False)


def analyse_in_process(job: Job, spec: EngineSpec, catalog: Path) -> AnalysedFile | RejectedFile:
    """``analyse_file`` with this process's own engine."""
    return analyse_file(job, own_engine(spec), lambda id: own_store(catalog).knows(id))


def analyse_file(job: Job, engine: "Engine", known: Callable[[str], bool]) -> AnalysedFile | RejectedFile:
    """Identify, read tags, decode and analyse what is not ``known``. Never raises for a file: one bad file must not end
    an index of thousands. Raises what ``known`` does."""
    from features.decode.sound import decode
    from features.errors import AudioError, ForeignError

    from .identity import identify
    from .parts import parts_of
    from .protected import is_protected
    from .tags import read_tags

    before = _state(job.path)
    try:
        identity = identify(job.path)
        if identity is None:
            decode(job.path)  # which raises the reason
            raise AudioError("cannot be read")
        parts, notes = parts_of(job.path, identity, read_tags(job.path), job.sheet)
        damage = ""
        tracks = [FileTrack(part) for part in parts]
        if not all(known(part.id) for part in parts):
            sound = decode(job.path, levels=True)
            damage = sound.note
            tracks = [
                track if known(track.part.id) else _analyse_track(track.part, sound, engine, len(parts) == 1)
                for track in tracks
            ]
        elif any(part.id in job.lacking for part in parts):
            sound = decode(job.path)
            tracks = [_hear(track, sound) if track.part.id in job.lacking else track for track in tracks]
        if _state(job.path) != before:
            return RejectedFile("changed while it was read; index again when nothing writes it any more", changing=True)
        return AnalysedFile(tuple(tracks), identity.lossless, damage, tuple(notes))
    except AudioError as error:
        if is_protected(job.path):
            return RejectedFile("is protected (DRM) and cannot be read; only a copy without protection can be indexed")
        changing = before is not None and _state(job.path) not in (before, None)
        return RejectedFile(str(error), isinstance(error, ForeignError), changing)
    except (sqlite3.Error, FormatError, LockedError):  # of the catalogue, when it was asked what is ``known``
        raise
    except MemoryError:
        return RejectedFile("needs more memory than there is; cut it into shorter tracks")
    except Exception as error:  # noqa: BLE001 - shown with its type in the summary, so not lost
        return RejectedFile(f"failed unexpectedly: {type(error).__name__}: {error}")


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of a file: another one means that its content may have changed."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _analyse_track(part: "Part", sound: "Sound", engine: "Engine", alone: bool) -> FileTrack:
    """One track of a file, analysed; an error in one of several becomes its ``reason``."""
    from features.errors import AudioError
    from features.spec import MUSIC_RATE_HZ

    from .analysis import analyse
    from .sketch import both_ways

    own = _samples_of(part, sound)
    levels = None if sound.levels is None else sound.levels.part(part.begin_s, part.end_s)
    try:
        if len(own) < MUSIC_RATE_HZ:
            raise AudioError(f"is {len(own) / MUSIC_RATE_HZ:.2f} s long, at least 1 s is needed")
        analysis = analyse(own, engine, part.tags.tempo_bpm, levels)
        forward, backward = both_ways(own)
        return FileTrack(part, analysis, forward.data, backward.data)
    except AudioError as error:
        if alone:
            raise
        return FileTrack(part, reason=str(error))


def _hear(track: FileTrack, sound: "Sound") -> FileTrack:
    """A known track with what it lacks."""
    from features.music import track_key

    from .outline import key_of_track

    samples = _samples_of(track.part, sound)
    return replace(track, heard=Heard(key_of_track(track_key(samples)) if len(samples) else None))


def _samples_of(part: "Part", sound: "Sound") -> "Floats":
    from features.spec import MUSIC_RATE_HZ

    end = len(sound.samples) if part.end_s is None else round(part.end_s * MUSIC_RATE_HZ)
    return sound.samples[round(part.begin_s * MUSIC_RATE_HZ) : end]
