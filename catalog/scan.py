"""Which files of a folder to try as music, and which of them have a cue sheet."""

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from .cuesheet import match_sheets
from .libraries.locations import candidates
from .libraries.m3u8 import Playlist, is_playlist, on_disk, read_playlist
from .sidecar import NAMES as SIDECARS
from .stored import FileStamp

_MUSIC = (
    "aac ac3 aif aifc aiff alac amr ape au caf dsf dts eac3 flac gsm m4a m4b m4r mka mp1 mp2 mp3 mpc oga ogg "
    "opus ra shn snd spx tak tta voc w64 wav wave weba wma wv "
    "3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv rm ts vob webm wmv"
)
# Notes for an instrument or a game's chip rather than sound: FFmpeg, as it comes with PyAV, plays none of them.
_SCORES = (
    "669 amf dbm far it mod mo3 mptm mtm okt ptm s3m stm ult umx xm "
    "kar mid midi rmi "
    "ay gbs hes kss nsf nsfe sap sid spc vgm vgz"
)
# Never music, and common beside it; files with any other ending are opened.
_OTHER = (
    "bmp gif heic ico jpeg jpg png psd svg tif tiff webp "
    "asx cue m3u m3u8 pls wpl xspf "
    "csv doc docx htm html ini json log md nfo pdf rtf srt sfv txt vtt xml yaml yml "
    "7z bz2 db exe gz iso rar sqlite tar torrent xz zip py sh"
)
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
MUSIC = frozenset(_MUSIC.split())
SCORES = frozenset(_SCORES.split())
OTHER = frozenset(_OTHER.split())


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of a walk. ``files`` to try, in a fixed order; ``skipped`` counts those that are no music by their
    name; ``scores`` counts trackers' modules, MIDI and chip music by ending; ``closed``: folders and files that could
    not be read, and why; ``sheets``: the cue sheet of a file that has one; ``notes`` on sheets that are of no use;
    ``sidecars``: tables of rights and the like, see ``sidecar.py``; ``playlists``: those that lie there; ``listed``:
    the one whose files these are, instead of a folder's, and ``gone``: where those could be that it names and that are
    not there.
    """

    files: dict[Path, FileStamp] = field(default_factory=dict)
    skipped: int = 0
    scores: Counter[str] = field(default_factory=Counter)
    closed: dict[Path, str] = field(default_factory=dict)
    sheets: dict[Path, Path] = field(default_factory=dict)
    notes: list[tuple[Path, str]] = field(default_factory=list)
    sidecars: list[Path] = field(default_factory=list)
    playlists: list[Path] = field(default_factory=list)
    listed: Playlist | None = None
    gone: frozenset[Path] = frozenset()


def scan(folder: Path, leave_out: Path) -> Scan:
    """Walk ``folder`` and what is linked in it, without hidden files and folders, files that are no plain files, and
    ``leave_out``. A folder or file that is reached by several ways counts once, under its own name where that is in
    ``folder``.
    """
    walk = _Walk(leave_out)
    walk.whole(folder)
    return _scan_of(walk)


def scan_playlist(playlist: Path, leave_out: Path) -> Scan:
    """The files that ``playlist`` names, wherever they are, with the cue sheets beside them. Raises
    ``PlaylistError``."""
    listed = read_playlist(playlist, on_disk)
    walk = _Walk(leave_out)
    walk.these(listed.files)
    gone = frozenset(path for text in listed.absent for path in candidates(text, playlist.parent))
    # A sheet there may be of files that are not on the list.
    return replace(_scan_of(walk), listed=listed, gone=gone, notes=[])


def _scan_of(walk: "_Walk") -> Scan:
    files = dict(sorted(walk.files.items()))
    sheets, notes = match_sheets(walk.sheets, files)
    for file, sheet in sheets.items():
        files[file] = replace(files[file], beside=_stamp_text(sheet))
    return Scan(files, walk.skipped, walk.scores, walk.closed, sheets, notes, walk.sidecars, walk.playlists)


class _Walk:
    """Real folders first, then linked ones, so that what is in the folder itself counts under its own name."""

    def __init__(self, leave_out: Path) -> None:
        self.files: dict[Path, FileStamp] = {}
        self.sheets: list[Path] = []
        self.sidecars: list[Path] = []
        self.playlists: list[Path] = []
        self.skipped = 0
        self.scores: Counter[str] = Counter()
        self.closed: dict[Path, str] = {}
        self._walked: set[object] = set()  # folders, by what they really are
        self._counted: set[object] = set()  # files
        self._links: list[Path] = []  # to folders
        self._linked: list[Path] = []  # names that lead to files elsewhere
        if status := _status(leave_out):
            self._walked.add(_identity(leave_out, status))

    def whole(self, folder: Path) -> None:
        self._links.append(folder)
        while self._links:
            self._walk(self._links.pop(0))
        for path in self._linked:
            self._take(path)

    def these(self, files: Iterable[Path]) -> None:
        """Files by their names, and the cue sheets in their folders."""
        folders: set[Path] = set()
        for path in files:
            self._take(path)
            if path.parent not in folders:
                folders.add(path.parent)
                self.sheets += sorted(other for other in _entries(path.parent) if extension(other) == "cue")

    def _walk(self, top: Path) -> None:
        for root, folders, names in os.walk(top, onerror=self._note_closed):
            folder = Path(root)
            if not self._first_time(folder):
                folders.clear()
                continue
            for name in [name for name in folders if not name.startswith(".") and _is_link(folder / name)]:
                self._links.append(folder / name)
            folders[:] = sorted(n for n in folders if not n.startswith(".") and not _is_link(folder / n))
            for name in sorted(names):
                path = folder / name
                if _is_link(path):
                    self._linked.append(path)
                else:
                    self._take(path)

    def _take(self, path: Path) -> None:
        ending = extension(path)
        # Opening a pipe would wait for ever.
        if path.name.casefold() in SIDECARS:
            if _is_plain(path):
                self.sidecars.append(path)
            return
        if ending == "cue" and not path.name.startswith(".") and _is_plain(path):
            self.sheets.append(path)
        elif is_playlist(path) and not path.name.startswith(".") and _is_plain(path):
            self.playlists.append(path)
        hidden_or_other = path.name.startswith(".") or ending in OTHER
        status = None if hidden_or_other or ending in SCORES else self._status(path)
        if ending in SCORES and not path.name.startswith("."):
            self.scores[ending] += 1
        elif path in self.closed:
            return
        elif status is None or not stat.S_ISREG(status.st_mode):
            self.skipped += 1
        elif not _is_link(path) or _identity(path, status) not in self._counted:
            self._counted.add(_identity(path, status))
            self.files[path] = FileStamp(status.st_size, status.st_mtime_ns)

    def _status(self, path: Path) -> os.stat_result | None:
        """A file that is there but does not answer, as on a drive that is failing, is closed, not gone."""
        try:
            return path.stat()
        except OSError as error:
            if error.errno not in GONE:
                self.closed[path] = f"cannot be read: {error.strerror}"
            return None

    def _first_time(self, folder: Path) -> bool:
        status = _status(folder)
        if status is None or _identity(folder, status) in self._walked:
            return False
        self._walked.add(_identity(folder, status))
        return True

    def _note_closed(self, error: OSError) -> None:
        self.closed[Path(error.filename)] = f"folder cannot be read: {error.strerror}"


def extension(path: Path) -> str:
    return path.suffix[1:].casefold()


def named_as_music(path: Path) -> bool:
    """Whether a file's name promises music: if it holds none, the report names it."""
    return extension(path) in MUSIC


def _entries(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return []


def _is_link(path: Path) -> bool:
    """Also of a file that does not answer, where ``Path.is_symlink`` raises."""
    return os.path.islink(path)  # noqa: PTH114


def _is_plain(path: Path) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _identity(path: Path, status: os.stat_result) -> object:
    """The same value for all names of one file or folder; some network drives have no numbers."""
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def _stamp_text(path: Path) -> str:
    """Text that changes when a cue sheet does."""
    status = _status(path)
    return path.name if status is None else f"{path.name} {status.st_size} {status.st_mtime_ns}"
