"""A music cue sheet, as broadcasters and collecting societies ask for it: what was heard, when, how long, whose.

Composer, publisher and the codes of a work (ISWC, ISRC, IPI) are not in a catalogue of files: their columns stand
empty, to be filled in by hand. The usage is background, vocal or instrumental as measured in the track. Source, and
whether somebody allows it live and in the recording, are as the catalogue has them when the sheet is made.
"""

from typing import Final

from .sheet import Sheet, Span
from .table import rows_text
from .texts import clock_text, one_line

COLUMNS: Final = (
    "No", "Title", "Artist", "Composer", "Publisher", "Label", "ISRC", "Usage", "Timecode in", "Timecode out",
    "Duration", "From in track", "Licence", "Attribution", "UTC", "Source", "Live OK", "VOD OK",
)  # fmt: skip


def make_csv(sheet: Sheet) -> str:
    """As a table."""
    return rows_text(COLUMNS, [list(row(sheet, number, span)) for number, span in enumerate(sheet.music, 1)])


def make_txt(sheet: Sheet) -> str:
    """To print: a block for each track, and the sum."""
    spans = sheet.music
    total = clock_text(round(float(sum(span.seconds for span in spans))))
    lines = [
        "MUSIC CUE SHEET", "", f"Programme: {one_line(sheet.title)}", f"Began:     {sheet.session.started}",
        f"Length:    {clock_text(float(sheet.end_s))}", f"Music:     {total} in {len(spans)} cues", "",
    ]  # fmt: skip
    for number, span in enumerate(spans, 1):
        fields = dict(zip(COLUMNS, row(sheet, number, span), strict=True))
        lines += [f"{number:>3}  {fields['Title']}", f"     Artist:     {fields['Artist'] or 'unknown'}"]
        lines += ["     Composer:   ____________________   Publisher: ____________________"]
        lines += [f"     Usage:      {fields['Usage']}"]
        times = f"{fields['Timecode in']} - {fields['Timecode out']}   Duration: {fields['Duration']}"
        lines += [f"     In - out:   {times}"]
        lines += [f"     In track:   from {fields['From in track']}   On air: {fields['UTC']}"]
        lines += [f"     Licence:    {fields['Licence']}"]
        lines += [f"     Allowed:    live {fields['Live OK']}, VOD {fields['VOD OK']}"]
        lines += [f"     Source:     {fields['Source']}"] if fields["Source"] else []
        lines += [f"     Credit:     {fields['Attribution']}"] if fields["Attribution"] else []
        lines.append("")
    return "\n".join(lines)


def row(sheet: Sheet, number: int, span: Span) -> tuple[str, ...]:
    """The fields of ``COLUMNS``."""
    cue = span.cue
    usage = f"background {span.known.usage}" if span.known.usage else "background"
    from_text = "" if cue.from_s is None else clock_text(cue.from_s)
    texts = (cue.title or cue.track, cue.artist, "", "", "", "", usage)
    ends = (sheet.timecode(span.begin), sheet.timecode(span.end), clock_text(round(float(span.seconds))), from_text)
    allowed = _said(span.known.live_ok), _said(span.known.vod_ok)
    rest = (cue.licence or "unknown", cue.attribution, cue.start.wall, span.known.source, *allowed)
    return tuple(one_line(text) for text in (str(number), *texts, *ends, *rest))


def _said(allowed: bool | None) -> str:
    return "unknown" if allowed is None else "yes" if allowed else "no"
