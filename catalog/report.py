"""What an index run tells: counts, and notes on files."""

import os
from dataclasses import dataclass
from pathlib import Path

from .scan import Scan
from .tags import one_line


@dataclass(frozen=True, slots=True)
class FileNote:
    """A file and a note on it, such as why it failed."""

    path: Path
    text: str

    def line(self) -> str:
        """On one line, whatever the file's name holds."""
        return f"{printable(self.path)}: {self.text}"


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Counts of tracks; ``failed`` files, each with its reason; ``notes`` on files that were indexed nevertheless."""

    added: int
    refreshed: int  # a known path with new content
    removed: int  # missing ones that were to be forgotten
    unchanged: int
    failed: tuple[FileNote, ...]
    retagged: int = 0  # the same sound under other names
    renamed: int = 0
    recoded: int = 0  # the same track in another encoding, its old file gone: its id stays
    returned: int = 0  # were missing, are there again
    healed: int = 0  # analysed again, since what the catalogue kept of them was lost or damaged
    completed: int = 0  # whose key was measured afterwards, see ``refresh``
    incomplete: int = 0  # analysed by a version that measured no keys
    missing: int = 0  # in the catalogue, their files not there now: not suggested
    duplicates: int = 0  # files whose sound another file has as well
    copies: int = 0  # tracks of a recording that is suggested from another file
    skipped: int = 0  # files that are no music by their name or nature
    scores: int = 0  # trackers' modules, MIDI and the like, which hold no sound
    described: int = 0  # tracks of which sidecars say something
    notes: tuple[FileNote, ...] = ()
    away: tuple[FileNote, ...] = ()  # folders whose tracks stay although their files are not there, see ``absent.py``
    changing: int = 0  # files that somebody is still writing: for the next time
    tracks: int = 0  # that can be suggested now, one a recording
    playlists: int = 0  # that name a file here
    prepared: int = 0  # files that a library knows


def no_music_text(music: Path, scanned: Scan) -> str:
    if music in scanned.closed:
        return f"{printable(music)}: {scanned.closed[music]}; mend its permissions, or see that its drive is there"
    if not music.exists():
        return f"{printable(music)}: no such folder; name a folder of music"
    if scanned.listed is not None:
        absent = "".join(f"; {note}" for note in scanned.listed.notes())
        return f"{printable(music)}: names no music that is here{absent}; nothing was changed"
    others = scanned.skipped + scanned.scores.total()
    scores = f"; {scores_text(scanned)}" if scanned.scores else ""
    return f"{printable(music)}: holds no music ({others} other files){scores}; nothing was changed"


def scores_text(scanned: Scan) -> str:
    """A note on files that hold notes rather than sound, and how to render them."""
    endings = ", ".join(f"{count} .{ending}" for ending, count in sorted(scanned.scores.items()))
    return (
        f"{endings} passed over: notes, not sound; render them to FLAC or WAV first "
        "(OpenMPT or openmpt123 for modules, FluidSynth for MIDI, VGMPlay or Audacious for chip music)"
    )


def lacking_text(tracks: int) -> str:
    """A note on tracks whose key nobody has measured."""
    which = "1 track was" if tracks == 1 else f"{tracks} tracks were"
    return f"{which} analysed before keys were measured; segue index --refresh does that alone, an hour in seconds"


def printable(path: Path) -> str:
    """A path on one line of valid text."""
    return one_line(os.fsencode(path).decode("utf-8", "replace"))
