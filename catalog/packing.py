"""Arrays and outlines as the database keeps them: curves as bytes, the small parts of an outline as one JSON text."""

import itertools
import json
import sqlite3
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .records import Floats, Loop, Outline, TrackKey


def blob(values: NDArray[np.floating]) -> bytes:
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def floats(stored: bytes) -> Floats:
    return np.frombuffer(stored, dtype="<f4").astype(np.float32)


def pack_segments(old: str, db: sqlite3.Connection) -> None:
    """Fill the table ``segments``, a row a track, from ``old``, a row a segment, as it was until schema 7."""
    rows = db.execute(f"SELECT track, first_clip, start_s, border, mood, vector FROM {old} ORDER BY track, ordinal")
    for track, own in itertools.groupby(rows, lambda row: row[0]):
        _, firsts, starts, borders, moods, vectors = zip(*own, strict=True)
        values = (
            np.array(firsts, "<i4").tobytes(),
            np.array([np.nan if start is None else start for start in starts], "<f4").tobytes(),
            np.array(borders, "<f4").tobytes(),
            None if None in moods else b"".join(moods),
            b"".join(vectors),
        )
        db.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)", (track, *values))


def pack_outline(outline: Outline | None) -> tuple[str | bytes | None, ...]:
    """Text, loudness, peaks, sections, downbeats, onsets, vocals; seven times None for no outline."""
    if outline is None:
        return (None,) * 7
    text = json.dumps(
        {
            "lufs": outline.lufs if isfinite(outline.lufs) else None,
            "range_lu": outline.range_lu,
            "true_peak_db": outline.true_peak_db,
            "music_s": outline.music_s,
            "intro_s": outline.intro_s,
            "outro_s": outline.outro_s,
            "loops": [(loop.from_s, loop.to_s, loop.likeness) for loop in outline.loops],
            "tempi": outline.tempi,
        }
    )
    peaks, onsets = outline.peaks.tobytes(), outline.onsets.tobytes()
    vocals = None if outline.vocals is None else outline.vocals.tobytes()
    return text, blob(outline.loudness), peaks, blob(outline.sections_s), blob(outline.downbeats_s), onsets, vocals


def pack_key(key: TrackKey | None) -> str:
    """JSON; ``null`` where nothing has a pitch. A track whose key was never measured has NULL in the database."""
    return json.dumps(None if key is None else [key.name, round(key.confidence, 3), round(key.tuning_cents, 1)])


def unpack_key(stored: str | None) -> TrackKey | None:
    parts = None if stored is None else json.loads(stored)
    return None if parts is None else TrackKey(*parts)


def unpack_outline(stored: Sequence[Any], key: str | None = None) -> Outline | None:
    """The outline that ``pack_outline`` packed, with the key that ``pack_key`` did."""
    text, loudness, peaks, sections, downbeats, onsets, vocals = stored
    if text is None:
        return None
    small = json.loads(text)
    return Outline(
        lufs=float("-inf") if small["lufs"] is None else small["lufs"],
        range_lu=small["range_lu"],
        true_peak_db=small["true_peak_db"],
        loudness=floats(loudness),
        peaks=np.frombuffer(peaks, np.uint8),
        music_s=tuple((begin_s, end_s) for begin_s, end_s in small["music_s"]),
        intro_s=small["intro_s"],
        outro_s=small["outro_s"],
        sections_s=floats(sections),
        downbeats_s=floats(downbeats),
        loops=tuple(Loop(*loop) for loop in small["loops"]),
        tempi=tuple((bpm, weight) for bpm, weight in small["tempi"]),
        onsets=np.frombuffer(onsets, np.uint8),
        vocals=None if vocals is None else np.frombuffer(vocals, np.uint8),
        key=unpack_key(key),
    )
