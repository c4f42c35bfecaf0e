"""Cue sheets: one file that holds an album, and a text that says where its tracks begin.

Times are ``MM:SS:FF`` with 75 frames a second, from the file's first sample; a track begins at its ``INDEX 01`` and
lasts to the next one's, as in players. A sheet belongs to the file that its one ``FILE`` line names, in the same
folder; where that is absent, to the file of that name with another ending, since albums are ripped to WAV and
compressed afterwards.
"""

import codecs
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 1 << 20
FRAMES = 75  # a second
_COMMAND = re.compile(r"\s*(\S+)\s*(.*?)\s*$")
_FILE = re.compile(r'"(.*)"|(.*?)(?:\s+\S+)?$')
_TIME = re.compile(r"(\d{1,4}):([0-5]?\d):(\d{1,2})$")


class SheetError(ValueError):
    """A cue sheet that cannot be used; the text says why, and is printed behind its name."""


@dataclass(frozen=True, slots=True)
class SheetTrack:
    """One track; ``title`` and ``performer`` may be empty."""

    number: int
    begin_s: float
    title: str = ""
    performer: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A cue sheet of one file; tracks in rising time."""

    file: str
    tracks: tuple[SheetTrack, ...]
    title: str
    performer: str
    genre: str


@dataclass(slots=True)
class _Entry:
    """What has been read of a track, or of the album before the first one."""

    number: int
    music: bool = True  # data tracks hold none
    begin_s: float | None = None
    title: str = ""
    performer: str = ""
    genre: str = ""


def read_sheet(path: Path) -> Sheet:
    """Raises ``SheetError``."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SheetError(f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise SheetError(f"is larger than {MAX_BYTES >> 20} MB, which no cue sheet is")
    return parse_sheet(decode_text(data))


def decode_text(data: bytes) -> str:
    """UTF-8 or UTF-16 with a byte order mark, UTF-8 without, else Windows' Western code page."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parse_sheet(text: str, named: bool = True) -> Sheet:
    """``named``: the sheet must name its file; one inside a file need not. Raises ``SheetError``."""
    files: list[str] = []
    album = _Entry(0)
    entries: list[_Entry] = []
    for line in text.splitlines():
        word, value = _split(line)
        current = entries[-1] if entries else album
        if word == "FILE":
            match = _FILE.match(value)
            files.append((match[1] or match[2] or "") if match else value)
        elif word == "TRACK":
            number, _, kind = value.partition(" ")
            music = kind.strip().upper() in ("", "AUDIO")
            entries.append(_Entry(int(number) if number.isdecimal() else len(entries) + 1, music))
        elif word == "REM" and value.upper().startswith("GENRE "):
            album.genre = _unquote(value[6:])
        elif word == "TITLE":
            current.title = _unquote(value)
        elif word == "PERFORMER":
            current.performer = _unquote(value)
        elif word == "INDEX" and entries:
            index, _, time = value.partition(" ")
            if index.isdecimal() and int(index) == 1 and current.music:
                current.begin_s = _seconds(time.strip(), current.number)
    return _build_sheet(files, album, [entry for entry in entries if entry.music], named)


def _build_sheet(files: list[str], album: "_Entry", entries: list["_Entry"], named: bool) -> Sheet:
    if len(files) > 1:
        raise SheetError(f"names {len(files)} FILEs; each of them is taken whole")
    if named and not (files and files[0]):
        raise SheetError("names no FILE")
    if not entries:
        raise SheetError("names no track")
    tracks: list[SheetTrack] = []
    for entry in entries:
        if entry.begin_s is None:
            raise SheetError(f"track {entry.number} has no INDEX 01")
        if tracks and entry.begin_s <= tracks[-1].begin_s:
            raise SheetError(f"track {entry.number} does not begin after track {tracks[-1].number}")
        tracks.append(SheetTrack(entry.number, entry.begin_s, entry.title, entry.performer))
    return Sheet(files[0] if files else "", tuple(tracks), album.title, album.performer, album.genre)


def match_sheets(sheets: Iterable[Path], files: Collection[Path]) -> tuple[dict[Path, Path], list[tuple[Path, str]]]:
    """The sheet of each of ``files`` that has one, and notes on sheets that are of no use."""
    matched: dict[Path, Path] = {}
    notes: list[tuple[Path, str]] = []
    by_folder: dict[Path, list[Path]] = {}
    for file in files:
        by_folder.setdefault(file.parent, []).append(file)
    for path in sorted(sheets):
        try:
            name = read_sheet(path).file
            file = _file_of(name, path, by_folder.get(path.parent, []))
            if file in matched:
                raise SheetError(f"{file.name} is cut by {matched[file].name} already")
            matched[file] = path
        except SheetError as error:
            notes.append((path, f"{error}; this cue sheet is not used"))
    return matched, notes


def _file_of(name: str, sheet: Path, files: Collection[Path]) -> Path:
    """The file that the sheet's FILE means. Raises ``SheetError`` where there is none."""
    plain = name.replace("\\", "/").rpartition("/")[2].casefold()
    for file in files:
        if file.name.casefold() == plain:
            return file
    stem = plain.rpartition(".")[0] or plain
    like = [file for file in files if file.stem.casefold() == stem]
    if not like:
        raise SheetError(f"names the FILE {name!r}, which is not beside it")
    return like[0]


def _split(line: str) -> tuple[str, str]:
    match = _COMMAND.match(line)
    return (match[1].upper(), match[2]) if match else ("", "")


def _unquote(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value.strip('"')


def _seconds(time: str, number: int) -> float:
    match = _TIME.match(time)
    if match is None or int(match[3]) >= FRAMES:
        raise SheetError(f"track {number} begins at {time!r}, which is no MM:SS:FF")
    return int(match[1]) * 60 + int(match[2]) + int(match[3]) / FRAMES
