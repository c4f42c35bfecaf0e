"""rekordbox's XML ("Export Collection in xml format"): tempi, cues, key, rating, playlists.

Field meanings: rekordbox's own list of the format (``xml_format_list.pdf``, rekordbox.com/en/support/developer).
``TEMPO`` holds from ``Inizio`` (s) on, which is beat ``Battito`` of a bar of ``Metro``; ``POSITION_MARK`` has ``Type``
0 cue, 1 fade-in, 2 fade-out, 3 load, 4 loop, and ``Num`` -1 for a memory cue, else the hot cue's number. ``Rating`` is
51 a star. rekordbox 6 and later keep their library in an encrypted database; the export holds what is needed of it.

The file is read piece by piece, and no document type is accepted: XML's entities are what makes it dangerous.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar
from xml.parsers import expat

from catalog.errors import LibraryError
from catalog.tags import one_line

from .keys import key_of
from .locations import plain
from .prepared import LEAST_BPM, MAX_CUES, MAX_TEMPI, MOST_BPM, Cue, CueKind, Library, Prepared, Tempo

MAX_BYTES: Final = 1 << 30
MAX_TRACKS: Final = 500_000
MAX_LISTED: Final = 5_000_000  # entries of all playlists
MAX_FOLDERS: Final = 32  # deep
CURE: Final = 'export it anew in rekordbox: File, "Export Collection in xml format"'
Mark = TypeVar("Mark", Tempo, Cue)
_PIECE: Final = 1 << 20
_STARS: Final = 51  # of a rating, for each
_MEMORY: Final = -1
# Marks that have a name only: what people call them.
_NAMED: Final[Mapping[str, CueKind]] = {"intro": "intro", "outro": "outro"}


def read_rekordbox(path: Path) -> Library:
    """Raises ``LibraryError``."""
    reader = _Reader(path)
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.refuse
    size = 0
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                if size > MAX_BYTES:
                    raise LibraryError(f"{path}: is larger than {MAX_BYTES >> 30} GB, which no export is; {CURE}")
                parser.Parse(piece, False)
            parser.Parse(b"", True)
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read ({error.strerror}); name a file that can") from error
    except LibraryError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # the others: of an encoding that nobody knows
        raise LibraryError(f"{path}: is not whole XML ({one_line(str(error), 80)}); {CURE}") from error
    return reader.library()


@dataclass(slots=True)
class _Reading:
    """A track while its elements come in."""

    fields: Mapping[str, str]
    tempi: list[Tempo] = field(default_factory=list)
    cues: list[Cue] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Node:
    """A folder or a playlist, which names its tracks by their ids or locations."""

    name: str
    is_playlist: bool
    by_location: bool


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._tracks: list[Prepared] = []
        self._by_id: dict[str, int] = {}
        self._by_location: dict[str, int] = {}
        self._reading: _Reading | None = None
        self._depth = 0
        self._listed = 0
        self._bad_marks = 0
        self._nodes: list[_Node] = []  # folders, and perhaps a playlist in them
        self._playlists: dict[int, list[str]] = {}  # by the number of a track

    def refuse(self, *_: object) -> None:
        raise LibraryError(f"{self._path}: declares a document type, which rekordbox never writes; {CURE}")

    def begin(self, name: str, fields: dict[str, str]) -> None:
        if self._depth == 0 and name != "DJ_PLAYLISTS":
            raise LibraryError(f"{self._path}: is XML, but not of rekordbox (it begins with {one_line(name)}); {CURE}")
        self._depth += 1
        if name == "NODE":
            if len(self._nodes) > MAX_FOLDERS:
                raise LibraryError(f"{self._path}: has folders more than {MAX_FOLDERS} deep; {CURE}")
            name = one_line(fields.get("Name", ""))
            self._nodes.append(_Node(name, fields.get("Type") == "1", fields.get("KeyType") == "1"))
        elif name == "TRACK" and self._nodes:
            self._list(fields.get("Key", ""))
        elif name == "TRACK":
            self._reading = _Reading(fields)
        elif name == "TEMPO" and self._reading and len(self._reading.tempi) < MAX_TEMPI:
            self._reading.tempi += self._usable(_tempo(fields))
        elif name == "POSITION_MARK" and self._reading and len(self._reading.cues) < MAX_CUES:
            self._reading.cues += self._usable(_cue(fields))

    def end(self, name: str) -> None:
        self._depth -= 1
        if name == "NODE" and self._nodes:
            self._nodes.pop()
        elif name == "TRACK" and self._reading:
            self._take(self._reading)
            self._reading = None

    def library(self) -> Library:
        notes = [f"{self._bad_marks} of its marks have no usable time, left out"] if self._bad_marks else []
        tracks = [
            replace(track, playlists=tuple(dict.fromkeys(self._playlists[number])))
            if number in self._playlists
            else track
            for number, track in enumerate(self._tracks)
        ]
        return Library(self._path, "rekordbox", tracks, notes)

    def _usable(self, mark: Mark | None) -> list[Mark]:
        self._bad_marks += mark is None
        return [] if mark is None else [mark]

    def _take(self, reading: _Reading) -> None:
        fields = reading.fields
        location = fields.get("Location", "")
        if not location:
            return
        if len(self._tracks) >= MAX_TRACKS:
            raise LibraryError(f"{self._path}: has more than {MAX_TRACKS} tracks; {CURE}")
        self._by_id[fields.get("TrackID", "")] = self._by_location[_plain(location)] = len(self._tracks)
        bpm = _number(fields.get("AverageBpm"))
        stars = round((_number(fields.get("Rating")) or 0.0) / _STARS)
        self._tracks.append(
            Prepared(
                location,
                size=max(0, int(_number(fields.get("Size")) or 0)),
                length_s=max(0.0, _number(fields.get("TotalTime")) or 0.0),
                tempo_bpm=bpm if bpm and LEAST_BPM <= bpm <= MOST_BPM else 0.0,
                key=key_of(fields.get("Tonality", "")),
                rating=stars if 1 <= stars <= 5 else None,
                tempi=tuple(sorted(reading.tempi, key=lambda tempo: tempo.begin_s)),
                cues=tuple(reading.cues),
            )
        )

    def _list(self, key: str) -> None:
        """A playlist names a track, by its id or its location."""
        node = self._nodes[-1]
        number = self._by_location.get(_plain(key)) if node.by_location else self._by_id.get(key)
        if number is None or not node.is_playlist:
            return
        self._listed += 1
        if self._listed > MAX_LISTED:
            raise LibraryError(f"{self._path}: its playlists have more than {MAX_LISTED} entries; {CURE}")
        names = [node.name for node in self._nodes[1:] or self._nodes]  # the first is called ROOT
        self._playlists.setdefault(number, []).append("/".join(filter(None, names)) or "playlist")


def _plain(location: str) -> str:
    """A location in one spelling: some writers double the slash, or leave the host out."""
    return plain(location).lstrip("/")


def _tempo(fields: Mapping[str, str]) -> Tempo | None:
    begin_s, bpm = _number(fields.get("Inizio")), _number(fields.get("Bpm"))
    if begin_s is None or bpm is None or not LEAST_BPM <= bpm <= MOST_BPM:
        return None
    meter = int(_number(fields.get("Metro", "").partition("/")[0]) or 0)
    beat = int(_number(fields.get("Battito")) or 0)
    return Tempo(begin_s, bpm, beat, meter) if 1 <= beat <= meter <= 16 else Tempo(begin_s, bpm)


def _cue(fields: Mapping[str, str]) -> Cue | None:
    begin_s, end_s = _number(fields.get("Start")), _number(fields.get("End"))
    if begin_s is None or begin_s < 0.0:
        return None
    name = one_line(fields.get("Name", ""))
    kind: CueKind = "memory" if int(_number(fields.get("Num")) or 0) == _MEMORY else "hot"
    match fields.get("Type", "0"):
        case "4":
            return Cue("loop", begin_s, end_s, name) if end_s is not None and end_s > begin_s else None
        case "1":
            kind = "intro"
        case "2":
            kind = "outro"
        case "3":
            kind = "load"
        case _:
            kind = _NAMED.get(name.casefold().partition(" ")[0], kind)
    return Cue(kind, begin_s, None, name)


def _number(text: str | None) -> float | None:
    try:
        value = float((text or "").replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e12 else None
