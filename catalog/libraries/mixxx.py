"""Mixxx's library (``mixxxdb.sqlite``): beats, cues, key, rating, playlists, crates; read only, while Mixxx runs too.

Positions of cues count samples of two channels, so half of them are frames; those of beats count frames. Beats are a
message of Protocol Buffers: a grid (tempo and a beat) or each beat; released versions write the position as a varint,
the newest as a double. Types of cues: 1 hot cue, 2 main cue, 4 loop, 6 intro, 7 outro, 8 the range between the first
and the last sample of -60 dB. An intro or outro may have only one end: the position is then -1, and the length is the
end's position.
"""

import math
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from catalog.errors import LibraryError
from catalog.tags import one_line

from .keys import KEYS, key_of
from .prepared import LEAST_BPM, MAX_BEATS, MAX_CUES, MOST_BPM, Cue, CueKind, Library, Prepared, Tempo
from .wire import WireError, fields_of

FILE: Final = "mixxxdb.sqlite"
WAIT_S = 10.0  # for Mixxx to finish writing
MAX_TRACKS: Final = 500_000
MAX_LISTED: Final = 5_000_000
MAX_BLOB: Final = 4 << 20  # bytes of a track's beats
# Mixxx itself opens a database whose ``min_compatible_version`` it knows; 19 has key_id, 41 was the last one looked at.
FIRST_SCHEMA, LAST_SCHEMA = 19, 41
CURE: Final = "name the mixxxdb.sqlite of Mixxx 1.11 or later, from its settings folder"
_HEAD: Final = b"SQLite format 3\0"
_HOT, _MAIN, _LOOP, _INTRO, _OUTRO, _SOUND = 1, 2, 4, 6, 7, 8
_CHANNELS: Final = 2
_NEAR_S: Final = 0.001
_TRACKS: Final = (
    "SELECT library.id, track_locations.location, filesize, duration, samplerate, bpm, rating, key, key_id, "
    "beats_version, CASE WHEN length(beats) <= ? THEN beats END FROM library "
    "JOIN track_locations ON track_locations.id = library.location "
    "WHERE NOT coalesce(mixxx_deleted, 0) AND NOT coalesce(fs_deleted, 0) ORDER BY library.id LIMIT ?"
)
_CUES: Final = "SELECT track_id, type, position, length, label FROM cues ORDER BY track_id, position"
_PLAYLISTS: Final = (
    "SELECT name, track_id FROM Playlists JOIN PlaylistTracks ON playlist_id = Playlists.id WHERE NOT hidden "
    "UNION ALL SELECT name, track_id FROM crates JOIN crate_tracks ON crate_id = crates.id LIMIT ?"
)


def is_mixxx(path: Path) -> bool:
    """Whether a file is a database."""
    with path.open("rb") as file:
        return file.read(len(_HEAD)) == _HEAD


def read_mixxx(path: Path) -> Library:
    """Raises ``LibraryError``."""
    try:
        with closing(_open(path)) as db:
            db.execute("BEGIN")  # one state, whatever Mixxx writes meanwhile
            _check(path, db)
            return Library(path, "mixxx", list(_tracks(path, db)))
    except (sqlite3.Error, OverflowError) as error:
        raise LibraryError(f"{path}: cannot be read as Mixxx's library ({error}); {CURE}") from error


def _open(path: Path) -> sqlite3.Connection:
    """Read only. In a folder that cannot be written SQLite opens a database with a log only if it is told that nobody
    changes it."""
    address = path.absolute().as_uri()
    db = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=WAIT_S, isolation_level=None)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LibraryError(f"{path}: Mixxx is writing it; try again in a moment") from error
        db = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True, isolation_level=None)
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    return db


def _check(path: Path, db: sqlite3.Connection) -> None:
    tables = {name.casefold() for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if missing := {"settings", "library", "track_locations", "cues", "playlists", "crates"} - tables:
        raise LibraryError(f"{path}: is a database, but not of Mixxx (it has no {min(missing)}); {CURE}")
    settings = dict(db.execute("SELECT name, value FROM settings WHERE name LIKE 'mixxx.schema.%'"))
    version, least = (_whole(settings.get(f"mixxx.schema.{name}")) for name in ("version", "min_compatible_version"))
    if version < FIRST_SCHEMA or least > LAST_SCHEMA:
        raise LibraryError(
            f"{path}: has schema {version} (for {least} and later); this program reads {FIRST_SCHEMA} to {LAST_SCHEMA} "
            f"and what is compatible with them; {CURE}"
        )


def _tracks(path: Path, db: sqlite3.Connection) -> Iterator[Prepared]:
    cues: dict[int, list[tuple[int, float, float, str]]] = {}
    for track, kind, position, length, label in db.execute(_CUES):
        own = cues.setdefault(track, [])
        if len(own) < MAX_CUES:
            own.append((_whole(kind), _real(position), _real(length), one_line(str(label or ""))))
    playlists: dict[int, list[str]] = {}
    for name, track in db.execute(_PLAYLISTS, (MAX_LISTED,)):
        playlists.setdefault(track, []).append(one_line(str(name)))
    rows = db.execute(_TRACKS, (MAX_BLOB, MAX_TRACKS + 1))
    for count, (id, location, size, length_s, rate, bpm, stars, key, key_id, version, beats) in enumerate(rows):
        if count >= MAX_TRACKS:
            raise LibraryError(f"{path}: has more than {MAX_TRACKS} tracks; {CURE}")
        rate_hz, bpm, stars = _real(rate), _real(bpm), _whole(stars)
        first_s, marks = _cues(cues.get(id, []), rate_hz)
        tempi, beats_s = _beats(str(version or ""), beats, rate_hz)
        yield Prepared(
            str(location or ""),
            size=max(0, _whole(size)),
            length_s=max(0.0, _real(length_s)),
            tempo_bpm=bpm if LEAST_BPM <= bpm <= MOST_BPM else 0.0,
            key=key_of(str(key or "")) or _key(_whole(key_id)),
            rating=stars if 1 <= stars <= 5 else None,
            tempi=tempi,
            beats_s=beats_s,
            cues=marks,
            playlists=tuple(dict.fromkeys(filter(None, playlists.get(id, [])))),
            first_sound_s=first_s,
        )


def _cues(rows: list[tuple[int, float, float, str]], rate_hz: float) -> tuple[float | None, tuple[Cue, ...]]:
    """Where the first sound is, and the marks. Mixxx itself puts the main cue and the intro at the first sound of every
    track: those say nothing."""
    if not 1000.0 <= rate_hz <= 1e6:
        return None, ()
    scale = 1.0 / (_CHANNELS * rate_hz)
    placed = [(kind, begin * scale if begin >= 0.0 else None, end * scale, name) for kind, begin, end, name in rows]
    first_s = next((begin_s for kind, begin_s, _, _ in placed if kind == _SOUND), None)
    marks: list[Cue] = []
    for kind, begin_s, length_s, name in placed:
        end_s = (begin_s or 0.0) + length_s if length_s > 0.0 else None
        own = first_s is None or begin_s is None or abs(begin_s - first_s) > _NEAR_S
        made: CueKind
        match kind:
            case 1:
                made = "hot"
            case 2:
                made = "main"
            case 4:
                made = "loop"
            case 6:
                made = "intro"
            case 7:
                made = "outro"
            case _:
                continue
        if made in ("hot", "main", "loop") and begin_s is None:
            continue
        if made == "loop" and end_s is None:
            continue
        if made == "main" and not own:
            continue
        if made == "intro" and not own:
            begin_s = None
        if begin_s is None and (made == "outro" or end_s is None):
            continue  # an outro's end is the last sound
        marks.append(Cue(made, begin_s, end_s, name))
    return first_s, tuple(marks)


def _beats(version: str, data: Any, rate_hz: float) -> tuple[tuple[Tempo, ...], tuple[float, ...]]:
    """A grid's tempo, or a map's beats; neither where there are none."""
    if not isinstance(data, bytes) or not data or not 1000.0 <= rate_hz <= 1e6:
        return (), ()
    try:
        if version == "BeatMap-1.0":
            frames = [_position(value) for number, value in fields_of(data) if number == 1]
            times = [frame / rate_hz for frame in frames[:MAX_BEATS] if frame is not None]
            return (), tuple(sorted(set(times)))
        bpm, first = _grid(data)
    except (WireError, struct.error):
        return (), ()
    if first is None or not LEAST_BPM <= bpm <= MOST_BPM:
        return (), ()
    return (Tempo(first / rate_hz, bpm),), ()


def _grid(data: bytes) -> tuple[float, float | None]:
    """Tempo and a beat's frame. The first version of the grid was two doubles."""
    try:
        values = dict(fields_of(data))
        bpm = dict(fields_of(_bytes(values.get(1)))).get(1)
        first = _position(values.get(2, b""))
        if isinstance(bpm, float):
            return bpm, first
    except WireError:
        pass
    if len(data) != 16:
        raise WireError("is no grid")
    bpm, first = struct.unpack("<dd", data)
    return (bpm, first) if math.isfinite(bpm) and math.isfinite(first) else (0.0, None)


def _position(beat: Any) -> float | None:
    """The frame of a message of a beat; one that is switched off has none. Frame 0 may be left out."""
    values = dict(fields_of(_bytes(beat)))
    frame = values.get(1, 0)
    if not isinstance(frame, int | float) or not math.isfinite(frame) or values.get(2, 1) == 0:
        return None
    return float(frame)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise WireError("is no message")
    return value


def _key(number: int) -> str:
    """Mixxx numbers the keys from C major (1) up, then from C minor (13)."""
    return KEYS[number - 1] if 1 <= number <= len(KEYS) else ""


def _whole(value: Any) -> int:
    return int(_real(value))


def _real(value: Any) -> float:
    try:
        number = float(value or 0)
    except (TypeError, ValueError):
        return 0.0
    return number if math.isfinite(number) and abs(number) < 1e15 else 0.0
