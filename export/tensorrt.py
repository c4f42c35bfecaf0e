"""``segue export --plans BUNDLE`` and ``--tensorrt``: TensorRT plans for this machine's GPU, built, kept and compared.
``--rtx`` builds those of TensorRT for RTX (``rtx_plans.py``).

Needs a bundle, a GPU and TensorRT; neither torch nor the run that the bundle came from. Each engine made from the plans
is opened as a server would open it and compared with ONNX Runtime on the CPU. Not yet run on a GPU: the tests use a
stand-in.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engines.bundle import FLOAT32, Bundle
from engines.onnx_engine import OnnxEngine
from engines.parity import Row, compare, fault, flat, worst
from engines.plan_cache import PlanCache, default_folder
from engines.tensorrt_build import Plan, plans_for
from engines.tensorrt_engine import TensorrtEngine
from engines.tensorrt_recipe import PRECISIONS, Recipe
from engines.tensorrt_runtime import Libraries, find_gpu, load_libraries

from .errors import ExportError

BATCHES: Final = (1, 2, 3, 7, 8, 16, 32, 33)  # every slot, padded and full, and more rows than the largest takes
EFFORT: Final = Recipe().effort

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PlanReport:
    """The result for one precision: one plan for each graph, the engine's facts about itself, and every comparison."""

    precision: str
    plans: tuple[Plan, ...]
    facts: dict[str, str]
    rows: tuple[Row, ...]

    @property
    def faults(self) -> list[str]:
        return [text for row in self.rows if (text := fault(row))]


def add_options(options: argparse.ArgumentParser) -> None:
    group = options.add_argument_group("TensorRT", "plans for this machine's GPU, or with --rtx for any RTX card")
    group.add_argument("--tensorrt", action="store_true", help="build plans for the bundle that is written")
    group.add_argument("--plans", type=Path, metavar="BUNDLE", help="build plans for a bundle that is there, no RUN")
    group.add_argument("--rtx", action="store_true", help="plans of TensorRT for RTX, for all RTX cards; no GPU needed")
    group.add_argument("--with-plans", action="store_true", help="with --rtx: put the plans into the bundle")
    group.add_argument("--device", type=int, default=0, metavar="N", help="which GPU (default 0)")
    group.add_argument("--plan-folder", type=Path, metavar="FOLDER", help="where plans are kept (default: your cache)")
    group.add_argument("--effort", type=int, default=EFFORT, choices=range(6), help="how long to search (default 3)")
    group.add_argument("--same-capability", action="store_true", help="plans for every GPU of this capability; slower")
    group.add_argument("--version-compatible", action="store_true", help="plans for later TensorRTs too; slower")
    group.add_argument("--plan-report", type=Path, metavar="FILE", help="write what was built and compared as JSON")


def recipe_of(options: argparse.Namespace) -> Recipe:
    return Recipe(
        effort=options.effort, same_capability=options.same_capability, version_compatible=options.version_compatible
    )


def plan_precisions(bundle: Bundle, names: Sequence[str]) -> tuple[str, ...]:
    """The precisions to build: float32 where ``names`` is empty; for ``all`` those that the bundle has."""
    available = {precision for graph in bundle.manifest.graphs for precision in bundle.precisions(graph)}
    if "all" in names:
        return tuple(precision for precision in PRECISIONS if precision in available)
    return tuple(dict.fromkeys(names)) or (FLOAT32,)


def check_machine(device: int, libraries: Libraries | None = None) -> None:
    """``EngineUnavailable`` where TensorRT or the GPU is missing; called before an export, not after it."""
    find_gpu(libraries or load_libraries(), device)


def make_plans(
    bundle: Bundle,
    precisions: Sequence[str] = (FLOAT32,),
    device: int = 0,
    folder: Path | None = None,
    recipe: Recipe | None = None,
    progress: Progress = lambda step: None,
    libraries: Libraries | None = None,
) -> list[PlanReport]:
    """Plans of every graph in each precision, and how their engines compare with the CPU.

    Raises the errors of ``TensorrtEngine``; larger differences than parity allows are in the reports (``faults``).
    """
    libraries, folder, recipe = libraries or load_libraries(), folder or default_folder(), recipe or Recipe()
    gpu = find_gpu(libraries, device)
    reports = []
    for precision in precisions:
        plans = plans_for(libraries, bundle, gpu, PlanCache(folder), recipe, precision, True, progress)
        engine = TensorrtEngine(bundle, device, folder, precision, recipe, libraries=libraries)
        try:
            progress(f"comparing {engine.name} with the CPU")
            rows = compare_graphs(bundle, engine)
            reports.append(PlanReport(precision, tuple(plans.values()), engine.facts(), tuple(rows)))
        finally:
            engine.close()
    return reports


def compare_graphs(bundle: Bundle, engine: TensorrtEngine) -> list[Row]:
    """Every graph of ``engine`` against float32 on the CPU, by the rule of the precision that it really runs in."""
    reference = OnnxEngine(bundle)
    try:
        return [
            row
            for graph in bundle.manifest.graphs
            for row in compare(reference, engine, [bundle.spec(graph)], engine.precision_of(graph), batches=BATCHES)
        ]
    finally:
        reference.close()


def report_lines(reports: Sequence[PlanReport]) -> list[str]:
    """One line for each plan: its origin, its size, and its largest difference from the CPU."""
    lines = []
    for report in reports:
        lines.append(", ".join(f"{name} {value}" for name, value in report.facts.items()))
        furthest = {row.graph: row for row in worst(report.rows)}
        for plan in report.plans:
            origin = "was there" if plan.build_s is None else f"built in {plan.build_s:.1f} s"
            row = furthest[plan.graph]
            lines.append(
                f"{plan.graph:<16} {plan.precision:<8} {origin:<18} {len(plan.data) / 1e6:8.2f} MB   "
                f"differs from the CPU by at most {row.difference:.1e}, cosine {row.cosine:.5f}"
            )
    return lines


def as_json(reports: Sequence[PlanReport]) -> dict[str, Any]:
    return {
        "v": 1,
        "plans": [
            {"graph": plan.graph, "precision": plan.precision, "bytes": len(plan.data), "build_s": plan.build_s}
            for report in reports
            for plan in report.plans
        ],
        "engines": [{"precision": report.precision, **report.facts} for report in reports],
        "rows": [row for report in reports for row in flat(report.rows)],
    }


def write_report(reports: Sequence[PlanReport], file: Path) -> None:
    """``ExportError`` where it cannot be written."""
    write_json(as_json(reports), file)


def write_json(report: Mapping[str, Any], file: Path) -> None:
    try:
        file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ExportError(f"report {file}: cannot be written ({error.strerror}); name another") from error


def check_faults(reports: Sequence[PlanReport]) -> None:
    """``ExportError`` that names the first difference that is too large."""
    faults = [text for report in reports for text in report.faults]
    if faults:
        raise ExportError(
            f"TensorRT's numbers are not right in {len(faults)} comparisons, first: {faults[0]}; use another engine"
        )
