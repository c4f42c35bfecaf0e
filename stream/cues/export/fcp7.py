"""Final Cut Pro 7 XML (xmeml 5), which Premiere Pro and DaVinci Resolve import: the music on an audio track, with a
marker for each cue. All numbers are frames of the timeline's rate; ``ntsc`` says that it is a thousandth slower."""

import xml.etree.ElementTree as ET

from ..timecode import exactly
from .sheet import Sheet, Span
from .texts import one_line, url_of
from .xml_text import document, element


def make(sheet: Sheet) -> str:
    """The file's text."""
    options = sheet.options
    root = element("xmeml", version="5")
    sequence = element("sequence", root, id="sequence-1")
    element("name", sequence, one_line(sheet.title))
    element("duration", sequence, str(sheet.frames))
    _rate(sheet, sequence)
    timecode = element("timecode", sequence)
    _rate(sheet, timecode)
    element("string", timecode, sheet.timecode(0))
    element("frame", timecode, str(options.start))
    element("displayformat", timecode, "DF" if options.rate.drop else "NDF")
    media = element("media", sequence)
    element("track", element("video", media))
    track = element("track", element("audio", media))
    files: dict[str, str] = {}
    for number, span in enumerate(sheet.music, 1):
        _clip(sheet, track, number, span, files)
    for span in sheet.spans:
        marker = element("marker", sequence)
        element("name", marker, one_line(span.label))
        element("comment", marker, one_line(span.note))
        element("in", marker, str(span.begin))
        element("out", marker, "-1")
    return document(root, "xmeml")


def _clip(sheet: Sheet, track: ET.Element, number: int, span: Span, files: dict[str, str]) -> None:
    rate, frames = sheet.options.rate, span.end - span.begin
    length = max(rate.frame(exactly(span.known.begin_s + span.known.duration_s)), span.source + frames)
    clip = element("clipitem", track, id=f"clipitem-{number}")
    element("name", clip, one_line(span.cue.words))
    element("duration", clip, str(length))
    _rate(sheet, clip)
    element("start", clip, str(span.begin))
    element("end", clip, str(span.end))
    element("in", clip, str(span.source))
    element("out", clip, str(span.source + frames))
    known = span.place in files
    file = element("file", clip, id=files.setdefault(span.place, f"file-{len(files) + 1}"))
    if not known:
        element("name", file, one_line(span.place.rpartition("/")[2]))
        element("pathurl", file, url_of(span.place).replace("file:///", "file://localhost/", 1))
        _rate(sheet, file)
        element("duration", file, str(length))
        audio = element("audio", element("media", file))
        element("channelcount", audio, "2")
    source = element("sourcetrack", clip)
    element("mediatype", source, "audio")
    element("trackindex", source, "1")
    comments = element("comments", clip)
    element("mastercomment1", comments, one_line(span.note))


def _rate(sheet: Sheet, parent: ET.Element) -> None:
    rate = element("rate", parent)
    element("timebase", rate, str(sheet.options.rate.nominal))
    element("ntsc", rate, "FALSE" if sheet.options.rate.exact else "TRUE")
