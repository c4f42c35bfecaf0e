"""``segue bench KIND``: one measurement a kind; a table, rows with ``--json``, a page with ``--html``."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from catalog.errors import CatalogError
from engines.errors import EngineError
from stream.errors import StreamError
from towers.errors import TowersError

from .errors import BenchError
from .report.options import add_common, make_quick
from .report.run import Run, publish
from .stopping import stopped_by_sigterm

FAULTS = (
    "fuzz",
    "clients",
    "rights",
    "media",
    "engine",
    "clock_jump",
    "processes",
    "network",
    "blackout",
)  # as in faults.run, which is imported only when needed
PEERS = ("afresh", "torch", "faiss", "decode")  # as in peers.py, which is imported only when needed
# kind -> the module with the function of its name, opened only when it is asked for
MODULES = {
    "retrieval": "cli_retrieval",
    "engines": "engines.cli",
    "search": "search",
    "kills": "kills",
    "index": "index",
    "deblocking": "deblocking",
    "variants": "variants",
    "studio": "studio_like",
    "starts": "starts",
    "obs-play": "obs.play",
    "obs-first": "obs.first",
    "obs-ways": "obs.ways",
    "obs-stream": "obs.stream",
    "all": "report.everything",
    "show": "report.show",
    "readme": "report.readme",
}
NOT_MEASURED = ("show", "readme")  # kinds that read reports
FUNCTIONS = {"all": "every"}  # kinds whose function has another name
# kind -> the module and its function that adds the kind's arguments, in the order of the help
ADDED = {
    "retrieval": "cli_retrieval:add_retrieval",
    "engines": "engines.cli:add_engines",
    "search": "search:add_search",
    "kills": "kills:add_kills",
    "index": "index:add_index",
    "deblocking": "deblocking:add_deblocking",
    "variants": "variants:add_variants",
    "starts": "starts:add_starts",
    "obs-play": "obs.play:add_obs_play",
    "studio": "studio_like:add_studio",
    "obs-first": "obs.first:add_obs_first",
    "obs-ways": "obs.ways:add_obs_ways",
    "obs-stream": "obs.stream:add_obs_stream",
    "all": "report.everything:add_all",
    "show": "report.show:add_show",
    "readme": "report.readme:add_readme",
}
USER_ERRORS = (BenchError, CatalogError, EngineError, StreamError, TowersError)


def main(command: str, argv: Sequence[str]) -> int:
    """Run ``segue bench``; returns the exit code. Raises ``USER_ERRORS``, and ``ModuleNotFoundError`` for a kind whose
    packages are not installed."""
    top = parser(command)
    if argv and (error := top.get_default("absent").get(argv[0])) is not None:
        raise error
    options = top.parse_args(argv)
    make_quick(options, kinds_of(top)[options.kind])
    options.run = run = Run(options)
    with stopped_by_sigterm():
        run.begin(measured=options.kind not in NOT_MEASURED)
        try:
            return run_kind(options)
        except BaseException as error:
            run.give_up(error)
            raise
        finally:
            run.end()


def run_kind(options: argparse.Namespace) -> int:
    """Run the measurement that ``options.kind`` names, print it and write it."""
    name = FUNCTIONS.get(options.kind, options.kind.replace("-", "_"))
    module = MODULES.get(options.kind)
    run = OWN[name] if module is None else getattr(importlib.import_module(f"benchmarks.{module}"), name)
    return int(run(options))


def kinds_of(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Kind -> its parser."""
    action = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return dict(action.choices)


def parser(command: str = "bench") -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog=f"segue {command}", description="Measure the path, here.")
    kinds = top.add_subparsers(dest="kind", required=True, metavar="KIND")
    latency_kind = kinds.add_parser("latency", help="each stage, and the time from a frame's arrival to its message")
    latency_kind.add_argument("source", metavar="SOURCE", help="a video file")
    latency_kind.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    latency_kind.add_argument("--bundle", type=Path, help="bundle to run (default: the one that ships)")
    latency_kind.add_argument("--seconds", type=float, default=60.0, help="play in real time this long (default 60)")
    latency_kind.add_argument("--threads", type=int, default=1, help="threads within one graph's run (default 1)")
    latency_kind.add_argument(
        "--peers", default="all", metavar="NAMES", help=f"beside {', '.join(PEERS)}, with commas; or none (default all)"
    )
    latency_kind.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    capacity_kind = kinds.add_parser("capacity", help="what a live stream costs, and how many a core holds")
    capacity_kind.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    capacity_kind.add_argument(
        "--quick", action="store_true", help="cost and freshness of one session only, below 45 s"
    )
    capacity_kind.add_argument("--seconds", type=float, default=20.0, help="of each trial (default 20)")
    capacity_kind.add_argument("--beside", choices=("fastrtc",), help="a server on this package as well")
    capacity_kind.add_argument("--fastrtc-python", metavar="PYTHON", help="interpreter that has it (default: this one)")
    capacity_kind.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    live_kind = kinds.add_parser(
        "live", help="how soon lists come, how soon they follow a new scene, how steady they are"
    )
    live_kind.add_argument("--quick", action="store_true", help="few tracks and scenes, about a minute")
    live_kind.add_argument(
        "--video", type=Path, nargs="+", default=[], metavar="FILE", help="real footage, joined, as well"
    )
    live_kind.add_argument("-c", "--catalog", type=Path, help="catalogue for the footage (default: the studio's music)")
    live_kind.add_argument("--jobs", type=int, default=2, help="processes that index the studio's tracks (default 2)")
    live_kind.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    soak_kind = kinds.add_parser("soak", help="what a server keeps after publishers have come and gone for a long time")
    soak_kind.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    soak_kind.add_argument("--bundle", type=Path, help="bundle to run (default: the one that ships)")
    soak_kind.add_argument("--minutes", type=float, default=30.0, help="of load (default 30)")
    soak_kind.add_argument("--sessions", type=int, default=8, help="at once (default 8)")
    soak_kind.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    faults_kind = kinds.add_parser("faults", help="bad networks, clients, media and processes: what a server survives")
    faults_kind.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    faults_kind.add_argument(
        "--only", action="append", choices=FAULTS, metavar="NAME", help=f"one of {', '.join(FAULTS)}"
    )
    faults_kind.add_argument("--seed", type=int, default=1, help="of random choices (default 1)")
    faults_kind.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    top.set_defaults(absent=add_kinds(kinds))
    for kind, own in kinds.choices.items():
        if kind not in NOT_MEASURED:
            add_common(kind, own)
    return top


def add_kinds(kinds: Any) -> dict[str, ModuleNotFoundError]:
    """Add the kinds of ``ADDED``; those whose packages are not here, with what is missing. So a machine that has
    little more than a runtime for networks can run ``engines``."""
    absent = {}
    for kind, place in ADDED.items():
        module, _, function = place.partition(":")
        try:
            getattr(importlib.import_module(f"benchmarks.{module}"), function)(kinds)
        except ModuleNotFoundError as error:
            absent[kind] = error
    return absent


def capacity(options: argparse.Namespace) -> int:
    from .capacity import CapacityOptions, measure
    from .harness import print_rows

    compare, python = options.beside is not None, options.fastrtc_python or sys.executable
    quick = CapacityOptions(seconds=8.0, repeats=1, search=False, compare=compare, python=python)
    settings = quick if options.quick else CapacityOptions(seconds=options.seconds, compare=compare, python=python)
    report = measure(options.catalog, settings, options.run.say)
    print_rows(report.rows, Console(), "640x360 at 30 a second, H.264, one core")
    return publish(options, report)


def live(options: argparse.Namespace) -> int:
    from .harness import print_rows
    from .live import LiveBenchOptions, measure

    full = LiveBenchOptions(jobs=options.jobs, videos=tuple(options.video), catalog=options.catalog)
    quick = replace(full, scenes=4, pairings=1, publishers=1, cut=1, grown=(20, 1000), grown_scenes=2)
    report = measure(quick if options.quick else full, options.run.say)
    print_rows(report.rows, Console(), f"{report.settings['tracks']} tracks of {report.settings['styles']} styles")
    return publish(options, report)


def soak(options: argparse.Namespace) -> int:
    from .harness import print_rows
    from .soak import SoakOptions, measure

    settings = SoakOptions(options.minutes, options.sessions, bundle=options.bundle)
    report = measure(options.catalog, settings, options.run.say)
    title = f"{options.sessions} sessions of 320x180 at 15 a second, {options.minutes:g} minutes"
    print_rows([row for row in report.rows if "minute" not in row.labels], Console(), title)
    return publish(options, report)


def faults(options: argparse.Namespace) -> int:
    """Returns 1 if the server broke a promise."""
    from .faults.run import measure
    from .harness import print_rows

    console = Console(stderr=True)
    report, broken = measure(options.catalog, options.only or FAULTS, options.seed, options.run.say)
    print_rows(report.rows, Console(), "what happened")
    for line in broken:
        console.print(line, markup=False)
    return max(publish(options, report), int(bool(broken)))


def chosen_peers(names: str) -> tuple[str, ...]:
    """``all``, ``none``, or names with commas between. ``BenchError`` for an unknown name."""
    if names in ("all", "none"):
        return PEERS if names == "all" else ()
    chosen = tuple(name.strip() for name in names.split(",") if name.strip())
    if unknown := [name for name in chosen if name not in PEERS]:
        raise BenchError(f"--peers {names}: there is no {', '.join(unknown)}; there are {', '.join(PEERS)}, all, none")
    return chosen


def latency(options: argparse.Namespace) -> int:
    from engines.bundle import default_bundle, load_bundle
    from features.spec import FEATURES

    from .harness import print_percentiles, print_rows
    from .latency import LatencyOptions, measure

    bundle = load_bundle(options.bundle or default_bundle(), FEATURES)
    peers = chosen_peers(options.peers)
    settings = LatencyOptions(seconds=options.seconds, threads=options.threads, peers=peers)
    report = measure(options.source, options.catalog, bundle, settings, options.run.say)
    console = Console()
    title = f"{report.settings['source']}, {report.settings['tracks']} tracks, {report.settings['engine']}"
    print_percentiles(report.rows, "stage", console, title)
    for row in report.rows:
        if row.metric == "speed_x":
            console.print(f"{row.labels['stage']}: {row.value:.1f} times real time")
    if peers:
        print_rows([row for row in report.rows if "stage" not in row.labels], console, "by processor time, in turns")
    return publish(options, report)


OWN = {"capacity": capacity, "live": live, "soak": soak, "faults": faults, "latency": latency}
