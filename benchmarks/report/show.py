"""``segue bench show REPORT.json...``: reports that were written before, as a table or a page; compared, judged."""

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .compare import labels
from .conditions import is_missed
from .options import add_report
from .reading import join, read
from .run import publish_document, run_of

WIDE: Final = 140  # characters, where no terminal says


def add_show(kinds: Any) -> None:
    """Add ``show`` to the parser of ``segue bench``."""
    parser = kinds.add_parser("show", help="reports of --json once more: as a table or a page, compared, judged")
    parser.add_argument("reports", type=Path, nargs="+", metavar="REPORT.json", help="several become one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    add_report(parser)


def show(options: argparse.Namespace) -> int:
    """Raises `BenchError` for a file that is no report."""
    document = join([read(path) for path in options.reports])
    print_document(document, Console(width=None if sys.stdout.isatty() else WIDE))
    run_of(options).published = True
    return publish_document(options, document)


def print_document(document: Any, console: Console) -> None:
    """All rows of a report, with their intervals, and what became of its parts."""
    for part in document.get("parts") or []:
        why = f": {part['failure']}" if part.get("failure") else ""
        console.print(f"{part['bench']} {part['state']}{why}", markup=False, highlight=False)
    table = Table(title=f"{document['bench']}, {document['date']}, {document['commit']}", title_justify="left")
    for heading in ("bench", "of", "metric"):
        table.add_column(heading, overflow="fold")
    for heading in ("value", "95% of runs", "n", "asked"):
        table.add_column(heading, justify="right")
    for row in document["rows"]:
        own = ", ".join(f"{name} {value}" for name, value in labels(row).items())
        low, high = row.get("low"), row.get("high")
        spread = f"{low:.4g} - {high:.4g}" if isinstance(low, int | float) and isinstance(high, int | float) else ""
        value = f"{row['value']:.4g} {row.get('unit', '')}" if isinstance(row["value"], int | float) else "unknown"
        wanted = f"[red]{escape(row['asked'])}[/]" if is_missed(row) else escape(str(row.get("asked", "")))
        cells = (escape(row["bench"]), escape(own), row["metric"], escape(value), spread, str(row.get("n", "")))
        table.add_row(*cells, wanted)
    console.print(table)
