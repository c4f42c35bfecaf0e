"""A table beside the music, ``segue.csv`` or ``segue.json``: what its owner says of the tracks of a folder.

Both hold rows with a column ``file`` and any of ``fields.FIELDS``; ``begin_s`` names one track of a file that holds
several. CSV is read as spreadsheets write it: with a byte order mark or without, UTF-8, UTF-16 or Windows' Latin,
separated by commas, semicolons or tabs, any line ends (RFC 4180 has commas and CRLF). JSON is a list of objects.
A row that cannot be used is named with its line and passed over; the others count.

*Bounds*: ``MAX_BYTES`` a table, ``MAX_ROWS`` rows, ``MAX_COLUMNS`` columns, ``MAX_LINE`` characters a line,
``MAX_CELL`` a cell, ``MAX_COMPLAINTS`` complaints; what is beyond is not read, and a complaint says so.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .cuesheet import decode_text
from .fields import FIELDS, FieldError, parse
from .tags import MAX_TEXT, one_line

CSV: Final = "segue.csv"
JSON: Final = "segue.json"
NAMES: Final = (CSV, JSON)
FILE: Final = "file"
BEGIN: Final = "begin_s"
COLUMNS: Final = (FILE, BEGIN, *FIELDS)
MAX_BYTES: Final = 32 << 20
MAX_ROWS: Final = 200_000
MAX_COLUMNS: Final = 64
MAX_LINE: Final = 1 << 16
MAX_CELL: Final = 4096
MAX_COMPLAINTS: Final = 100
MAX_BEGIN_S: Final = 1e6
_ALIASES: Final[Mapping[str, str]] = {
    "license": "licence", "path": FILE, "filename": FILE, "mood": "moods", "tag": "tags", "begin": BEGIN,
}  # fmt: skip
_SEPARATORS: Final = (",", ";", "\t")

_ODD: Final = ("=", "+", "-", "@", " ")  # a cell that begins so is a formula, or loses it

Complain = Callable[[int, str], None]  # a line's number (0: the whole table), what is wrong with it


@dataclass(frozen=True, slots=True)
class Row:
    """``file``: a path, a pattern or ``*``, as it is written; ``values``: field -> value as notes hold it; ``begin_s``
    None: every track of the file. ``line`` of a CSV, or the number of a JSON's entry."""

    file: str
    values: Mapping[str, str]
    begin_s: float | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A sidecar: its rows in order, and what is wrong with it, one line each. ``closed``: it could not be read as a
    table at all, so nobody knows what it says."""

    path: Path
    rows: tuple[Row, ...] = ()
    complaints: tuple[str, ...] = ()
    closed: bool = False


class _ClosedError(ValueError):
    """What was read is no table at all: a complaint's number and text."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number, self.text = number, text


@dataclass(slots=True)
class _Complaints:
    """At most ``MAX_COMPLAINTS`` texts, and how many more there were."""

    place: str  # "line", "entry"
    kept: list[str] = field(default_factory=list)
    more: int = 0

    def add(self, number: int, text: str) -> None:
        if len(self.kept) < MAX_COMPLAINTS:
            self.kept.append(one_line(f"{self.place} {number}: {text}" if number else text, 2 * MAX_TEXT))
        else:
            self.more += 1

    def texts(self) -> tuple[str, ...]:
        return (*self.kept, f"and {self.more} more like these") if self.more else tuple(self.kept)


def read_table(path: Path) -> Table:
    """Read a sidecar by its name's ending. Never raises for what it holds."""
    is_json = path.suffix.casefold() == ".json"
    complaints = _Complaints("entry" if is_json else "line")
    rows: list[Row] = []
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        text = f"cannot be read ({error.strerror}); mend its permissions"
        return Table(path, complaints=(text,), closed=True)
    if len(data) > MAX_BYTES:
        text = f"is larger than {MAX_BYTES >> 20} MB; split it, one table for each folder"
        return Table(path, complaints=(text,), closed=True)
    read = _json_cells if is_json else _csv_cells
    try:
        for number, cells in read(decode_text(data), complaints.add):
            if len(rows) >= MAX_ROWS:
                complaints.add(
                    number, f"from here on not read: at most {MAX_ROWS} rows; split it, one table for each folder"
                )
                break
            if (row := _row(number, cells, complaints.add)) is not None:
                rows.append(row)
    except _ClosedError as error:
        complaints.add(error.number, error.text)
        return Table(path, complaints=complaints.texts(), closed=True)
    return Table(path, tuple(rows), complaints.texts())


def _row(number: int, cells: Mapping[str, str], complain: Complain) -> Row | None:
    """The row of named cells, without those that cannot be used. None where it names no file."""
    file = cells.get(FILE, "")
    if not file.strip() or "\0" in file or len(file) > MAX_CELL:
        complain(number, f"names no file ({file[:40]!r}); give a file, a pattern such as *.mp3, or * for the folder")
        return None
    begin_s = None
    if (text := cells.get(BEGIN, "").strip()) and (begin_s := _seconds(text)) is None:
        complain(number, f"{BEGIN} is {text[:40]!r}; give seconds such as 181.5, or nothing")
        return None
    values: dict[str, str] = {}
    for name, given in cells.items():
        if name in FIELDS and given.strip():
            try:
                values[name] = parse(name, given)
            except FieldError as error:
                complain(number, f"{name} {error}")
    return Row(file, values, begin_s, number)


def _seconds(text: str) -> float | None:
    if not re.fullmatch(r"\d{1,9}(?:[.,]\d{1,17})?", text):
        return None
    seconds = float(text.replace(",", "."))
    return seconds if seconds <= MAX_BEGIN_S else None


# -- CSV


def _csv_cells(text: str, complain: Complain) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of the first line and cells by column, row by row."""
    lines = _Lines(text.removeprefix("\ufeff"), complain)
    header = lines.header()
    if header is None:
        complain(0, f"has no line with names of columns; begin it with one such as {FILE},licence,vod_ok")
        return
    separator = max(_SEPARATORS, key=lambda mark: sum(name in COLUMNS for name in _names(header, mark)))
    names = _columns(_names(header, separator), lines.number, complain)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    while True:
        begin = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            complain(begin, f"is no row ({error}){lines.since(begin)}; close every quote, and save the table again")
            continue
        if not any(cells):
            continue
        if len(cells) > len(names) and any(cells[len(names) :]):
            complain(
                begin, f"has {len(cells)} cells for {len(names)} columns; put quotes around a cell with {separator!r}"
            )
        elif any(len(cell) > MAX_CELL for cell in cells):
            text = (
                f"has a cell of more than {MAX_CELL} characters{lines.since(begin)}; close every quote, or shorten it"
            )
            complain(begin, text)
        else:
            yield begin, {name: cell for name, cell in zip(names, cells, strict=False) if name}


class _Lines:
    """The lines of a text, one after another, for ``csv.reader``; too long ones are passed over. ``number``: of the
    newest, from 1 on."""

    def __init__(self, text: str, complain: Complain) -> None:
        self.number = 0
        self._rest = (match[0] for match in re.finditer(r"[^\r\n]*(?:\r\n|\r|\n|$)", text))
        self._complain = complain

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._rest)
        self.number += 1
        if len(line) <= MAX_LINE:
            return line
        self._complain(self.number, f"is {len(line)} characters long, at most {MAX_LINE} are read")
        return "\n"

    def since(self, begin: int) -> str:
        """Words for the lines from ``begin`` on that were read as one row."""
        return f", lines {begin} to {self.number} are not read" if self.number > begin else ""

    def header(self) -> str | None:
        """The first line with text, apart from the one in which Excel names the separator; None without one."""
        for line in self:
            if line.strip() and not re.fullmatch(r"sep=.\s*", line, re.IGNORECASE):
                return line
        return None


def _names(header: str, separator: str) -> list[str]:
    try:
        cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return []
    return [_name(cell) for cell in cells]


def _name(text: str) -> str:
    """A column's name in its one spelling."""
    plain = re.sub(r"[\s-]+", "_", text.strip().casefold())
    return _ALIASES.get(plain, plain)


def _columns(names: list[str], number: int, complain: Complain) -> list[str]:
    """The columns' names, empty for one that is not read. Raises ``_ClosedError`` without a column for files."""
    while names and not names[-1]:
        names.pop()
    if len(names) > MAX_COLUMNS:
        raise _ClosedError(number, f"has {len(names)} columns, at most {MAX_COLUMNS} are read; remove the others")
    if FILE not in names:
        raise _ClosedError(number, f"has no column {FILE}; there are {', '.join(COLUMNS)}")
    used: list[str] = []
    for name in names:
        if name in used:
            complain(number, f"names the column {name} twice; the first one counts")
        elif name and name not in COLUMNS:
            complain(number, f"column {name[:40]!r} is not read; there are {', '.join(COLUMNS)}")
        used.append(name if name in COLUMNS and name not in used else "")
    return used


# -- JSON


def _json_cells(text: str, complain: Complain) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of the entry, from 1 on, and its values as text by their name."""
    try:
        entries: Any = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise _ClosedError(0, f"is not JSON ({error}); mend it there") from error
    if not isinstance(entries, list):
        raise _ClosedError(0, f'is no list; write one of objects such as [{{"{FILE}": "*", "licence": "CC0"}}]')
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or len(entry) > MAX_COLUMNS:
            complain(
                number, f'is no object of at most {MAX_COLUMNS} fields; write {{"{FILE}": "a.mp3", "licence": "CC0"}}'
            )
            continue
        cells: dict[str, str] = {}
        for key, value in entry.items():
            name, cell = _name(key), _cell(value)
            if name not in COLUMNS:
                complain(number, f"field {key[:40]!r} is not read; there are {', '.join(COLUMNS)}")
            elif cell is None:
                complain(number, f"{name} is {str(value)[:40]}; give text, true, false, null or a list of texts")
            else:
                cells.setdefault(name, cell)
        yield number, cells


def _cell(value: object) -> str | None:
    """A JSON value as a CSV's cell; None for one that is none."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value}"
        case str() if len(value) <= MAX_CELL:
            return value
        case list() if all(isinstance(word, str) for word in value):
            joined = ";".join(value)
            return joined if len(joined) <= MAX_CELL else None
    return None


# -- writing


class _Out:
    """What ``csv.writer`` writes to."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write = write


def write_rows(rows: Iterable[tuple[str, float | None, Mapping[str, str]]], write: Callable[[str], object]) -> None:
    """Write a CSV that ``read_table`` reads: (file, begin_s, field -> value as in a cell). A name that a spreadsheet
    would compute or strip begins with ``./``."""
    rows = list(rows)
    used = [name for name in FIELDS if any(name in values for _, _, values in rows)]
    begins = [BEGIN] if any(begin_s is not None for _, begin_s, _ in rows) else []

    out = csv.writer(_Out(write))
    out.writerow([FILE, *begins, *used])
    for file, begin_s, values in rows:
        begin = [f"{begin_s:.6f}".rstrip("0").rstrip(".") if begin_s is not None else ""] if begins else []
        out.writerow([f"./{file}" if file.startswith(_ODD) else file, *begin, *(values.get(name, "") for name in used)])
