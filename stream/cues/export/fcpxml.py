"""Final Cut Pro XML 1.8 (Final Cut Pro, DaVinci Resolve): the music as connected clips below an empty storyline.

Every time is a whole number of frames, written as a multiple of ``frameDuration``, since Final Cut Pro rounds others.
Each cue is a marker (``note`` says why) and each stretch of music a chapter marker as well. ``completed`` is never set:
it would turn a marker into a to-do item.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Final

from ..timecode import exactly
from .sheet import Sheet
from .texts import one_line, url_of
from .xml_text import document, element

FORMATS: Final = {
    "24000/1001": "FFVideoFormat1080p2398", "24": "FFVideoFormat1080p24", "25": "FFVideoFormat1080p25",
    "30000/1001": "FFVideoFormat1080p2997", "30": "FFVideoFormat1080p30", "50": "FFVideoFormat1080p50",
    "60000/1001": "FFVideoFormat1080p5994", "60": "FFVideoFormat1080p60",
}  # fmt: skip


def make(sheet: Sheet) -> str:
    """The file's text."""
    options = sheet.options
    fps = options.rate.fps

    def time(frames: int) -> str:
        return f"{frames * fps.denominator}/{fps.numerator}s" if frames else "0s"

    root = element("fcpxml", version="1.8")
    resources = element("resources", root)
    shape = element("format", resources, id="r1", frameDuration=time(1), width=1920, height=1080)
    if name := FORMATS.get(str(fps)):
        shape.set("name", name)
    assets = _assets(sheet, resources, time)
    event = element("event", element("library", root), name="Segue")
    project = element("project", event, name=one_line(sheet.title))
    sequence = element(
        "sequence", project, format="r1", duration=time(sheet.frames), tcStart=time(options.start),
        tcFormat="DF" if options.rate.drop else "NDF", audioLayout="stereo", audioRate="48k",
    )  # fmt: skip
    gap = element(
        "gap", element("spine", sequence), name="Gap", offset=time(options.start), start=time(options.start),
        duration=time(sheet.frames),
    )  # fmt: skip
    for span in sheet.music:
        clip = element(
            "asset-clip", gap, ref=assets[span.place], lane=-1, offset=time(options.start + span.begin),
            start=time(span.source), duration=time(span.end - span.begin), name=one_line(span.cue.words),
            audioRole="music",
        )  # fmt: skip
        element("note", clip, one_line(span.note))
    for span in sheet.spans:
        at = {"start": time(options.start + span.begin), "duration": time(1)}
        element("marker", gap, **at, value=one_line(span.label), note=one_line(span.note))
        if span.is_music:
            element("chapter-marker", gap, **at, value=one_line(span.label), posterOffset="0s")
    return document(root, "fcpxml")


def _assets(sheet: Sheet, resources: ET.Element, time: Callable[[int], str]) -> dict[str, str]:
    """An asset for each file, as long as what is used of it at least; their ids by place."""
    rate = sheet.options.rate
    lengths: dict[str, int] = {}
    for span in sheet.music:
        whole = rate.frame(exactly(span.known.begin_s + span.known.duration_s))
        used = span.source + span.end - span.begin
        lengths[span.place] = max(lengths.get(span.place, 1), whole, used)
    ids: dict[str, str] = {}
    for number, (place, frames) in enumerate(lengths.items(), 2):
        ids[place] = f"r{number}"
        element(
            "asset", resources, id=ids[place], name=one_line(place.rpartition("/")[2]), src=url_of(place), start="0s",
            duration=time(frames), hasAudio=1, audioSources=1, audioChannels=2, audioRate=48000,
        )  # fmt: skip
    return ids
