"""Options that every benchmark has, each with one meaning; what ``--quick`` sets where a benchmark has no own way."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FAIL_HELP: Final = (
    "exit with 1 if it holds: slower, worse, missed, incomplete, or as 'p50_ms[stage=decode] > 2'; repeatable"
)

# kind -> (what --quick means, options that it sets, unless they were given)
QUICK: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "latency": ("15 seconds", {"seconds": 15.0}),
    "soak": ("two minutes of load", {"minutes": 2.0}),
    "faults": ("damaged input and bad clients only", {"only": ["fuzz", "clients"]}),
    "deblocking": ("8 seconds, one bit rate", {"seconds": 8.0, "kbit": [1500]}),
    "variants": ("three of them, 8 seconds of each video", {"seconds": 8.0, "only": ["recoded", "mirrored", "24 fps"]}),
    "studio": ("20 pairs", {"pairs": 20}),
    "retrieval": ("one seed; real: 20 seconds of each video, without dials", {}),  # by corpus, in cli_retrieval
    "obs-first": ("two starts of each sort", {"times": 2}),
    "obs-ways": ("one turn, five cuts, 5 seconds", {"turns": 1, "cuts": 5, "seconds": 5.0}),
    "obs-stream": ("five minutes, one kill", {"minutes": 5.0, "kills": 1}),
}


def add_common(kind: str, parser: argparse.ArgumentParser) -> None:
    """What ``parser`` of this kind lacks of the options that all have."""
    has = {option for action in parser._actions for option in action.option_strings}
    if "--quick" not in has:
        parser.add_argument("--quick", action="store_true", help=QUICK[kind][0])
    if "--json" not in has:
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    add_report(parser)


def add_report(parser: argparse.ArgumentParser) -> None:
    """What becomes of a report, beside ``--json``."""
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots to FILE")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="say what changed since a report of --json")
    parser.add_argument("--fail-if", action="append", metavar="EXPR", help=FAIL_HELP)


def make_quick(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Set what ``--quick`` means where the kind's own code does not; what was given by hand stays."""
    if not getattr(options, "quick", False):
        return
    for name, value in QUICK.get(options.kind, ("", {}))[1].items():
        if getattr(options, name) == parser.get_default(name):
            setattr(options, name, value)
