"""The flags by which commands are told what to run networks on, and what they say of it."""

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
    """``--engine`` (where one is to be chosen: ``which``), ``--device``, ``--precision``, ``--triton``, ``--plans``."""
    if which:
        parser.add_argument("--engine", choices=NAMES, default=AUTO, help=f"{HELP['engine']} (%(default)s)")
    parser.add_argument("--device", type=_number, default=0, metavar="N", help=f"{HELP['device']} (%(default)s)")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0], help=f"{HELP['precision']}")
    parser.add_argument("--triton", metavar="URL", help=HELP["triton"])
    parser.add_argument("--plans", type=Path, metavar="FOLDER", help=HELP["plans"])


def engine_options(asked: argparse.Namespace, threads: int = 1) -> EngineOptions:
    """What these flags say. Raises ``EngineError`` for some that do not fit together."""
    return checked(asked.engine, EngineOptions(threads, asked.device, asked.precision, asked.triton, asked.plans))


def checked(name: str, options: EngineOptions) -> EngineOptions:
    """The options, if the engine of that name can be asked for with them."""
    if name == "triton" and options.triton is None:
        raise EngineError("engine triton needs a server's address; --triton URL names one")
    if name not in (AUTO, "triton") and options.triton is not None:
        raise EngineError(f"--triton is of no use to engine {name}; leave it out, or ask for triton or auto")
    return options


def notable(choice: Choice) -> str:
    """What to tell somebody who did not ask: the engine, when it is another than the plain CPU; else nothing."""
    taken = next(trial for trial in choice.trials if trial.name == choice.name)
    return "" if choice.name == CPU else f"engine {taken.line()}"


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number
