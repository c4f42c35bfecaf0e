"""Which files of a folder to try as music."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .store import FileStamp

ID_DIGITS = 16
_MUSIC = (
    "aac ac3 aif aifc aiff alac amr ape au caf dsf dts eac3 flac gsm it m4a m4b m4r mka mod mp1 mp2 mp3 mpc oga ogg "
    "opus ra s3m shn snd spx tak tta voc w64 wav wave weba wma wv xm "
    "3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv rm ts vob webm wmv"
)
# Never music, and common beside it; anything of another name is opened to see.
_OTHER = (
    "bmp gif heic ico jpeg jpg png psd svg tif tiff webp "
    "asx cue m3u m3u8 pls wpl xspf "
    "csv doc docx htm html ini json log md nfo pdf rtf srt sfv txt vtt xml yaml yml "
    "7z bz2 db exe gz iso rar sqlite tar torrent xz zip py sh"
)
MUSIC = frozenset(_MUSIC.split())
OTHER = frozenset(_OTHER.split())


@dataclass(frozen=True, slots=True)
class Found:
    """Files to try, in a fixed order; ``skipped`` counts the others; folders that could not be read, with why."""

    files: dict[Path, FileStamp]
    skipped: int
    closed: dict[Path, str]


def scan(folder: Path, leave_out: Path) -> Found:
    """Walk ``folder``; hidden files and folders, what is no plain file, and ``leave_out`` are not looked into."""
    files: dict[Path, FileStamp] = {}
    closed: dict[Path, str] = {}
    skipped = 0

    def note(error: OSError) -> None:
        closed[Path(error.filename)] = f"folder cannot be read: {error.strerror}"

    for root, folders, names in os.walk(folder, onerror=note):
        here = Path(root)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and here / name != leave_out)
        for name in sorted(names):
            path = here / name
            stamp = None if name.startswith(".") or extension(path) in OTHER else stamp_of(path)
            if stamp is None:
                skipped += 1
            else:
                files[path] = stamp
    return Found(files, skipped, closed)


def stamp_of(path: Path) -> FileStamp | None:
    """Size and time of a plain file (or a link to one); None for anything else: opening a pipe would wait for ever."""
    try:
        status = path.stat()
    except OSError:
        return None
    return FileStamp(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def extension(path: Path) -> str:
    return path.suffix[1:].casefold()


def named_as_music(path: Path) -> bool:
    """Whether a file that is not music deserves a word: its name promised it."""
    return extension(path) in MUSIC


def track_id(path: Path) -> str:
    """The first 16 hex digits of the SHA-256 of the file. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:ID_DIGITS]
