"""``segue export RUN -o BUNDLE``: a trained run becomes a bundle that the runtime can load without torch.

``segue export --plans BUNDLE`` builds TensorRT plans for a bundle; it needs a GPU, but neither torch nor the run. With
``--rtx`` it builds those of TensorRT for RTX, which needs no GPU either.
``--triton FOLDER`` writes the bundle as a model repository as well; ``RUN`` may be a bundle then.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from engines.bundle import load_bundle
from engines.errors import EngineError
from engines.tensorrt_rtx import RTX
from engines.tensorrt_runtime import load_builder
from features.spec import FEATURES
from towers.errors import TowersError

from .errors import ExportError
from .rtx_plans import add_plans, make_rtx_plans, rtx_json, table_lines
from .tensorrt import (
    EFFORT,
    add_options,
    check_faults,
    check_machine,
    make_plans,
    plan_precisions,
    recipe_of,
    report_lines,
    write_json,
    write_report,
)

if TYPE_CHECKING:
    from .variants import Verdict

PRECISIONS: Final = ("float16", "int8")  # that can be made
USER_ERRORS: Final = (ExportError, EngineError, TowersError)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="segue export",
        description="Export a trained run to a bundle: one ONNX file a graph, compared with torch, and a manifest.",
    )
    options.add_argument(
        "run", type=Path, nargs="?", metavar="RUN", help="folder made by segue train; a bundle with --triton"
    )
    options.add_argument("-o", "--output", type=Path, metavar="BUNDLE", help="folder to write")
    options.add_argument("--name", help="the bundle's name; the output folder's by default")
    options.add_argument(
        "--precision",
        action="append",
        choices=("float32", *PRECISIONS, "all"),
        default=[],
        help="another arithmetic beside float32, kept for the graphs where it is right; may be given again",
    )
    options.add_argument(
        "--corpus", type=Path, metavar="CORPUS", help="real clips to calibrate int8 on and to judge precisions by"
    )
    options.add_argument(
        "--keep-slower", action="store_true", help="keep int8 that is right though it is no faster on this machine"
    )
    add_options(options)
    options.add_argument(
        "--triton", type=Path, metavar="FOLDER", help="write a model repository for Triton Inference Server as well"
    )
    return options


def precisions_of(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in PRECISIONS if name in names or "all" in names)


def main(command: str, argv: Sequence[str]) -> int:
    """Run ``segue export``; 0 when the bundle is written."""
    flags = parser()
    options = flags.parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    if problem := misfit(options):
        flags.error(problem)
    if options.plans is not None:
        if options.run is not None or options.output is not None or options.tensorrt or options.triton is not None:
            flags.error("--plans BUNDLE takes neither RUN nor --output, --tensorrt or --triton")
        return (
            build_rtx(options, options.plans, console) if options.rtx else build_plans(options, options.plans, console)
        )
    if options.run is None or options.output is None:
        if options.run is None or options.triton is None:
            flags.error("name RUN and --output BUNDLE, or --plans BUNDLE, or BUNDLE and --triton FOLDER")
        return write_triton(options.run, options.triton, console)
    if options.tensorrt:
        check_machine(options.device)
    if options.rtx:
        load_builder(RTX)
    # Torch takes seconds to import, so after parsing: --help and a mistyped option answer at once.
    from towers.run import load_run

    from .bundle import write_bundle
    from .probe import CALIBRATION_PAIRS, JUDGED_PAIRS, read_probe
    from .variants import VariantOptions

    output: Path = options.output.absolute()
    run = load_run(options.run)
    precisions = precisions_of(options.precision)
    probe, calibration = None, None
    if precisions and options.corpus is not None:
        probe = read_probe(run, options.corpus, "test", JUDGED_PAIRS)
        calibration = read_probe(run, options.corpus, "train", CALIBRATION_PAIRS)
    variants = VariantOptions(precisions, probe, calibration, options.keep_slower)
    with console.status("exporting") as status:
        report = write_bundle(run, run.system.name, output, options.name or output.name, status.update, variants)
    for graph in report.graphs:
        size = f"{graph.size_bytes / 1e6:.2f} MB"
        console.print(f"{graph.name:<16} {size:>10}   differs from torch by at most {graph.difference:.1e}")
    for verdict in report.variants:
        console.print(verdict_line(verdict), markup=False)
    total = sum(graph.size_bytes for graph in report.graphs) / 1e6
    console.print(f"wrote {options.output} ({total:.2f} MB, identity {report.identity[:12]})", markup=False)
    console.print(
        f"it has no bank of real footage: segue bank VIDEO ... --bundle {options.output} makes one", markup=False
    )
    if options.triton is not None:
        write_triton(output, options.triton, console)
    if options.rtx:
        build_rtx(options, output, console)
    return build_plans(options, output, console) if options.tensorrt else 0


def misfit(options: argparse.Namespace) -> str:
    """Why options for plans do not go together; empty where they do."""
    if options.with_plans and not options.rtx:
        return "--with-plans needs --rtx: other plans run on one GPU alone and stay out of bundles"
    if options.rtx and options.plan_report is not None and options.tensorrt:
        return "--plan-report takes the plans of --rtx or of --tensorrt; build the others with --plans BUNDLE"
    plain = options.same_capability or options.version_compatible or options.effort != EFFORT
    if options.rtx and plain and not options.tensorrt:
        return "--effort, --same-capability and --version-compatible are TensorRT's; leave them out with --rtx"
    return ""


def build_rtx(options: argparse.Namespace, folder: Path, console: Console) -> int:
    """Plans of TensorRT for RTX for the bundle in ``folder``, kept in the plan folder or in the bundle, in a table."""
    bundle = load_bundle(folder, FEATURES)
    precisions = plan_precisions(bundle, options.precision)
    with console.status("loading TensorRT for RTX") as status:
        made = make_rtx_plans(bundle, precisions, options.device, options.plan_folder, status.update)
    for line in table_lines(made):
        console.print(line, markup=False)
    if options.plan_report is not None:
        write_json(rtx_json(made), options.plan_report)
    check_faults(made.compared)
    if options.with_plans:
        console.print(add_plans(bundle, made), markup=False)
    return 0


def build_plans(options: argparse.Namespace, folder: Path, console: Console) -> int:
    """Plans of the bundle in ``folder``, reported and compared; ``ExportError`` where their numbers are not right."""
    bundle = load_bundle(folder, FEATURES)
    precisions = plan_precisions(bundle, options.precision)
    with console.status("looking for a GPU") as status:
        reports = make_plans(bundle, precisions, options.device, options.plan_folder, recipe_of(options), status.update)
    for line in report_lines(reports):
        console.print(line, markup=False)
    if options.plan_report is not None:
        write_report(reports, options.plan_report)
    check_faults(reports)
    return 0


def write_triton(folder: Path, repository: Path, console: Console) -> int:
    """Write the bundle in ``folder`` as a model repository; 0 when it is written."""
    from .triton_repository import write_repository

    bundle = load_bundle(folder, FEATURES)
    names = write_repository(bundle, repository.absolute())
    console.print(f"wrote {repository} ({', '.join(names)}; identity {bundle.identity[:12]})", markup=False)
    return 0


def verdict_line(verdict: "Verdict") -> str:
    label = f"{verdict.graph:<16} {verdict.precision:<8} {verdict.way:<10}"
    if verdict.reason:
        return f"{label} left out: {verdict.reason}"
    figures = [f"{verdict.size_bytes / 1e6:.2f} MB", f"cosine {verdict.cosine:.5f}"]
    if verdict.shared is not None:
        figures.append(f"shares {verdict.shared:.2f} of the first 10")
    figures += [f"{speed:.2f} x float32 at batch {batch}" for batch, speed in verdict.speeds.items()]
    return f"{label} {', '.join(figures)}"
