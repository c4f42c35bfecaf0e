"""Rows of a CSV file with a header; an error names the file, line and column."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...errors import CorpusError
from ..corpus import SPLITS

YES: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Row:
    """One line. Cells are stripped; an absent column and an empty cell are the same."""

    path: Path
    line: int
    cells: dict[str, str]

    def text(self, name: str) -> str:
        return self.cells.get(name, "")

    def required(self, name: str) -> str:
        if not (value := self.text(name)):
            raise self.wrong(name, "is empty")
        return value

    def number(self, name: str, low: float, high: float) -> float | None:
        """In [low, high], or None where there is none."""
        if not (text := self.text(name)):
            return None
        try:
            value = float(text)
        except ValueError as error:
            raise self.wrong(name, f"{text!r} is no number") from error
        if not low <= value <= high:
            raise self.wrong(name, f"{text} lies outside {low:g} to {high:g}")
        return value

    def seconds(self, name: str) -> float | None:
        return self.number(name, 0.0, 1e6)

    def split(self) -> str | None:
        value = self.text("split").casefold().replace("validation", "val").replace("training", "train")
        if value and value not in SPLITS:
            raise self.wrong("split", f"{value!r} is none of {', '.join(SPLITS)}")
        return value or None

    def yes(self, name: str, default: bool) -> bool:
        text = self.text(name).casefold()
        if text and text not in YES:
            raise self.wrong(name, f"{text!r} is neither 1 nor 0")
        return YES.get(text, default)

    def words(self, name: str) -> tuple[str, ...]:
        """Between semicolons or bars."""
        parts = self.text(name).replace("|", ";").split(";")
        return tuple(word for part in parts if (word := part.strip().casefold()))

    def wrong(self, name: str, what: str) -> CorpusError:
        return CorpusError(f"{self.path}, line {self.line}, {name}: {what}")


def read_table(path: Path, header: Sequence[str] | None = None) -> list[Row]:
    """``header``: the columns of a file that has none. Raises ``CorpusError`` for a file that is no table."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, cells) for number, cells in enumerate(csv.reader(file), start=1) if any(cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: cannot be read as CSV in UTF-8 ({error})") from error
    if header is None and lines:
        header = [cell.strip().casefold() for cell in lines.pop(0)[1]]
    if not lines or not header:
        raise CorpusError(f"{path}: is empty; give a line for each video")
    rows = []
    for number, cells in lines:
        if len(cells) > len(header):
            raise CorpusError(f"{path}, line {number}: has {len(cells)} columns, the header {len(header)}")
        rows.append(Row(path, number, dict(zip(header, (cell.strip() for cell in cells), strict=False))))
    return rows


def first_line(path: Path) -> list[str]:
    """The cells of a file's first line, in lower case."""
    return [cell.strip().casefold() for cell in next(iter(read_first_line(path)), [])]


def read_first_line(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [cells for _, cells in zip(range(1), csv.reader(file), strict=False)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: cannot be read as CSV in UTF-8 ({error})") from error
