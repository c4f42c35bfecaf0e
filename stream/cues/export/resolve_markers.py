"""Markers for DaVinci Resolve (Timelines, Import, Timeline Markers from EDL): one for each cue, as long as it lasted.

The form is that of Resolve's own export: an event of the timeline's times, and below it colour, name and duration in
frames between bars.
"""

from typing import Final

from ..errors import CueError
from .edl import EVENTS
from .sheet import Sheet
from .texts import ascii_only, one_line

COLOURS: Final = {"taken": "Green", "proposed": "Cyan", "ignored": "Cream", "liked": "Pink", "skipped": "Red",
                  "scene": "Yellow"}  # fmt: skip


def make(sheet: Sheet) -> str:
    """Raises CueError for more markers than an EDL numbers."""
    if len(sheet.spans) > EVENTS:
        raise CueError(f"{len(sheet.spans)} markers: an EDL numbers {EVENTS} at most; ask for fewer --kinds")
    drop = "DROP FRAME" if sheet.options.rate.drop else "NON-DROP FRAME"
    lines = [f"TITLE: {ascii_only(sheet.title)[:70]}", f"FCM: {drop}", ""]
    for number, span in enumerate(sheet.spans, 1):
        times = " ".join(2 * [sheet.timecode(span.begin), sheet.timecode(span.begin + 1)])
        name = one_line(span.label).replace("|", "/")
        lines.append(f"{number:03}  {'001':<8} {'V':<4}  {'C':<8} {times}")
        lines += [f" |C:ResolveColor{COLOURS[span.cue.name]} |M:{name} |D:{span.end - span.begin}", ""]
    return "\n".join(lines)
