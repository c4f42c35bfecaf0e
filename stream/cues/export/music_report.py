"""A music cue sheet, as broadcasters and collecting societies ask for it: what was heard, when, how long, whose.

Composer, publisher and the codes of a work (ISWC, ISRC, IPI) are not in a catalogue of files: their columns stand
empty, to be filled in by hand. The usage is background, vocal or instrumental as measured in the track.
"""

from typing import Final

from .sheet import Sheet, Span
from .table import rows_text
from .texts import clock_text, one_line

COLUMNS: Final = (
    "No", "Title", "Artist", "Composer", "Publisher", "Label", "ISRC", "Usage", "Timecode in", "Timecode out",
    "Duration", "From in track", "Licence", "Attribution", "UTC",
)  # fmt: skip


def make_csv(sheet: Sheet) -> str:
    """As a table."""
    return rows_text(COLUMNS, [list(row(sheet, number, span)) for number, span in enumerate(sheet.music, 1)])


def make_txt(sheet: Sheet) -> str:
    """To print: a block for each track, and the sum."""
    spans = sheet.music
    total = clock_text(float(sum(span.seconds for span in spans)))
    lines = [
        "MUSIC CUE SHEET", "", f"Programme: {one_line(sheet.title)}", f"Began:     {sheet.session.started}",
        f"Length:    {clock_text(float(sheet.end_s))}", f"Music:     {total} in {len(spans)} cues", "",
    ]  # fmt: skip
    for number, span in enumerate(spans, 1):
        _, title, artist, *_, usage, begin, end, lasts, from_s, licence, attribution, utc = row(sheet, number, span)
        lines += [f"{number:>3}  {title}", f"     Artist:     {artist or 'unknown'}"]
        lines += ["     Composer:   ____________________   Publisher: ____________________"]
        lines += [f"     Usage:      {usage}", f"     In - out:   {begin} - {end}   Duration: {lasts}"]
        lines += [f"     In track:   from {from_s}   On air: {utc}", f"     Licence:    {licence}"]
        lines += [f"     Credit:     {attribution}"] if attribution else []
        lines.append("")
    return "\n".join(lines)


def row(sheet: Sheet, number: int, span: Span) -> tuple[str, ...]:
    """The fields of ``COLUMNS``."""
    cue = span.cue
    usage = f"background {span.known.usage}" if span.known.usage else "background"
    from_text = "" if cue.from_s is None else clock_text(cue.from_s)
    texts = (cue.title or cue.track, cue.artist, "", "", "", "", usage)
    ends = (sheet.timecode(span.begin), sheet.timecode(span.end), clock_text(round(float(span.seconds))), from_text)
    rest = (cue.licence or "unknown", cue.attribution, cue.start.wall)
    return tuple(one_line(text) for text in (str(number), *texts, *ends, *rest))
