"""``segue doctor``: tries what this machine can do, and says why where something does not work.

Each check (``checks.py``) runs by itself, for a limited time: a check that fails or hangs is a finding like the others.
A finding that is not ``ok`` is either broken (the main job cannot run, and the command ends with 2) or absent.
"""

import argparse
import json
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from catalog.arguments import INDEX_HELP
from engines.arguments import add_engine_arguments
from engines.choose import NAMES, EngineOptions

from .checks import CHECKS, NEEDED
from .findings import ABSENT, BROKEN, Check, CheckOptions, Finding

LIMIT_S: Final = 10.0
COLOURS: Final = {"ok": "green", ABSENT: "yellow", BROKEN: "red"}


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="segue doctor",
        description="Try what this machine can do, and say why where something does not work. Ends with 2 where the "
        "main job cannot run, else with 0.",
    )
    arguments.add_argument("--json", action="store_true", help="one JSON object a finding")
    arguments.add_argument(
        "--limit", type=_seconds, default=LIMIT_S, metavar="S", help="the longest that one check may take (%(default)g)"
    )
    arguments.add_argument("--bundle", type=Path, help="bundle to try (default: the one that ships)")
    arguments.add_argument("--index", metavar="NAME", help=f"also see whether this answers: {INDEX_HELP}")
    add_engine_arguments(arguments, which=False)
    return arguments


def main(argv: Sequence[str]) -> int:
    """0 when the main job can run here, else 2."""
    arguments = parser().parse_args(argv)
    engines = EngineOptions(
        device=arguments.device, precision=arguments.precision, triton=arguments.triton, plans=arguments.plans
    )
    options = CheckOptions(arguments.limit, arguments.bundle, engines, arguments.index)
    findings: list[Finding] = []
    for check in CHECKS:
        for finding in run_check(check, options):
            findings.append(finding)
            if arguments.json:
                print(json.dumps({k: v for k, v in asdict(finding).items() if v or k != "data"}), flush=True)  # noqa: T201
    if not arguments.json:
        _show(findings)
    return 2 if any(finding.state == BROKEN for finding in findings) else 0


def run_check(check: Check, options: CheckOptions) -> Iterator[Finding]:
    """The findings of a check, as they come. A check has ``limit_s`` seconds; that of engines has them for each."""
    results: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()
    name = check.__name__
    failed = BROKEN if name in NEEDED else ABSENT

    def work() -> None:
        try:
            for finding in check(options):
                results.put(finding)
        except Exception as error:  # noqa: BLE001 - whatever is missing, the other checks go on
            results.put(Finding(name, failed, f"the check itself failed: {type(error).__name__}: {error}"))
        results.put(None)

    threading.Thread(target=work, name=f"check {name}", daemon=True).start()
    # each engine's process has the limit to itself and is ended by it
    until_s = time.monotonic() + options.limit_s * (1 if name != "engines" else len(NAMES)) + 1.0
    while True:
        try:
            finding = results.get(timeout=max(0.0, until_s - time.monotonic()))
        except queue.Empty:
            yield Finding(name, failed, f"no answer within {options.limit_s:g} s; the check was given up")
            return
        if finding is None:
            return
        yield finding


def _show(findings: Sequence[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(finding.part, f"[{COLOURS[finding.state]}]{finding.state}[/]", escape(finding.text))
    Console().print(table)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError("must be above 0 and at most 3600")
    return seconds
