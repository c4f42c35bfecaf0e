"""``segue export RUN -o BUNDLE``: a trained run becomes a bundle that the runtime can load without torch.

``--triton FOLDER`` writes the bundle as a model repository as well; ``RUN`` may be a bundle then.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from engines.errors import EngineError
from towers.errors import TowersError

from .errors import ExportError

USER_ERRORS: Final = (ExportError, EngineError, TowersError)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="segue export",
        description="Export a trained run to a bundle: one ONNX file a graph, compared with torch, and a manifest.",
    )
    options.add_argument("run", type=Path, metavar="RUN", help="folder made by segue train; a bundle with --triton")
    options.add_argument("-o", "--output", type=Path, metavar="BUNDLE", help="folder to write")
    options.add_argument("--name", help="the bundle's name; the output folder's by default")
    options.add_argument(
        "--triton", type=Path, metavar="FOLDER", help="write a model repository for Triton Inference Server as well"
    )
    return options


def main(command: str, argv: Sequence[str]) -> int:
    """Run ``segue export``; 0 when the bundle stands in its place."""
    options = parser()
    asked = options.parse_args(argv)
    if asked.output is None:
        if asked.triton is None:
            options.error("the following arguments are required: -o/--output, or --triton with a bundle")
        return write_triton(asked.run, asked.triton)
    # After parsing, since torch takes seconds to import: --help and a mistyped option answer at once.
    from towers.run import load_run

    from .bundle import write_bundle

    output: Path = asked.output.absolute()
    run = load_run(asked.run)
    console = Console(highlight=False, soft_wrap=True)
    with console.status("exporting") as status:
        report = write_bundle(run, run.system.name, output, asked.name or output.name, status.update)
    for graph in report.graphs:
        size = f"{graph.size_bytes / 1e6:.2f} MB"
        console.print(f"{graph.name:<16} {size:>10}   differs from torch by at most {graph.difference:.1e}")
    total = sum(graph.size_bytes for graph in report.graphs) / 1e6
    console.print(f"wrote {asked.output} ({total:.2f} MB, identity {report.identity[:12]})", markup=False)
    return 0 if asked.triton is None else write_triton(output, asked.triton)


def write_triton(folder: Path, repository: Path) -> int:
    """The bundle in ``folder`` as a model repository; 0 when it stands in its place."""
    from engines.bundle import load_bundle
    from features.spec import FEATURES

    from .triton_repository import write_repository

    bundle = load_bundle(folder, FEATURES)
    names = write_repository(bundle, repository.absolute())
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"wrote {repository} ({', '.join(names)}; identity {bundle.identity[:12]})", markup=False)
    return 0
