"""Writes a bundle: every graph exported, checked against torch, and the whole folder put in place by one rename."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from engines.bundle import FLOAT32, MANIFEST, Bundle, load_bundle
from engines.graphs import Kind
from engines.manifest import FORMAT, TensorSpec
from engines.onnx_engine import OnnxEngine
from engines.wiring import kind_of
from features.spec import FEATURES, MAX_CLIPS

from .errors import ExportError
from .onnx_graph import OPSET, OnnxGraph, export_graph
from .parity import Exportable, check_parity, ranges_of
from .variants import VariantFiles, VariantOptions, Verdict, check_options, make_variants

FOLDER_MODE: Final = 0o755  # mkdtemp makes its folders private, a bundle is not


class ExportableGraph(Exportable, Protocol):
    """``towers.system.GraphModule``, as far as a bundle is concerned."""

    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def of(self) -> str | None: ...
    @property
    def takes(self) -> Mapping[str, str] | None: ...


class ExportableRun(Protocol):
    """``towers.run.Run``, as far as a bundle is concerned."""

    @property
    def widths(self) -> Mapping[str, int]: ...
    @property
    def training(self) -> Mapping[str, Any]: ...
    def graphs(self) -> Mapping[str, ExportableGraph]: ...


@dataclass(frozen=True)
class GraphReport:
    """The float32 graph; ``difference`` is the largest absolute one between torch and ONNX Runtime."""

    name: str
    size_bytes: int
    difference: float


@dataclass(frozen=True)
class ExportReport:
    path: Path
    identity: str
    graphs: tuple[GraphReport, ...]
    variants: tuple[Verdict, ...] = ()


def write_bundle(
    run: ExportableRun,
    system: str,
    folder: Path,
    name: str,
    progress: Callable[[str], None] = lambda step: None,
    options: VariantOptions | None = None,
) -> ExportReport:
    """Export every graph of ``run`` to the bundle ``folder``; a bundle that is there already is replaced.

    ``options``: precisions to add where they are right and pay; the report says which are not, and why. ``progress``
    gets each step before it starts. Raises ``ExportError`` for a folder that holds something else, a graph that cannot
    be exported or differs from torch; ``BundleError`` where the run contradicts the bundle contract. In either case
    ``folder`` stays as it was.
    """
    options = options or VariantOptions()
    check_target(folder)
    check_options(options)
    folder.parent.mkdir(parents=True, exist_ok=True)
    modules = run.graphs()
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        graphs: dict[str, OnnxGraph] = {}
        for graph, module in modules.items():
            progress(f"exporting {graph}")
            graphs[graph] = export_graph(graph, module.module, module.inputs, module.outputs)
            (part / file_name(graph)).write_bytes(graphs[graph].data)
        text = manifest_text(run, system, name, modules, graphs)
        (part / MANIFEST).write_text(text, encoding="utf-8")
        bundle = load_bundle(part, FEATURES)
        engine = OnnxEngine(bundle)
        try:
            progress("comparing with torch")
            differences = check_parity(engine, modules)
            ranges = {graph: ranges_of(module) for graph, module in modules.items()}
            files, verdicts = make_variants(bundle, engine, options, ranges, progress)
        finally:
            engine.close()
        if any(files.values()):
            bundle = add_variants(bundle, files)
        part.chmod(FOLDER_MODE)
        put_in_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    reports = tuple(GraphReport(graph, len(exported.data), differences[graph]) for graph, exported in graphs.items())
    return ExportReport(path=folder, identity=bundle.identity, graphs=reports, variants=verdicts)


def add_variants(bundle: Bundle, added: VariantFiles) -> Bundle:
    """The same bundle with the files of ``added`` beside its own, opened once in each precision."""
    file = bundle.path / MANIFEST
    manifest = json.loads(file.read_text(encoding="utf-8"))
    for graph, files in added.items():
        for precision, data in files.items():
            (bundle.path / file_name(graph, precision)).write_bytes(data)
            entry = {"file": file_name(graph, precision), "sha256": hashlib.sha256(data).hexdigest()}
            manifest["graphs"][graph].setdefault("variants", {})[precision] = entry
    file.write_text(manifest_json(manifest), encoding="utf-8")
    extended = load_bundle(bundle.path, FEATURES)
    for precision in sorted({precision for files in added.values() for precision in files}):
        engine = OnnxEngine(extended, precision=precision)
        engine.warmup()
        engine.close()
    return extended


def check_target(folder: Path) -> None:
    """A new name, an empty folder, or a bundle to replace."""
    if folder.name in ("", ".."):
        raise ExportError(f"output {folder}: has no name of its own; name the bundle's folder")
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"output {folder}: is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise ExportError(f"output {folder}: holds files that are no bundle; name a new folder")


def put_in_place(part: Path, folder: Path) -> None:
    """Rename ``part`` to ``folder``; the old folder is deleted only once the new one is in place."""
    old = part.with_suffix(".old")
    if folder.exists():
        folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def manifest_text(
    run: ExportableRun,
    system: str,
    name: str,
    modules: Mapping[str, ExportableGraph],
    graphs: Mapping[str, OnnxGraph],
) -> str:
    """``manifest.json``; it holds no time and no path, so the same run gives the same identity again."""
    manifest = {
        "format": FORMAT,
        "name": name,
        "system": system,
        **sizes(run, modules),
        "max_clips": MAX_CLIPS,
        "opset": OPSET,
        "graphs": {graph: graph_entry(graph, exported) | wiring(modules[graph]) for graph, exported in graphs.items()},
        "features": feature_descriptions(modules),
        "training": dict(run.training),
    }
    try:
        return manifest_json(manifest)
    except (TypeError, ValueError) as error:
        raise ExportError(f"the run's training record cannot be stored: {error}; train again") from error


def sizes(run: ExportableRun, modules: Mapping[str, ExportableGraph]) -> dict[str, Any]:
    """``clip_dim``, of the first tower of either side, and ``embedding_dim``; other towers' widths are their own."""
    subjects = {name: module.of for name, module in modules.items()}
    first: dict[Kind, int] = {}
    for graph, width in run.widths.items():
        first.setdefault(kind_of(graph, subjects.get(graph), "the run"), width)
    video, music = first[Kind.VIDEO_CLIP], first[Kind.MUSIC_CLIP]
    return {
        "clip_dim": video if video == music else {"video": video, "music": music},
        "embedding_dim": first[Kind.MUSIC_WINDOW],
    }


def wiring(module: ExportableGraph) -> dict[str, Any]:
    """What a graph works on and takes, where its name does not say so."""
    entry = {} if module.of is None else {"of": module.of}
    return entry if module.takes is None else entry | {"takes": dict(module.takes)}


def manifest_json(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, indent=2, allow_nan=False) + "\n"


def graph_entry(graph: str, exported: OnnxGraph) -> dict[str, Any]:
    return {
        "file": file_name(graph),
        "sha256": hashlib.sha256(exported.data).hexdigest(),
        "inputs": [tensor_entry(tensor) for tensor in exported.inputs],
        "outputs": [tensor_entry(tensor) for tensor in exported.outputs],
    }


def tensor_entry(tensor: TensorSpec) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}


def feature_descriptions(modules: Mapping[str, ExportableGraph]) -> dict[str, Any]:
    """The descriptions of every feature that the graphs are fed from."""
    users = {feature: graph for graph, module in modules.items() for feature in module.features}
    for feature, graph in users.items():
        if feature not in FEATURES:
            raise ExportError(f"graph {graph}: is fed from the feature {feature}, there are {', '.join(FEATURES)}")
    return {feature: dict(FEATURES[feature]) for feature in FEATURES if feature in users}


def file_name(graph: str, precision: str = FLOAT32) -> str:
    return f"{graph}.onnx" if precision == FLOAT32 else f"{graph}.{precision}.onnx"
