"""Playlists and libraries -> notes of the catalogue, at the end of an index. No sound is analysed for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from catalog.errors import LibraryError
from catalog.notes import Note
from catalog.store import Store

from .agreement import agreement
from .delay import mixxx_shift_s, rekordbox_shift_s
from .locations import Finder, candidates
from .m3u8 import Playlist, PlaylistError, read_playlist
from .mixxx import FILE, is_mixxx, read_mixxx
from .notes import CLOCK, M3U8, PLAYLIST, is_within, notes_of, playlist_field
from .prepared import Library, Prepared
from .rekordbox import read_rekordbox

ORIGINS: Final = ("rekordbox", "mixxx", "opensubsonic")


@dataclass(slots=True)
class Brought:
    """``playlists``: how many name a file here; ``tracks``: how many files libraries know; ``notes``: what was left
    out, and where."""

    playlists: int = 0
    tracks: int = 0
    notes: list[tuple[Path, str]] = field(default_factory=list)


def read_library(path: Path) -> Library:
    """A library of any program that is known, by its content; a folder is Mixxx's. Raises ``LibraryError``."""
    if path.is_dir():
        path /= FILE
    try:
        return read_mixxx(path) if is_mixxx(path) else read_rekordbox(path)
    except OSError as error:
        raise LibraryError(
            f"{path}: cannot be read ({error.strerror}); name rekordbox's exported XML or Mixxx's {FILE}"
        ) from error


def playlist_finder(sizes: Mapping[Path, int]) -> Callable[[str, Path], Path | None]:
    """Finds what an entry of a playlist means among files here."""
    finder = Finder(sizes)

    def find(text: str, folder: Path) -> Path | None:
        for path in candidates(text, folder):
            if path in sizes:
                return path
        return finder.find(text)

    return find


def read_playlists(paths: Iterable[Path], sizes: Mapping[Path, int], brought: Brought) -> list[Playlist]:
    """The playlists of a folder, as far as they can be read."""
    find = playlist_finder(sizes)
    read: list[Playlist] = []
    for path in sorted(paths):
        try:
            read.append(read_playlist(path, find))
        except PlaylistError as error:
            brought.notes.append((path, f"{error}; this playlist is not used"))
    return read


def bring_playlists(store: Store, root: Path, playlists: Sequence[Playlist], brought: Brought) -> None:
    """Let ``playlists`` be all that lie in ``root`` (or are it)."""
    new: dict[tuple[Path, str], str] = {}
    for playlist in playlists:
        brought.notes += [(playlist.path, note) for note in playlist.notes()]
        brought.playlists += bool(playlist.files)
        new |= {(file, playlist_field(playlist.path)): playlist.name for file in playlist.files}
    old = {
        (path, name): value
        for (path, _), said in store.notes.all().items()
        for name, value in said.get(M3U8, {}).items()
        if name.startswith(PLAYLIST) and is_within(name, root)
    }
    _replace(store, M3U8, new, old)


def bring_libraries(
    store: Store, libraries: Sequence[Library], sizes: Mapping[Path, int], inside: Callable[[Path], bool],
    brought: Brought,
) -> None:  # fmt: skip
    """Let what ``libraries`` say of the files ``inside`` be all that their programs say of those. Of two libraries of
    one program the first that knows a file counts."""
    finder = Finder({path: size for path, size in sizes.items() if inside(path)})
    known: set[Path] = set()
    for origin in dict.fromkeys(library.origin for library in libraries):
        new: dict[tuple[Path, str], str] = {}
        old = {
            (path, name): value
            for (path, _), said in store.notes.all().items()
            for name, value in said.get(origin, {}).items()
            if inside(path)
        }
        for library in libraries:
            if library.origin != origin:
                continue
            brought.notes += [(library.path, note) for note in library.notes]
            found = _found(library, finder, sizes)
            fresh = {file: track for file, track in found.items() if (file, "") not in new}
            for file, track in fresh.items():
                new[file, ""] = ""
                new |= _notes(file, track, origin, old.get((file, CLOCK), ""))
            known |= fresh.keys()
            brought.notes.append((library.path, f"knows {len(found)} of the files here ({len(library.tracks)} tracks)"))
            if origin == "rekordbox":
                own = {key: value for key, value in new.items() if key[0] in fresh}
                brought.notes += [(library.path, text) for text in agreement(own, store.beats)]
        new = {key: value for key, value in new.items() if key[1]}
        _replace(store, origin, new, old)
    brought.tracks = len(known)


def forget_libraries(store: Store, inside: Callable[[Path], bool]) -> None:
    """Drop what libraries said of files ``inside``."""
    said_by_place = store.notes.all()
    for origin in ORIGINS:
        keys = [
            (path, begin_s, name)
            for (path, begin_s), said in said_by_place.items()
            for name in said.get(origin, {})
            if inside(path)
        ]
        store.notes.remove(origin, keys)


def _notes(file: Path, track: Prepared, origin: str, clock: str) -> dict[tuple[Path, str], str]:
    """The notes on a file, in times as ``decode`` counts them. ``clock``: the one of the run before."""
    if not (track.tempi or track.beats_s or track.cues):
        return {(note.path, note.field): note.value for note in notes_of(file, track)}
    made, by_s = _clock(file, track, origin, clock)
    notes = {(note.path, note.field): note.value for note in notes_of(file, track.shifted(by_s))}
    return notes | {(file, CLOCK): made}


def _clock(file: Path, track: Prepared, origin: str, before: str) -> tuple[str, float]:
    """What to add to the times, and a note of it, which tells whether it still holds: it takes reading the file."""
    try:
        status = file.stat()
        stamp = f"{status.st_size} {status.st_mtime_ns} {track.first_sound_s}"
    except OSError:
        stamp = ""
    known, _, shift = before.rpartition(" ")
    if stamp and known == stamp:
        return before, float(shift)
    by_s = rekordbox_shift_s(file) if origin == "rekordbox" else mixxx_shift_s(file, track.first_sound_s)
    return f"{stamp} {by_s!r}", by_s


def _found(library: Library, finder: Finder, sizes: Mapping[Path, int]) -> dict[Path, Prepared]:
    """The tracks of files here; of several that seem to be one file the one with its size."""
    found: dict[Path, Prepared] = {}
    for track in library.tracks:
        file = finder.find(track.location, track.size)
        if file is not None and (file not in found or (track.size == sizes[file] != found[file].size)):
            found[file] = track
    return found


def _replace(
    store: Store, origin: str, new: Mapping[tuple[Path, str], str], old: Mapping[tuple[Path, str], str]
) -> None:
    gone = [(path, 0.0, name) for path, name in old.keys() - new.keys()]
    changed = [Note(path, 0.0, name, value) for (path, name), value in new.items() if old.get((path, name)) != value]
    if gone or changed:
        store.notes.change(origin, gone, changed)
