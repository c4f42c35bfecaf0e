"""``segue bench readme REPORT.json``: the README's table of latencies, from a report of ``segue bench latency``.

The table stands between two comments, of which the first names the report. It gives no percentile that the report does
not have, and says when and on what kind of machine it was measured.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.errors import BenchError

from .reading import read

BEGIN: Final = re.compile(r"<!-- latency: from (?P<report>\S+) by segue bench readme -->\n")
END: Final = "<!-- latency: end -->"
PERCENTS: Final = (50, 95, 99)
# line -> its stages; several are given by the least and the most of them, or by the sum of their medians
LINES: Final[Sequence[tuple[str, tuple[str, ...], bool]]] = (
    ("decode a frame", ("decode",), False),
    ("convert, optical flow and appearance of a sampled frame, each", ("convert", "flow", "appearance"), False),
    ("clip tower", ("clip tower",), False),
    ("search, matcher and ranking (sum of their medians)", ("search", "re-rank", "rank"), True),
    ("**newest frame in hand to message out**", ("end to end",), False),
)


def add_readme(kinds: Any) -> None:
    """Add ``readme`` to the parser of ``segue bench``."""
    parser = kinds.add_parser("readme", help="the README's table of latencies, from a report of segue bench latency")
    parser.add_argument("report", type=Path, metavar="REPORT.json", help="of segue bench latency --json")
    parser.add_argument("--into", type=Path, metavar="FILE", help="write it there, between the comments that mark it")


def readme(options: argparse.Namespace) -> int:
    """Print the table, or put it into a file. Raises `BenchError` for a report without stages, or without marks."""
    text = table(read(options.report))
    if options.into is None:
        print(text, end="")  # noqa: T201
        return 0
    try:
        whole = options.into.read_text(encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{options.into}: cannot be read ({error}); name the README") from error
    options.into.write_text(put(whole, text, options.report.as_posix(), options.into), encoding="utf-8")
    return 0


def marked(whole: str, name: str | Path = "README") -> tuple[str, str]:
    """The report that the text names, and the table that follows. Raises `BenchError` without the marks."""
    begin = BEGIN.search(whole)
    end = whole.find(END, 0 if begin is None else begin.end())
    if begin is None or end < 0:
        raise BenchError(
            f"{name}: has no place for the table; put '<!-- latency: from X by segue bench readme -->' and '{END}' on "
            "lines of their own"
        )
    return begin["report"], whole[begin.end() : end]


def put(whole: str, text: str, report: str, name: str | Path = "README") -> str:
    """``whole`` with the table in its place."""
    _, old = marked(whole, name)
    begin = BEGIN.search(whole)
    assert begin is not None
    first = begin[0].replace(begin["report"], report)
    return whole[: begin.start()] + first + text + whole[begin.end() + len(old) :]


def table(document: Mapping[str, Any]) -> str:
    """The table, and a line about the machine, as Markdown. Raises `BenchError` for another benchmark's report."""
    cells = {(row.get("stage"), row["metric"]): row for row in document["rows"] if row["bench"] == "latency"}
    if ("end to end", "p50_ms") not in cells:
        raise BenchError("this report has no latencies by stage; measure with segue bench latency --json")
    lines = [f"| latency, {kind(document['machine'])} | p50 | p95 | p99 | n |", "|---|---|---|---|---|"]
    for name, stages, summed in LINES:
        found = [stage for stage in stages if (stage, "p50_ms") in cells]
        if not found:
            continue
        if summed:
            total = sum(cells[stage, "p50_ms"]["value"] for stage in found)
            figures = [f"{digits(total)} ms", "", ""]
        else:
            figures = [span([cells.get((stage, f"p{percent}_ms")) for stage in found]) for percent in PERCENTS]
        counts = sorted({int(cells[stage, "p50_ms"]["n"]) for stage in found})
        strong = "**" if name.startswith("**") else ""
        shown = [f"{strong}{figure}{strong}" if figure else "" for figure in figures]
        lines.append(f"| {name} | {' | '.join(shown)} | {counts[0]:,} |")
    return "\n".join(lines) + f"\n\n{about(document)}\n"


def digits(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def span(rows: Sequence[Mapping[str, Any] | None]) -> str:
    """One figure, or the least and the most of several; nothing where one is missing."""
    values = [float(row["value"]) for row in rows if row is not None]
    if not values or len(values) < len(rows):
        return ""
    least, most = digits(min(values)), digits(max(values))
    return f"{least} ms" if least == most else f"{least}-{most} ms"


def kind(machine: Mapping[str, Any]) -> str:
    gpus = ", ".join(str(gpu.get("name")) for gpu in machine.get("gpus") or [])
    cores = machine.get("cores", "?")
    return f"{cores} core{'' if cores == 1 else 's'} of {machine.get('cpu', 'an unknown CPU')}, {gpus or 'no GPU'}"


def about(document: Mapping[str, Any]) -> str:
    env, load = document["env"], document["load"]
    words = [f"One session, one engine thread, {env.get('tracks', '?')} tracks, {document['date'][:10]}"]
    if isinstance(load.get("during_cores"), int | float):
        words.append(f"beside other programs that kept {load['during_cores']:.1f} cores busy (median)")
    return ", ".join(words) + "; `segue bench latency VIDEO -c CATALOG` measures yours."
