"""OpenTimelineIO (.otio): the music on an audio track, every cue as a marker of the timeline, all fields as metadata.

Only exact rates: OpenTimelineIO writes a rate of 29.97 and cannot make timecode of it again.
"""

import importlib
from typing import Any, Final

from ..lines import cue_object
from ..timecode import exactly
from .edl import COLOURS
from .sheet import Sheet, Span
from .texts import one_line, url_of

EXTRA: Final = "opentimelineio"


def make(sheet: Sheet) -> str:
    """The file's text. Raises ModuleNotFoundError, for ``segue.missing``, without the extra ``otio``."""
    otio: Any = importlib.import_module(EXTRA)
    rate = sheet.options.rate
    hertz = rate.fps.numerator / rate.fps.denominator

    def time(frames: int) -> Any:
        return otio.opentime.RationalTime(frames, hertz)

    def part(begin: int, frames: int) -> Any:
        return otio.opentime.TimeRange(time(begin), time(frames))

    timeline = otio.schema.Timeline(one_line(sheet.title), global_start_time=time(sheet.options.start))
    timeline.metadata["segue"] = {**sheet.session.summary(), "drop_frame": rate.drop, "clock": sheet.options.clock}
    track = otio.schema.Track("Music", kind=otio.schema.TrackKind.Audio)
    timeline.tracks.append(track)
    at = 0
    for span in sheet.music:
        if span.begin > at:
            track.append(otio.schema.Gap(source_range=part(0, span.begin - at)))
        elif span.begin < at:
            continue  # two of them in one frame
        frames = span.end - span.begin
        length = max(rate.frame(exactly(span.known.begin_s + span.known.duration_s)), span.source + frames)
        media = otio.schema.ExternalReference(url_of(span.place), available_range=part(0, length))
        clip = otio.schema.Clip(one_line(span.cue.words), media, part(span.source, frames))
        clip.metadata["segue"] = _fields(span)  # given to the constructor, it has aborted Python at its end
        track.append(clip)
        at = span.end
    for span in sheet.spans:
        colour = COLOURS[span.cue.name]
        marker = otio.schema.Marker(one_line(span.label), part(span.begin, span.end - span.begin), colour)
        marker.metadata["segue"] = _fields(span)
        timeline.tracks.markers.append(marker)
    text: str = timeline.to_json_string(indent=1)
    return text


def _fields(span: Span) -> dict[str, Any]:
    return {name: value for name, value in cue_object(span.cue).items() if value is not None}
