"""``segue bench engines``."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.errors import BenchError
from benchmarks.harness import check_folder
from benchmarks.report.progress import expect
from benchmarks.report.run import publish, run_of

THREADS_HELP: Final = "of the CPU engine, to compare batches on several cores (default 2; 1 skips it)"
MOST_THREADS: Final = 64
START_S, PARTS = 20.0, 8  # about what it takes: engines' own starts, and graphs with what is measured of them all


def add_engines(kinds: Any) -> None:
    """Add ``engines`` to the parser of ``segue bench``."""
    parser = kinds.add_parser("engines", help="every engine that runs here, on the same weights: speed and parity")
    parser.add_argument("-b", "--bundle", type=Path, help="bundle to run (default: the one that ships)")
    parser.add_argument(
        "--run", type=Path, metavar="RUN", help="what the bundle was exported from, for torch's engines"
    )
    parser.add_argument(
        "-c", "--catalog", type=Path, help="made with the bundle: compare the tracks that engines find in it"
    )
    parser.add_argument("--engines", default="all", metavar="NAMES", help="with commas between (default all)")
    parser.add_argument("--batches", default="1,8,32", metavar="N,N", help="rows in a run (default 1,8,32)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each graph (default 10)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help=THREADS_HELP)
    parser.add_argument("--quick", action="store_true", help="below a minute: no compiling, few rounds")
    parser.add_argument("--plans", type=Path, metavar="FOLDER", help="where TensorRT keeps its plans")
    parser.add_argument("--triton", metavar="URL", help="a Triton server that has the bundle's graphs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to FILE")


def engines(options: argparse.Namespace) -> int:
    from engines.bundle import default_bundle

    from .bench import EngineBenchOptions, measure
    from .report import markdown, show
    from .timing import keep_memory

    check_folder(options.markdown)
    if not 1 <= options.threads <= MOST_THREADS:
        raise BenchError(f"--threads {options.threads}: give a number from 1 to {MOST_THREADS}")
    settings = EngineBenchOptions(
        bundle=options.bundle or default_bundle(),
        run=options.run,
        catalog=options.catalog,
        engines=options.engines,
        batches=parse_batches(options.batches),
        seconds=options.seconds,
        plans=options.plans,
        url=options.triton,
        threads=options.threads,
        memory_kept=keep_memory(),
    )
    if options.quick:
        settings = replace(settings, quick=True, seconds=min(1.5, settings.seconds), scenes=4)
    say = run_of(options).say
    expect(say, START_S + PARTS * settings.seconds)
    report = measure(settings, say)
    show(report.rows, Console())
    if options.markdown is not None:
        options.markdown.write_text(markdown(report.rows, report.to_json()["env"]), encoding="utf-8")
    return publish(options, report)


def parse_batches(text: str) -> tuple[int, ...]:
    """``1,8,32`` -> (1, 8, 32), ascending, each once."""
    try:
        sizes = sorted({int(part) for part in text.split(",")})
    except ValueError:
        sizes = []
    if not sizes or sizes[0] < 1 or sizes[-1] > 1024:
        raise BenchError(f"--batches {text}: give whole numbers from 1 to 1024 with commas between, as 1,8,32")
    return tuple(sizes)
