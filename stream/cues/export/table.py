"""All fields of the cues as comma-separated values (RFC 4180), UTF-8 with a mark, so that spreadsheets read it right.

A text that a spreadsheet would run as a formula (it begins with = + - @, wide forms too) gets an apostrophe before it.
"""

import csv
import io
from typing import Final

from .sheet import Sheet, Span
from .texts import clock_text, one_line

COLUMNS: Final = (
    "number", "cue", "timecode_in", "timecode_out", "in_s", "out_s", "title", "artist", "licence", "attribution",
    "track", "from_s", "to_s", "pts_s", "wall_utc", "stream", "record", "score", "outcome", "how", "why",
)  # fmt: skip
FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # some spreadsheets take the wide ones alike


def make(sheet: Sheet) -> str:
    """The file's text."""
    return rows_text(COLUMNS, [_row(sheet, span) for span in sheet.spans])


def rows_text(columns: tuple[str, ...], rows: list[list[object]]) -> str:
    """A table with its columns' names first."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return "\ufeff" + out.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _row(sheet: Sheet, span: Span) -> list[object]:
    cue, start = span.cue, span.cue.start
    stream, record = (
        "" if at is None else clock_text(at, milliseconds=True) for at in (start.stream_s, start.record_s)
    )
    return [
        cue.number, cue.name, sheet.timecode(span.begin), sheet.timecode(span.end), f"{float(span.begin_s):.3f}",
        f"{float(span.end_s):.3f}", cue.title, cue.artist, cue.licence, cue.attribution, cue.track, cue.from_s,
        cue.to_s, start.pts_s, start.wall, stream, record, cue.score, cue.outcome, cue.how, cue.why,
    ]  # fmt: skip
