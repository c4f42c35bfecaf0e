"""One run of a benchmark: when, with which arguments, beside how much other work; and what becomes of its report."""

import argparse
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.errors import BenchError
from benchmarks.harness import Report, Row, check_folder, now, write_json

from .compare import compare, show_comparison
from .conditions import Condition, parse, reasons
from .page import page
from .progress import Progress
from .reading import read
from .watch import Load

OWN: Final = frozenset(
    {"kind", "run", "absent", "json", "html", "compare", "fail_if", "quick"}
)  # options that say nothing more


class Run:
    """What a run knows of itself; ``begin`` and ``end`` around it. ``say`` is its progress."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.date = now()
        self.began_s = time.monotonic()
        self.load = Load()
        self.say = Progress()
        self.kept: list[Row] = []
        self.published = False
        self.conditions: list[Condition] = [parse(text) for text in getattr(options, "fail_if", None) or []]
        self.old: Mapping[str, Any] | None = None

    def begin(self, measured: bool = True) -> None:
        """Raises `BenchError` for what could not be used at the end: folders, an old report, a condition."""
        for path in (getattr(self.options, name, None) for name in ("json", "html")):
            check_folder(path)
        old = getattr(self.options, "compare", None)
        if old is not None:
            self.old = read(old)
        if self.old is None and any(condition.compares for condition in self.conditions):
            raise BenchError("--fail-if slower or worse: there is nothing to compare with; add --compare OLD.json")
        if measured:
            self.load.start()
            self.say.open()

    def end(self) -> None:
        self.load.end()
        self.say.close()

    def keep(self, rows: Iterable[Row]) -> list[Row]:
        """The rows, each kept as soon as it is known, so that a run that is stopped can report what it has."""
        begin = len(self.kept)
        for row in rows:
            self.kept.append(row)
        return self.kept[begin:]

    def to_json(self, failure: str = "") -> dict[str, Any]:
        return {
            "date": self.date,
            "duration_s": round(time.monotonic() - self.began_s, 1),
            "complete": not failure,
            "failure": failure,
            "quick": bool(getattr(self.options, "quick", False)),
            "arguments": arguments(self.options),
            "load": self.load.to_json(),
        }

    def give_up(self, error: BaseException) -> None:
        """Write what is known of a run that did not end."""
        if self.published:
            return
        text = {KeyboardInterrupt: "stopped", SystemExit: "stopped"}.get(
            type(error), str(error) or type(error).__name__
        )
        report = Report(self.options.kind, self.kept, {})
        write(self.options, report.to_json(self.to_json(shown(text))))


def shown(text: str) -> str:
    """A failure's first line, without folders of this machine."""
    words = (text.splitlines() or [""])[0].split(" ")
    return " ".join(Path(word).name if word.startswith("/") and len(word) > 1 else word for word in words)


def run_of(options: argparse.Namespace) -> Run:
    """The run that these options belong to; for a call without ``segue bench``, one of its own."""
    run: Run | None = getattr(options, "run", None)
    if run is None:
        run = options.run = Run(options)
    return run


def publish(options: argparse.Namespace, report: Report) -> int:
    """Write, compare and judge a report as the options say; the exit code: 1 if a condition of ``--fail-if`` holds."""
    run = run_of(options)
    run.end()
    run.published = True
    return publish_document(options, report.to_json(run.to_json()))


def publish_document(options: argparse.Namespace, document: Mapping[str, Any]) -> int:
    run = run_of(options)
    comparison = None if run.old is None else compare(run.old, document)
    write(options, document, comparison)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if comparison is not None:
        show_comparison(comparison, console)
    found = [text for condition in run.conditions for text in reasons(condition, document, comparison)]
    for text in found:
        console.print(f"--fail-if {text}", markup=False)
    return 1 if found else 0


def write(options: argparse.Namespace, document: Mapping[str, Any], comparison: Any = None) -> None:
    if (path := getattr(options, "json", None)) is not None:
        write_json(document, path)
    if (path := getattr(options, "html", None)) is not None:
        path.write_text(page(document, comparison), encoding="utf-8")


def arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The options as given or by default, files and folders by their last name alone."""
    return {
        name: plain(value)
        for name, value in sorted(vars(options).items())
        if name not in OWN and value is not None and value != []
    }


def plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Path):
        return value.name
    if isinstance(value, str):
        address = value.partition("://")
        return f"{address[0]}://..." if address[1] else value.replace("\\", "/").rpartition("/")[2]
    return value if isinstance(value, bool | int | float) else str(value)
