"""What a library or a playlist says of a file, as notes of the catalogue (``catalog.notes``), and back.

Fields: ``key``, ``rating`` (1 to 5), ``tempo`` (beats per minute), ``playlists`` (a JSON array of names), ``prepared``
(JSON: the length, tempi, beats and cues, in times of ``decode``), ``clock`` (how these times were found), and for each
playlist file that names it ``playlist PATH``, whose value is the playlist's name. All are of whole files, so their
``begin_s`` is 0.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from catalog.notes import Note

from .prepared import CUE_KINDS, LEAST_BPM, MOST_BPM, Cue, Prepared, Tempo

PREPARED: Final = "prepared"
CLOCK: Final = "clock"
PLAYLIST: Final = "playlist "
M3U8: Final = "m3u8"
_DIGITS: Final = 4  # of a time


def notes_of(path: Path, track: Prepared) -> Iterator[Note]:
    """The notes on the file ``path``, whose times ``track`` has already."""
    if track.key:
        yield Note(path, 0.0, "key", track.key)
    if track.rating is not None:
        yield Note(path, 0.0, "rating", str(track.rating))
    if track.tempo_bpm:
        yield Note(path, 0.0, "tempo", f"{track.tempo_bpm:.3f}")
    if track.playlists:
        yield Note(path, 0.0, "playlists", json.dumps(track.playlists, ensure_ascii=False))
    if track.tempi or track.beats_s or track.cues:
        yield Note(path, 0.0, PREPARED, _text(track))


def prepared_of(values: Mapping[str, str]) -> Prepared | None:
    """The beats and cues of notes; None where there are none, or they are not what ``notes_of`` writes."""
    try:
        stored: Any = json.loads(values[PREPARED])
        return Prepared(
            "",
            length_s=float(stored["length_s"]),
            tempi=tuple(_tempo(*tempo) for tempo in stored["tempi"]),
            beats_s=tuple(float(at) for at in stored["beats"]),
            cues=tuple(_cue(*cue) for cue in stored["cues"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def playlists_of(values: Mapping[str, str]) -> list[str]:
    """The names of the playlists that one origin's notes name."""
    names = [value for field, value in values.items() if field.startswith(PLAYLIST)]
    try:
        listed: Any = json.loads(values.get("playlists", "[]"))
    except ValueError:
        listed = []
    return names + [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else names


def playlist_field(path: Path) -> str:
    """The field that stands for a playlist file: valid text, also where its name is none."""
    return PLAYLIST + os.fsencode(path).decode("utf-8", "backslashreplace")


def is_within(field: str, root: Path) -> bool:
    """Whether a field stands for ``root`` or for a playlist in it."""
    own = playlist_field(root)
    return field == own or field.startswith(own.rstrip(os.sep) + os.sep)


def _text(track: Prepared) -> str:
    return json.dumps(
        {
            "length_s": round(track.length_s, _DIGITS),
            "tempi": [[_time(tempo.begin_s), tempo.bpm, tempo.beat, tempo.meter] for tempo in track.tempi],
            "beats": [_time(beat_s) for beat_s in track.beats_s],
            "cues": [[cue.kind, _time(cue.begin_s), _time(cue.end_s), cue.name] for cue in track.cues],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _time(time_s: float | None) -> float | None:
    return None if time_s is None else round(time_s, _DIGITS)


def _tempo(begin_s: Any, bpm: Any, beat: Any, meter: Any) -> Tempo:
    tempo = Tempo(float(begin_s), float(bpm), int(beat), int(meter))
    if not (LEAST_BPM <= tempo.bpm <= MOST_BPM and 0 <= tempo.beat <= tempo.meter):
        raise ValueError(f"no tempo is {tempo}")
    return tempo


def _cue(kind: Any, begin_s: Any, end_s: Any, name: Any) -> Cue:
    if kind not in CUE_KINDS:
        raise ValueError(f"no cue is a {kind}")
    return Cue(kind, None if begin_s is None else float(begin_s), None if end_s is None else float(end_s), str(name))
