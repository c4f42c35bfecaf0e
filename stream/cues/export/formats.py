"""The formats: what each is called, its file, and what makes it."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..errors import CueError
from ..known import Lookup
from ..model import Session
from . import (
    chapters,
    cue_sheet,
    edl,
    fcp7,
    fcpxml,
    music_report,
    otio,
    playlist,
    resolve_markers,
    table,
    whole,
    youtube,
)
from .options import ExportOptions
from .sheet import Sheet, make_sheet


@dataclass(frozen=True, slots=True)
class Format:
    """``file`` is the name after the session's own; ``kind`` its media type; ``about`` what reads it."""

    name: str
    file: str
    kind: str
    about: str
    make: Callable[[Sheet], str]


FORMATS: Final = {
    one.name: one
    for one in (
        Format("edl", "cues.edl", "text/plain", "CMX 3600 list: Resolve, Premiere, Avid", edl.make),
        Format("markers", "markers.edl", "text/plain", "markers for Resolve", resolve_markers.make),
        Format("fcpxml", "cues.fcpxml", "application/xml", "Final Cut Pro, Resolve", fcpxml.make),
        Format("xml", "cues.xml", "application/xml", "Final Cut Pro 7 XML: Premiere, Resolve", fcp7.make),
        Format("otio", "cues.otio", "application/json", "OpenTimelineIO", otio.make),
        Format("csv", "cues.csv", "text/csv", "every field, for spreadsheets", table.make),
        Format("json", "cues.json", "application/json", "the whole session, for programs", whole.make),
        Format("m3u8", "cues.m3u8", "audio/x-mpegurl", "playlist with offsets for VLC", playlist.make_m3u8),
        Format("jspf", "cues.jspf", "application/json", "playlist in JSON", playlist.make_jspf),
        Format("cue", "cues.cue", "text/plain", "tracks of the recording, for players", cue_sheet.make),
        Format("vtt", "chapters.vtt", "text/vtt", "chapters: browsers, VLC, mpv", chapters.make),
        Format("youtube", "youtube.txt", "text/plain", "chapters and credits for a description", youtube.make),
        Format("cuesheet", "cuesheet.csv", "text/csv", "music cue sheet for rights reporting", music_report.make_csv),
        Format("cuesheet-txt", "cuesheet.txt", "text/plain", "the same, to print", music_report.make_txt),
    )
}
BY_FILE: Final = {one.file: one for one in FORMATS.values()}


def find(name: str) -> Format:
    """A format by its name or its file's. Raises CueError."""
    if (found := FORMATS.get(name) or BY_FILE.get(name)) is not None:
        return found
    near = difflib.get_close_matches(name, [*FORMATS, *BY_FILE], n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FORMATS)}"
    raise CueError(f"no format {name[:40]!r}; {hint}")


def export(session: Session, format: Format, options: ExportOptions, look_up: Lookup) -> tuple[str, Sheet]:
    """The file's text, and what is in it. Raises CueError where the format cannot hold it."""
    sheet = make_sheet(session, options, look_up)
    return format.make(sheet), sheet
