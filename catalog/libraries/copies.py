"""A folder of copies of what a server has, so that it can be indexed, and played without the server.

Files that came once are not fetched again, and those that the server does not have any more are removed; other files
in the folder are never touched, and a folder that holds some before the first copy is refused. A server that suddenly
has nothing, or far less, has rather lost sight of its music: then nothing is done unless the user says so.
"""

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from catalog.errors import LibraryError

from .opensubsonic import Server, Song, SongError, enough_room
from .prepared import LEAST_BPM, MOST_BPM, Library, Prepared

INDEX: Final = ".segue-copies.json"  # which file is which song's
PARTIAL: Final = ".segue-copy.part"
ORIGIN: Final = "opensubsonic"
MOST_FAILURES: Final = 20  # one behind the other
SAVE_S = 5.0  # at most so many seconds of copies are not known any more when the program is killed
FEW, SHARE = 10, 0.25  # of the copies: so many may be gone from the server at once without a question
DROP: Final = "--drop-copies"
MAX_NAME: Final = 120  # characters of a folder's or file's name
MAX_BYTES: Final = 240  # of it in UTF-8: file systems take 255, and a number may be added
_ODD: Final = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\ud800-\udfff]')
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Copy:
    """A song's file in the folder; ``size`` as the server gave it when it came, ``length`` as it came, in bytes."""

    file: str
    size: int
    length: int


Copies = dict[str, Copy]  # by the song's id


def copy_music(server: Server, folder: Path, progress: Progress, drop: bool = False) -> Library:
    """Make ``folder`` hold what ``server`` has; returns what it knows of the files. ``drop``: however many copies it
    does not have any more. Raises ``LibraryError``."""
    known = _read_index(server, folder)
    songs = list(server.songs())
    gone = known.keys() - {song.id for song in songs}
    if gone and not drop and (not songs or len(gone) > max(FEW, SHARE * len(known))):
        raise LibraryError(
            f"{server.name}: lists {len(songs)} songs, without {len(gone)} of the {len(known)} that were copied from "
            f"it; nothing was changed. Look whether the server sees all of its music; {DROP} removes these copies"
        )
    try:
        for id in gone:
            (folder / known[id].file).unlink(missing_ok=True)
            del known[id]
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be written ({error.strerror}); mend its permissions") from error
    names = _names(songs, known, folder)
    notes: list[str] = []
    try:
        _write_index(server, folder, known)
        _fetch_all(server, folder, songs, names, known, notes, progress)
    finally:
        _write_index(server, folder, known)
    lists: dict[str, list[str]] = {}
    for name, ids in server.playlists().items():
        for id in ids:
            lists.setdefault(id, []).append(name)
    tracks = [_prepared(folder / known[song.id].file, song, lists) for song in songs if song.id in known]
    return Library(Path(server.name), ORIGIN, tracks, notes)


def _fetch_all(
    server: Server, folder: Path, songs: list[Song], names: dict[str, str], known: Copies, notes: list[str],
    progress: Progress,
) -> None:  # fmt: skip
    failures, saved_s = 0, time.monotonic()
    for done, song in enumerate(songs):
        if _is_here(folder, known.get(song.id), song):
            continue
        progress(done, len(songs), names[song.id])
        try:
            _fetch(server, folder, song, known, names[song.id])
            failures = 0
        except SongError as error:
            failures += 1
            notes.append(f"{names[song.id]!r} {error}")
            if failures >= MOST_FAILURES:
                raise LibraryError(f"{server.name}: {failures} songs one behind the other failed: {error}") from error
        if time.monotonic() - saved_s >= SAVE_S:
            _write_index(server, folder, known)
            saved_s = time.monotonic()


def safe_name(song: Song) -> str:
    """A song's path as names that any file system takes, below the folder."""
    parts = [_ODD.sub("_", part).strip(" .") for part in song.path.split("/")]
    kept = [part for part in parts if part][-3:] or ["song"]
    *folders, last = [_cut(part).rstrip(" .") for part in kept[:-1]] + [kept[-1]]
    stem, dot, ending = last.rpartition(".")
    ending = f"{dot}{ending[:8]}" if stem else ""
    return "/".join([*folders, _cut(stem or last, ending)])


def _cut(name: str, ending: str = "") -> str:
    """A name cut, at a character's border, so that it is within the bounds with its ending."""
    room = MAX_BYTES - len(ending.encode())
    return name[: MAX_NAME - len(ending)].encode()[:room].decode(errors="ignore") + ending


def _names(songs: list[Song], known: Copies, folder: Path) -> dict[str, str]:
    """A file's name for each song's id: that of its copy; else one that no copy and no other file in the folder has."""
    names = {song.id: known[song.id].file for song in songs if song.id in known}
    taken = {INDEX, *(name.casefold() for name in names.values())}
    for song in songs:
        if song.id in names:
            continue
        name = safe_name(song)
        count = 1
        while name.casefold() in taken or (folder / name).exists():
            stem, dot, ending = safe_name(song).rpartition(".")
            count += 1
            name = f"{stem or ending} ({count}){dot}{ending if stem else ''}"
        taken.add(name.casefold())
        names[song.id] = name
    return names


def _is_here(folder: Path, copy: Copy | None, song: Song) -> bool:
    if copy is None or copy.size != song.size:
        return False
    try:
        return (folder / copy.file).stat().st_size == copy.length
    except OSError:
        return False


def _fetch(server: Server, folder: Path, song: Song, known: Copies, name: str) -> None:
    if not enough_room(folder, song.size):
        raise LibraryError(f"{folder}: less than 1 GB of room is left; free some, or name a folder on another disk")
    partial = folder / PARTIAL
    server.fetch(song, partial)
    try:
        if (old := known.pop(song.id, None)) is not None:
            (folder / old.file).unlink(missing_ok=True)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        length = partial.stat().st_size
        partial.replace(path)
    except OSError as error:
        raise SongError(f"cannot be kept: {error.strerror}") from error
    known[song.id] = Copy(name, song.size, length)


def _prepared(path: Path, song: Song, lists: dict[str, list[str]]) -> Prepared:
    return Prepared(
        str(path),
        size=path.stat().st_size,
        length_s=song.length_s,
        tempo_bpm=song.bpm if LEAST_BPM <= song.bpm <= MOST_BPM else 0.0,
        rating=song.rating,
        playlists=tuple(dict.fromkeys(lists.get(song.id, ()))),
    )


def _read_index(server: Server, folder: Path) -> Copies:
    """Which song each file is. Makes the folder. Raises ``LibraryError`` for one that is used otherwise."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = (folder / INDEX).read_text(encoding="utf-8")
    except FileNotFoundError:
        if any(folder.iterdir()):
            raise LibraryError(
                f"{folder}: holds other files; name a new folder for the copies of {server.name}"
            ) from None
        return {}
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be used for copies ({error.strerror}); name another folder") from error
    try:
        stored: Any = json.loads(text)
        if stored["server"] != server.name:
            raise LibraryError(f"{folder}: holds copies of {stored['server']}; name another folder for {server.name}")
        songs = {
            str(id): Copy(str(entry["file"]), int(entry["size"]), int(entry["length"]))
            for id, entry in stored["songs"].items()
        }
    except LibraryError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LibraryError(f"{folder / INDEX}: is damaged; delete it and the folder's files, and copy again") from error
    if any(".." in Path(copy.file).parts or Path(copy.file).is_absolute() for copy in songs.values()):
        raise LibraryError(f"{folder / INDEX}: names files outside of the folder; delete it, and copy again")
    return songs


def _write_index(server: Server, folder: Path, known: Copies) -> None:
    partial = folder / (INDEX + ".tmp")
    stored = {"server": server.name, "songs": {id: asdict(copy) for id, copy in known.items()}}
    try:
        partial.write_text(json.dumps(stored), encoding="utf-8")
        os.replace(partial, folder / INDEX)  # noqa: PTH105
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be written ({error.strerror}); free some space") from error
