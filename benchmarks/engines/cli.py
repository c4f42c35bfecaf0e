"""``segue bench engines``."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.errors import BenchError

THREADS_HELP: Final = "of the CPU engine where batches are compared on several cores (default 2; 1 leaves that out)"
MOST_THREADS: Final = 64


def add_engines(kinds: Any) -> None:
    """Tell the parser of ``segue bench`` about it."""
    each = kinds.add_parser("engines", help="every engine that can be had here, on the same weights: speed and parity")
    each.add_argument("-b", "--bundle", type=Path, help="bundle to run (default: the one that ships)")
    each.add_argument("--run", type=Path, metavar="RUN", help="what the bundle was exported from, for torch's engines")
    each.add_argument("-c", "--catalog", type=Path, help="made with the bundle: compare what is found in it")
    each.add_argument("--engines", default="all", metavar="NAMES", help="with commas between (default all)")
    each.add_argument("--batches", default="1,8,32", metavar="N,N", help="rows in a run (default 1,8,32)")
    each.add_argument("--seconds", type=float, default=10.0, help="of each graph (default 10)")
    each.add_argument("--threads", type=int, default=2, metavar="N", help=THREADS_HELP)
    each.add_argument("--quick", action="store_true", help="below a minute: no compiling, few rounds")
    each.add_argument("--plans", type=Path, metavar="FOLDER", help="where TensorRT keeps its plans")
    each.add_argument("--triton", metavar="URL", help="a Triton server that has the bundle's graphs")
    each.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    each.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to FILE")


def engines(options: argparse.Namespace) -> int:
    from engines.bundle import default_bundle

    from .bench import EngineBenchOptions, measure
    from .report import markdown, show
    from .timing import keep_memory

    for path in (options.json, options.markdown):
        if path is not None and not path.parent.is_dir():
            raise BenchError(f"{path}: its folder does not exist; make it or write elsewhere")
    if not 1 <= options.threads <= MOST_THREADS:
        raise BenchError(f"--threads {options.threads}: give a number from 1 to {MOST_THREADS}")
    asked = EngineBenchOptions(
        bundle=options.bundle or default_bundle(),
        run=options.run,
        catalog=options.catalog,
        engines=options.engines,
        batches=numbers(options.batches),
        seconds=options.seconds,
        plans=options.plans,
        url=options.triton,
        threads=options.threads,
        memory_kept=keep_memory(),
    )
    if options.quick:
        asked = replace(asked, quick=True, seconds=min(1.5, asked.seconds), scenes=4)
    report = measure(asked, Console(stderr=True).print)
    show(report.rows, Console())
    if options.json is not None:
        report.write(options.json)
    if options.markdown is not None:
        options.markdown.write_text(markdown(report.rows, dict(report.to_json()["env"])), encoding="utf-8")  # type: ignore[call-overload]
    return 0


def numbers(text: str) -> tuple[int, ...]:
    """``1,8,32`` -> (1, 8, 32), ascending, each once."""
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] < 1 or found[-1] > 1024:
        raise BenchError(f"--batches {text}: give whole numbers from 1 to 1024 with commas between, as 1,8,32")
    return tuple(found)
