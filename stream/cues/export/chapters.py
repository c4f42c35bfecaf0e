"""WebVTT chapters (a ``track`` of kind chapters, VLC, mpv): one cue for each, not overlapping, text escaped."""

from fractions import Fraction

from .sheet import Sheet
from .texts import clock_text, one_line


def make(sheet: Sheet) -> str:
    """The file's text."""
    blocks = ["WEBVTT\n"]
    for number, span in enumerate(sheet.spans):
        following = sheet.spans[number + 1].begin_s if number + 1 < len(sheet.spans) else None
        end_s = span.end_s if following is None else min(span.end_s, following)
        if round(1000 * end_s) <= round(1000 * span.begin_s):
            end_s = span.begin_s + (Fraction(1) if following is None else min(Fraction(1), following - span.begin_s))
        if round(1000 * end_s) <= round(1000 * span.begin_s):
            continue  # two of them in one millisecond
        times = " --> ".join(clock_text(float(at), milliseconds=True) for at in (span.begin_s, end_s))
        blocks.append(f"{number + 1}\n{times}\n{_escape(one_line(span.label))}\n")
    return "\n".join(blocks)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
