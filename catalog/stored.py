"""What a ``Store`` takes and gives: files and their stamps, tracks and segments; and paths as the database has them."""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .records import Analysis, Floats, Outline, Track


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
    vectors: Floats  # (rows, E); (0, E) where they were not read
    moods: Floats | None  # (rows, 3); None where a track has none


def path_bytes(path: Path) -> bytes:
    """A path as it is stored: a file's name need not be text."""
    return os.fsencode(path)


def path_of(stored: bytes) -> Path:
    return Path(os.fsdecode(stored))


def among(column: str, ids: Collection[str] | None) -> str:
    """A condition that ``column`` is one of ``ids``, which ``named`` gives as a value; nothing for None."""
    return "" if ids is None else f"AND {column} IN (SELECT value FROM json_each(?))"


def named(ids: Collection[str] | None) -> tuple[str, ...]:
    return () if ids is None else (json.dumps(sorted(ids)),)
