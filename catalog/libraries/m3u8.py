"""M3U and M3U8 playlists: a line a file, relative to the playlist's folder or not.

Text is UTF-8 (or UTF-16 with a mark); where it is not, Windows' Western code page. A playlist may name other playlists,
four deep, each read once; a circle ends where it closes. Addresses of the network are counted and left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from catalog.cuesheet import decode_text
from catalog.tags import one_line

from .locations import candidates, is_remote

ENDINGS: Final = ("m3u", "m3u8")
MAX_BYTES: Final = 16 << 20
MAX_ENTRIES: Final = 200_000  # of a playlist and those that it names
MAX_DEPTH: Final = 4
MAX_REMARKS: Final = 100  # on a playlist
SHOWN: Final = 3  # absent entries that a note names

Find = Callable[[str, Path], Path | None]  # an entry's text and its playlist's folder -> the file


class PlaylistError(ValueError):
    """A playlist that cannot be used; the text says why, and is printed behind its name."""


@dataclass(slots=True)
class Playlist:
    """``files`` in order, each once; ``absent``: entries that no file was found for; ``remote``: how many addresses."""

    path: Path
    name: str
    files: list[Path] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    remote: int = 0
    remarks: list[str] = field(default_factory=list)

    def remark(self, text: str) -> None:
        """Add a remark, once."""
        if len(self.remarks) < MAX_REMARKS and text not in self.remarks:
            self.remarks.append(text)

    def notes(self) -> Iterator[str]:
        """What of the playlist is not used, and why."""
        yield from self.remarks
        if self.remote:
            yield f"{self.remote} of its entries are addresses of the network, left out: only files are played"
        if self.absent:
            few = ", ".join(repr(one_line(text)) for text in self.absent[:SHOWN])
            more = f" and {len(self.absent) - SHOWN} more" if len(self.absent) > SHOWN else ""
            yield f"{len(self.absent)} of its entries are not there: {few}{more}"


@dataclass(slots=True)
class _Seen:
    """``playlists``: how deep each was when it was read."""

    files: set[Path] = field(default_factory=set)
    playlists: dict[Path, int] = field(default_factory=dict)


def read_playlist(path: Path, find: Find) -> Playlist:
    """Raises ``PlaylistError``: cannot be read, too large, or a stream's playlist (HLS), which names no music."""
    named, entries = _lines(path)
    playlist = Playlist(path, one_line(named) or one_line(path.stem) or "playlist")
    _fill(playlist, path, entries, find, (path.resolve(),), _Seen())
    return playlist


def on_disk(text: str, folder: Path) -> Path | None:
    """The file that an entry of a playlist in ``folder`` means, wherever on this machine it is."""
    for path in candidates(text, folder):
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):
            continue
    return None


def is_playlist(path: Path) -> bool:
    return path.suffix[1:].casefold() in ENDINGS


def _fill(playlist: Playlist, path: Path, entries: list[str], find: Find, way: tuple[Path, ...], seen: _Seen) -> None:
    for text in entries:
        if len(seen.files) + len(playlist.absent) >= MAX_ENTRIES:
            playlist.remark(f"has more than {MAX_ENTRIES} entries; the rest is left out")
            return
        if is_remote(text):
            playlist.remote += 1
        elif is_playlist(Path(text)):
            _nested(playlist, path, text, find, way, seen)
        elif (file := find(text, path.parent)) is None:
            playlist.absent.append(text)
        elif file not in seen.files:
            seen.files.add(file)
            playlist.files.append(file)


def _nested(playlist: Playlist, path: Path, text: str, find: Find, way: tuple[Path, ...], seen: _Seen) -> None:
    inner = on_disk(text, path.parent)
    if inner is None:
        playlist.absent.append(text)
        return
    real, depth = inner.resolve(), len(way)
    if real in way:
        playlist.remark(f"names itself by {one_line(text)!r}, left out")
    elif depth >= MAX_DEPTH:
        playlist.remark(f"{one_line(text)!r} is nested more than {MAX_DEPTH} deep, left out")
    elif depth < seen.playlists.get(real, MAX_DEPTH):  # nothing new is in one that was read, unless it was cut deeper
        seen.playlists[real] = depth
        try:
            _fill(playlist, inner, _lines(inner)[1], find, (*way, real), seen)
        except PlaylistError as error:
            playlist.remark(f"{one_line(text)!r} {error}")


def _lines(path: Path) -> tuple[str, list[str]]:
    """A playlist's own name, which may be empty, and its entries."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PlaylistError(f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise PlaylistError(f"is larger than {MAX_BYTES >> 20} MB, which no playlist is")
    name = ""
    entries: list[str] = []
    for line in decode_text(data).split("\n"):
        text = line.strip("\r\t \0\ufeff")
        if text.startswith("#EXT-X-"):
            raise PlaylistError("is the playlist of a stream (HLS), which names no files of music")
        if text.upper().startswith("#PLAYLIST:"):
            name = text[len("#PLAYLIST:") :]
        elif text and not text.startswith("#"):
            entries.append(text)
    return name, entries
