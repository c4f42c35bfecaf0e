"""CMX 3600 edit decision lists: an audio event for each stretch of music, with its names as comments and a locator.

Written by us: OpenTimelineIO's adapter writes drop-frame lists without saying so and cannot read their markers back,
leaves all tracks but the first, and makes reels of file names that it reads wrong. Here: ``FCM``, reel AX, names in
ASCII where readers look for them and in UTF-8 beside. Locators (``LOC``) carry the record time; cues other than music
are locators of the event that they fall into, or that comes before.
"""

from typing import Final

from ..errors import CueError
from .sheet import Sheet, Span
from .texts import ascii_only, one_line

EVENTS: Final = 999  # three digits; more is not CMX 3600
COLOURS: Final = {"taken": "GREEN", "proposed": "CYAN", "ignored": "WHITE", "liked": "MAGENTA", "skipped": "RED",
                  "scene": "YELLOW"}  # fmt: skip


def make(sheet: Sheet) -> str:
    """Raises CueError for more events than the format can number."""
    music, rate = sheet.music, sheet.options.rate
    if len(music) > EVENTS:
        raise CueError(f"{len(music)} stretches of music: an EDL numbers {EVENTS} at most; take .otio or .fcpxml")
    lines = [f"TITLE: {ascii_only(sheet.title)[:70]}", f"FCM: {'DROP FRAME' if rate.drop else 'NON-DROP FRAME'}", ""]
    if not music:
        black = "  ".join(["001", f"{'BL':<8} {'V':<4}", f"{'C':<8}"])
        times = rate.text(0), rate.text(sheet.frames), sheet.timecode(0), sheet.timecode(sheet.frames)
        lines += [
            f"{black} {' '.join(times)}",
            "* COMMENT: no music was on air",
            *(_locator(sheet, mark) for mark in sheet.marks),
            "",
        ]
    for number, span in enumerate(music, 1):
        following = music[number].begin if number < len(music) else None
        first = span.begin if number > 1 else 0
        marks = [mark for mark in sheet.marks if first <= mark.begin and (following is None or mark.begin < following)]
        lines += [*_event(sheet, number, span), *(_locator(sheet, mark) for mark in marks), ""]
    return "\n".join(lines)


def _event(sheet: Sheet, number: int, span: Span) -> list[str]:
    rate, frames, cue = sheet.options.rate, span.end - span.begin, span.cue
    source = rate.text(span.source), rate.text(span.source + frames)
    record = sheet.timecode(span.begin), sheet.timecode(span.end)
    lines = [
        f"{number:03}  {'AX':<8} {'AA':<4}  {'C':<8} {' '.join((*source, *record))}",
        f"* FROM CLIP NAME: {ascii_only(cue.words)}",
    ]
    if span.known.place:
        lines.append(f"* SOURCE FILE: {one_line(span.known.place)}")
    lines.append(f"* COMMENT: {ascii_only(_comment(span))}")
    if not (cue.words + cue.licence + cue.attribution).isascii():
        lines.append(f"* UTF8 NAME: {one_line(cue.words)}")
        lines.append(f"* UTF8 COMMENT: {one_line(_comment(span))}")
    return [*lines, _locator(sheet, span)]


def _comment(span: Span) -> str:
    cue = span.cue
    licence = f"licence {cue.licence}" if cue.licence else "licence unknown"
    return "; ".join(filter(None, (licence, cue.attribution, f"track {cue.track}", cue.why)))


def _locator(sheet: Sheet, span: Span) -> str:
    return f"* LOC: {sheet.timecode(span.begin)} {COLOURS[span.cue.name]:<7} {ascii_only(span.label)}"
