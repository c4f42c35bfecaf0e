"""The flags that choose what a command runs networks on, and the line that it prints about the engine."""

import argparse
from pathlib import Path

from .choose import AUTO, CPU, NAMES, Choice, EngineOptions
from .errors import EngineError
from .manifest import PRECISIONS

HELP = {
    "engine": "what runs the networks: auto takes the fastest that works here",
    "device": "CUDA's number of the GPU",
    "precision": "arithmetic, for graphs that the bundle has in it",
    "triton": "address of a Triton server, for the engine of that name",
    "plans": "folder of TensorRT's plans (default: the user's cache)",
}


def add_engine_arguments(parser: argparse.ArgumentParser, which: bool = True) -> None:
    """``--engine`` (unless ``which`` is false), ``--device``, ``--precision``, ``--triton``, ``--plans``."""
    if which:
        parser.add_argument("--engine", choices=NAMES, default=AUTO, help=f"{HELP['engine']} (%(default)s)")
    parser.add_argument("--device", type=_number, default=0, metavar="N", help=f"{HELP['device']} (%(default)s)")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0], help=f"{HELP['precision']}")
    parser.add_argument("--triton", metavar="URL", help=HELP["triton"])
    parser.add_argument("--plans", type=Path, metavar="FOLDER", help=HELP["plans"])


def engine_options(flags: argparse.Namespace, threads: int = 1) -> EngineOptions:
    """The options that the parsed ``flags`` give. Raises ``EngineError`` for flags that do not fit together."""
    return check_options(flags.engine, EngineOptions(threads, flags.device, flags.precision, flags.triton, flags.plans))


def check_options(name: str, options: EngineOptions) -> EngineOptions:
    """The options themselves. Raises ``EngineError`` where the engine of that name does not take them."""
    if name == "triton" and options.triton is None:
        raise EngineError("engine triton needs a server's address; --triton URL names one")
    if name not in (AUTO, "triton") and options.triton is not None:
        raise EngineError(f"--triton is of no use to engine {name}; leave it out, or choose triton or auto")
    return options


def engine_notice(choice: Choice) -> str:
    """The line to print when the engine is not the plain CPU; empty when it is."""
    chosen = next(trial for trial in choice.trials if trial.name == choice.name)
    return "" if choice.name == CPU else f"engine {chosen.line()}"


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number
