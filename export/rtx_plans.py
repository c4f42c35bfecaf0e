"""``segue export --rtx``: plans of TensorRT for RTX, built on any machine, in a table, and in the bundle if asked.

A plan is compared with the ONNX file that it is made of as far as that goes without a GPU: inputs, outputs, and the
arithmetic of every product of the network that it is compiled from. On a machine with an RTX card its answers are
compared with the CPU's as well.
"""

import hashlib
import json
import lzma
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engines.bundle import FLOAT32, MANIFEST, Bundle, load_bundle
from engines.errors import EngineUnavailable
from engines.manifest import MAX_PLAN_BYTES
from engines.plan_cache import PlanCache, default_folder
from engines.precisions import choose_precisions
from engines.tensorrt_build import Plan, network_of, plans_for
from engines.tensorrt_engine import TensorrtEngine
from engines.tensorrt_network import NetworkFacts
from engines.tensorrt_recipe import Recipe
from engines.tensorrt_rtx import HALF_ONLY, RTX
from engines.tensorrt_runtime import Libraries, describe_gpu, load_builder, load_cuda
from features.spec import FEATURES

from .errors import ExportError
from .tensorrt import PlanReport, as_json, compare_graphs

MAX_BUNDLE: Final = 32_000_000  # bytes of a bundle with its plans
PRESET: Final = 1  # of XZ: a ninth of a plan is left, for 20 ms a megabyte; higher ones gain little

Progress = Callable[[str], None]


@dataclass(frozen=True)
class RtxPlans:
    """``version`` of TensorRT for RTX; ``plans`` of all precisions, one for each file of the bundle; ``networks``, what
    each was compiled from, by (graph, precision). ``compared``: with the CPU, on this machine's card; ``reason``: why
    not, empty where they were."""

    version: str
    plans: tuple[Plan, ...]
    networks: Mapping[tuple[str, str], NetworkFacts]
    compared: tuple[PlanReport, ...]
    reason: str


def make_rtx_plans(
    bundle: Bundle,
    precisions: Sequence[str] = (FLOAT32,),
    device: int = 0,
    folder: Path | None = None,
    progress: Progress = lambda step: None,
    libraries: Libraries | None = None,
) -> RtxPlans:
    """Build what is neither in the bundle nor in the plan folder, and compare it as far as this machine can.

    Raises ``EngineUnavailable`` where the package is missing, refuses a graph, or makes another network of it.
    """
    libraries, cache, recipe = libraries or load_builder(RTX), PlanCache(folder or default_folder()), Recipe()
    plans: dict[tuple[str, str], Plan] = {}
    networks: dict[tuple[str, str], NetworkFacts] = {}
    for precision in precisions:
        for graph, plan in plans_for(libraries, bundle, None, cache, recipe, precision, True, progress).items():
            spec, where = bundle.spec(graph), (graph, plan.precision)
            plans.setdefault(where, plan)
            networks[where] = plan.facts or network_of(
                libraries, spec, bundle.read(graph, plan.precision), plan.precision
            )
    compared, reason = [], ""
    try:
        libraries = libraries if libraries.cuda is not None else Libraries(libraries.trt, load_cuda(RTX), RTX)
        gpu = describe_gpu(libraries.cuda, device)
        for precision in precisions:
            RTX.check_gpu(gpu, choose_precisions(bundle, precision))
    except EngineUnavailable as error:
        reason = str(error)
    else:
        compared = [
            compare_here(bundle, libraries, device, cache.folder, precision, progress) for precision in precisions
        ]
    return RtxPlans(str(libraries.trt.__version__), tuple(plans.values()), networks, tuple(compared), reason)


def compare_here(
    bundle: Bundle, libraries: Libraries, device: int, folder: Path, precision: str, progress: Progress
) -> PlanReport:
    """The engine made of these plans against the CPU."""
    engine = TensorrtEngine(bundle, device, folder, precision, libraries=libraries)
    try:
        progress(f"comparing {engine.name} with the CPU")
        return PlanReport(precision, (), engine.facts(), tuple(compare_graphs(bundle, engine)))
    finally:
        engine.close()


def table_lines(made: RtxPlans) -> list[str]:
    """The table of plans, and below it what they leave out and why."""
    lines = [f"TensorRT for RTX {made.version}"]
    lines.append(
        f"{'graph':<16} {'precision':<9} {'capabilities':<29} {'bytes':>10} {'built':>9} {'layers':>6}  products"
    )
    for plan in made.plans:
        network = made.networks[plan.graph, plan.precision]
        built = "was there" if plan.build_s is None else f"{plan.build_s:.2f} s"
        products = ", ".join(f"{count} in {name}" for name, count in network.products.items()) or "none"
        lines.append(
            f"{plan.graph:<16} {plan.precision:<9} {plan.capability:<29} {len(plan.data):>10} {built:>9} "
            f"{network.layers:>6}  {products}"
        )
    total, seconds = sum(len(plan.data) for plan in made.plans), sum(plan.build_s or 0 for plan in made.plans)
    lines.append(
        f"{len(made.plans)} plans, {total} bytes, {seconds:.1f} s; inputs, outputs and precision are the manifest's"
    )
    if any(plan.precision != "float16" for plan in made.plans):
        lines.append(
            f"{', '.join(HALF_ONLY)} (RTX 20) is left out of plans in other precisions than float16: TensorRT for RTX "
            "has no float32 products for it; export the bundle with --precision float16"
        )
    if made.reason:
        lines.append(f"not run here: {made.reason}")
    for report in made.compared:
        furthest = max(report.rows, key=lambda row: row.difference)
        lines.append(
            f"{report.precision}: differs from the CPU by at most {furthest.difference:.1e} ({furthest.graph})"
        )
    return lines


def rtx_json(made: RtxPlans) -> dict[str, Any]:
    """The table for programs, in the form that ``--plan-report`` has for TensorRT."""
    plans = []
    for plan in made.plans:
        network = made.networks[plan.graph, plan.precision]
        plans.append(
            {
                "graph": plan.graph,
                "precision": plan.precision,
                "capabilities": plan.capability.split(),
                "bytes": len(plan.data),
                "build_s": plan.build_s,
                "layers": network.layers,
                "products": network.products,
                "inputs": [str(tensor) for tensor in network.inputs],
                "outputs": [str(tensor) for tensor in network.outputs],
            }
        )
    return as_json(made.compared) | {"plans": plans, RTX.name: made.version, "not_run": made.reason}


def add_plans(bundle: Bundle, made: RtxPlans) -> str:
    """Put the plans into the bundle, in the place of those that it has of another version or in the same precision; a
    line that says so.

    Whatever happens, either the old plans or the new ones are there. ``ExportError`` where the bundle would grow beyond
    ``MAX_BUNDLE`` or cannot be written.
    """
    path = bundle.path / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    before = {plan.file for spec in bundle.manifest.graphs.values() for plan in spec.plans} - others_of(bundle)
    files: dict[str, bytes] = {}
    for graph, entry in manifest["graphs"].items():
        entry["plans"] = [old for old in entry.get("plans", []) if stays(old, made)]
        for plan in (plan for plan in made.plans if plan.graph == graph):
            if len(plan.data) > MAX_PLAN_BYTES:
                raise ExportError(
                    f"bundle {bundle.path}: the plan of {graph} has {len(plan.data)} bytes, one in a bundle may have "
                    f"{MAX_PLAN_BYTES}; leave --with-plans out: the plans are in the plan folder"
                )
            packed = lzma.compress(plan.data, lzma.FORMAT_XZ, preset=PRESET)
            digest = hashlib.sha256(packed).hexdigest()
            name = f"{graph}.{plan.precision}.rtx-{digest[:8]}.plan.xz"
            files[name] = packed
            entry["plans"].append(plan_entry(bundle, plan, made.version) | {"file": name, "sha256": digest})
    named = {plan["file"] for entry in manifest["graphs"].values() for plan in entry["plans"]}
    size = sum(map(len, files.values()))
    new = {name: packed for name, packed in files.items() if name not in before}  # the others are there, whole
    rest = [file for file in bundle.path.iterdir() if file.is_file() and file.name not in {*files, *(before - named)}]
    total = size + sum(file.stat().st_size for file in rest)
    if total > MAX_BUNDLE:
        raise ExportError(
            f"bundle {bundle.path}: would have {total / 1e6:.1f} MB with its plans, may have {MAX_BUNDLE / 1e6:.0f}; "
            "leave --with-plans out: the plans are in the plan folder"
        )
    part = path.with_name(f".{MANIFEST}.part")
    try:
        for name, packed in new.items():
            (bundle.path / name).write_bytes(packed)
        part.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        os.replace(part, path)  # noqa: PTH105
    except OSError as error:
        for name in (part.name, *new):
            with suppress(OSError):
                (bundle.path / name).unlink(missing_ok=True)
        raise ExportError(
            f"bundle {bundle.path}: its plans cannot be written ({error.strerror}); make room, or mend its permissions"
        ) from error
    for name in before - named:
        with suppress(OSError):
            (bundle.path / name).unlink(missing_ok=True)
    after = load_bundle(bundle.path, FEATURES)
    same = "as before" if after.identity == bundle.identity else f"it was {bundle.identity[:12]}: index again"
    return f"{bundle.path}: holds {len(files)} plans ({size / 1e6:.2f} MB), identity {after.identity[:12]} ({same})"


def others_of(bundle: Bundle) -> set[str]:
    """The files that a manifest names beside its plans. One that calls such a file a plan must not have it removed."""
    graphs = bundle.manifest.graphs
    files = {bundle.file(graph, precision)[0] for graph in graphs for precision in bundle.precisions(graph)}
    return files if bundle.manifest.bank is None else files | {bundle.manifest.bank.file}


def stays(old: Mapping[str, Any], made: RtxPlans) -> bool:
    """Whether a plan in the manifest stays beside the new ones: another engine's, or one in another precision."""
    if old["engine"] != RTX.name:
        return True
    return bool(old["version"] == made.version and old["precision"] not in {plan.precision for plan in made.plans})


def plan_entry(bundle: Bundle, plan: Plan, version: str) -> dict[str, Any]:
    """What the manifest says of a plan, beside its file."""
    return {
        "engine": RTX.name,
        "version": version,
        "precision": plan.precision,
        "capabilities": plan.capability.split(),
        "profiles": [list(rows) for rows in Recipe().profiles],
        "onnx": bundle.file(plan.graph, plan.precision)[1],
        "size": len(plan.data),
    }
