"""The ``segue`` command. Each command lives in its folder's ``cli.py``, which is imported only when it is asked for.

A folder's ``cli.py`` offers ``main(command, argv) -> exit code`` and ``USER_ERRORS``, the exceptions that are the
user's to mend: those print as one line and end with 2. Anything else is our own failure and ends with 1.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

COMMANDS = {
    "demo": ("stream.cli", "first run: make a demo catalogue, serve the page, open the browser"),
    "index": ("catalog.cli", "add, refresh and remove a folder of music in a catalogue"),
    "watch": ("stream.cli", "suggest music for a file or URL, in the terminal or as JSON lines"),
    "replay": ("stream.cli", "run a recording again: the same suggestions, or where they first differ"),
    "serve": ("stream.cli", "take live streams (WHIP) and publish suggestions"),
    "search": ("catalog.cli", "one-off search of a catalogue"),
    "corpus": ("towers.cli", "make a training corpus"),
    "train": ("towers.cli", "train a system on a corpus"),
    "evaluate": ("towers.cli", "recall of a trained run on a corpus, against chance"),
    "export": ("export.cli", "turn a trained run into a bundle, checked for parity"),
    "bench": ("benchmarks.cli", "measure latency, stage by stage"),
    "doctor": ("stream.cli", "what this machine can do, and why not"),
}


def parser() -> argparse.ArgumentParser:
    """The top level only; every command parses its own arguments."""
    top = argparse.ArgumentParser(
        prog="segue",
        description="Live video in, rolling music suggestions out.",
        epilog="segue COMMAND --help says more.",
    )
    top.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=" · ".join(COMMANDS))
    top.add_argument("arguments", nargs=argparse.REMAINDER, help="the command's own arguments")
    return top


def overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "usage: segue COMMAND [...]\n\nLive video in, rolling music suggestions out.\n\n" + "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code (0 done, 1 our failure, 2 the user's to mend)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())  # noqa: T201
        return 0
    asked = parser().parse_args(words[:1])
    try:
        module = importlib.import_module(COMMANDS[asked.command][0])
    except ModuleNotFoundError as error:
        return complain(asked.command, missing(error.name or str(error)))
    try:
        return int(module.main(asked.command, words[1:]))
    except ModuleNotFoundError as error:
        return complain(asked.command, missing(error.name or str(error)))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our JSON lines went away: silence the interpreter's own flush as well
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except module.USER_ERRORS as error:
        return complain(asked.command, str(error))


def missing(module: str) -> str:
    """Which extra brings a package that is not installed."""
    root = module.partition(".")[0]
    extras = {"onnxruntime": "cpu", "faiss": "cpu", "torch": "train", "onnx": "train", "onnxscript": "train"}
    extras |= {"sklearn": "train", "safetensors": "train", "threadpoolctl": "train"}
    cure = f'pip install ".[{extras[root]}]"' if root in extras else "reinstall segue"
    return f"the package {root} is not installed; {cure} brings it"


def complain(command: str, text: str) -> int:
    print(f"segue {command}: {text}", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main())
