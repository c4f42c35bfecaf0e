"""Joins the imported networks to a bundle: our part gives the same as before, theirs stands beside it.

A clip's vector is ours with their words behind it. A window's embedding is the two parts' unit vectors, ours times the
root of ``1 - share`` and theirs times the root of ``share``: one unit vector, whose cosine with another is the weighted
mean of the parts' cosines. The matcher's logit is the weighted mean of ours and of that cosine, scaled to the same
deviation; mood is the weighted mean of both moods. A program that reads the bundle need not know of the import.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from engines.bundle import MANIFEST, Bundle, load_bundle
from engines.manifest import BATCH, FORMAT, TensorSpec
from engines.onnx_engine import OnnxEngine
from engines.parity import TOLERANCE, draw_inputs
from engines.wiring import CLASSIC
from features import spec
from towers.imports.part import LOGITS, Imported

from .bundle import (
    FOLDER_MODE,
    ExportReport,
    GraphReport,
    check_target,
    file_name,
    graph_entry,
    manifest_json,
    put_in_place,
)
from .errors import ExportError
from .join import Joint, concatenate
from .onnx_graph import OPSET, OnnxGraph, export_graph

LICENCES: Final = "LICENCES.txt"
LEAST_SHARE: Final = 0.05  # of either part: a part of less should be left out
CERTAIN: Final = 1e-4  # a score this close to 0 or 1 counts as this


@dataclass(frozen=True)
class Part:
    """One exported graph of theirs, and its largest difference from torch."""

    graph: OnnxGraph
    difference: float


@dataclass(frozen=True)
class Parts:
    """All of them by their graphs; ``name`` of the import, ``facts`` for the record, as in ``towers.imports.part``."""

    name: str
    facts: Mapping[str, Any]
    graphs: Mapping[str, Part]

    def data(self, graph: str) -> bytes:
        return self.graphs[graph].graph.data

    def features(self, graph: str) -> tuple[TensorSpec, ...]:
        """The inputs of a clip's graph."""
        return self.graphs[graph].graph.inputs

    def width(self, graph: str) -> int:
        """Of the output of a clip's or a window's graph."""
        return int(self.graphs[graph].graph.outputs[0].shape[1])

    @property
    def video(self) -> int:
        return self.width("video_clip")

    @property
    def music(self) -> int:
        return self.width("music_clip")

    @property
    def place(self) -> int:
        return self.width("video_sequence")


def write_imported(
    base: Bundle,
    parts: Parts,
    share: float,
    folder: Path,
    name: str,
    sources: Mapping[str, Any],
    progress: Callable[[str], None] = lambda step: None,
    licences: str = "",
) -> ExportReport:
    """Write the bundle ``folder`` of ``base`` and ``parts``; a bundle that is there already is replaced.

    ``share`` of the imported part, from .05 to .95; ``sources``: for the training record; ``licences``: their text,
    which is stored beside the weights. Raises ``ExportError`` for another share, a folder that holds something else, or
    a base whose graphs cannot be joined; then ``folder`` stays as it was.
    """
    check_share(share)
    check_target(folder)
    if folder.resolve() == base.path.resolve():
        raise ExportError(f"output {folder}: is the bundle that it would be made of; name another folder")
    if "imported" in base.manifest.training:
        raise ExportError(f"bundle {base.path}: has an imported part already; name the bundle that it was made of")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        progress("joining")
        graphs = join_graphs(base, parts, share)
        for graph, file in graphs.items():
            (part / file_name(graph)).write_bytes(file.data)
        record = {**sources, "name": parts.name, "share": share, "width": parts.place, **parts.facts}
        (part / MANIFEST).write_text(manifest_text(base, parts, graphs, name, record), encoding="utf-8")
        if licences:
            (part / LICENCES).write_text(licences, encoding="utf-8")
        bundle = load_bundle(part, spec.FEATURES)
        progress("comparing with the base bundle")
        check_base(base, bundle, share)
        part.chmod(FOLDER_MODE)
        put_in_place(part, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    differences = {graph: parts.graphs[graph].difference if graph in parts.graphs else 0.0 for graph in graphs}
    reports = tuple(GraphReport(graph, len(file.data), differences[graph]) for graph, file in graphs.items())
    return ExportReport(path=folder, identity=bundle.identity, graphs=reports)


def unwritable(folder: Path, error: OSError) -> ExportError:
    return ExportError(
        f"output {folder}: cannot be written ({error.strerror or error}); make room or name another place"
    )


def check_share(share: float) -> None:
    if not LEAST_SHARE <= share <= 1.0 - LEAST_SHARE:
        raise ExportError(
            f"share {share:g}: must be from {LEAST_SHARE} to {1 - LEAST_SHARE}; beyond, use one part alone"
        )


def export_parts(whole: Imported, progress: Callable[[str], None] = lambda step: None) -> Parts:
    """Export their graphs and compare each with torch. Raises ``ExportError`` where one differs."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.tensor([[True] * spec.MAX_CLIPS, [True] * 3 + [False] * 4, [True] + [False] * 6])
    video_inputs = {name: _draw_feature(name, generator) for name in whole.video_features}
    music_inputs = {name: _draw_feature(name, generator) for name in whole.music_features}
    with torch.inference_mode():
        widths = [
            module(*(value[:1] for value in inputs.values())).shape[1]
            for module, inputs in ((whole.video_clip, video_inputs), (whole.music_clip, music_inputs))
        ]
        video_clips, music_clips = (
            torch.randn(len(mask), spec.MAX_CLIPS, width, generator=generator) for width in widths
        )
        place = whole.video_place(video_clips, mask)
    modules: dict[str, tuple[nn.Module, dict[str, Tensor], str]] = {
        "video_clip": (whole.video_clip, video_inputs, "words"),
        "music_clip": (whole.music_clip, music_inputs, "words"),
        "video_sequence": (whole.video_place, {"clips": video_clips, "mask": mask}, "place"),
        "music_sequence": (whole.music_place, {"clips": music_clips, "mask": mask}, "place"),
        "matcher": (
            whole.match,
            {"video_clips": video_clips, "video_mask": mask, "music_clips": music_clips, "music_mask": mask.flip(0)},
            "cosine",
        ),
        "mood": (whole.mood, {"embedding": place}, "mood"),
    }
    parts = {}
    for name, (module, inputs, output) in modules.items():
        progress(f"exporting {name}")
        with torch.inference_mode():
            graph = export_graph(name, module, inputs, [output])
            parts[name] = Part(graph, difference(name, graph, module, inputs))
    return Parts(whole.name, whole.facts, parts)


def _draw_feature(name: str, generator: torch.Generator) -> Tensor:
    """Three random rows of a feature: bytes, or numbers that are not negative."""
    described = spec.FEATURES[name]
    shape = (3, *np.empty(tuple(described["shape"])).shape)  # type: ignore[arg-type]
    if described["dtype"] == "uint8":
        return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)
    return torch.randn(*shape, generator=generator).abs()


def difference(name: str, graph: OnnxGraph, module: nn.Module, inputs: Mapping[str, Tensor]) -> float:
    """The largest difference of ONNX Runtime from torch, for one row and for all; ``ExportError`` above 1e-4 of the
    scale."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.data, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for rows in (1, 3):
        feed = {key: value[:rows] for key, value in inputs.items()}
        with torch.inference_mode():
            expected = module(*feed.values()).numpy()
        actual = session.run(None, {key: value.numpy() for key, value in feed.items()})[0]
        gap, scale = float(np.abs(actual - expected).max()), max(1.0, float(np.abs(expected).max()))
        if not gap <= TOLERANCE * scale:
            raise ExportError(
                f"graph {name}: differs from torch by {gap:.2g} (of {scale:.3g}); the package holds other weights than "
                "this program knows, or the exporter errs: fetch it again"
            )
        worst = max(worst, gap)
    return worst


def join_graphs(base: Bundle, parts: Parts, share: float) -> dict[str, OnnxGraph]:
    """All graphs of the new bundle, in the order of the contract; a matcher only where the base has one. Raises
    ``ExportError`` for a base with other graphs than the usual six."""
    check_usual(base)
    ours, theirs = float(np.sqrt(1.0 - share)), float(np.sqrt(share))
    graphs = {name: clip_graph(name, base, parts) for name in ("video_clip", "music_clip")}
    graphs |= {name: sequence_graph(name, base, parts, ours, theirs) for name in ("video_sequence", "music_sequence")}
    if "matcher" in base.manifest.graphs:
        graphs["matcher"] = matcher_graph(base, parts, share)
    graphs["mood"] = mood_graph(base, parts, share, ours)
    return graphs


def check_usual(base: Bundle) -> None:
    for graph in base.graphs:
        spec = base.spec(graph.name)
        if graph.name not in CLASSIC or spec.of is not None or spec.takes is not None:
            raise ExportError(
                f"bundle {base.path}: its graph {graph.name} has a wiring of its own, an import knows "
                f"{', '.join(CLASSIC)} as they usually are; name another base"
            )


def clip_graph(name: str, base: Bundle, parts: Parts) -> OnnxGraph:
    joint = Joint(name)
    inputs = {tensor.name: joint.input(tensor) for tensor in base.spec(name).inputs}
    ours = joint.part(base.read(name), inputs)["embedding"]
    features = {feature.name: joint.input(feature) for feature in parts.features(name)}
    theirs = joint.part(parts.data(name), features)["words"]
    out = TensorSpec("embedding", "float32", (BATCH, base.graphs.widths[name] + parts.width(name)))
    joint.output(out, concatenate(joint, (ours, theirs)))
    return joint.finish()


def sequence_graph(name: str, base: Bundle, parts: Parts, ours: float, theirs: float) -> OnnxGraph:
    joint, tower = Joint(name), f"{base.graphs[name].kind.side}_clip"
    width, words = base.graphs.widths[tower], parts.width(tower)
    clips = joint.input(TensorSpec("clips", "float32", (BATCH, spec.MAX_CLIPS, width + words)))
    inputs = {tensor.name: joint.input(tensor) for tensor in base.spec(name).inputs if tensor.name != "clips"}
    mine = joint.part(base.read(name), {"clips": joint.cut(clips, 2, 0, width), **inputs})["embedding"]
    place = joint.part(parts.data(name), {"clips": joint.cut(clips, 2, width), "mask": inputs["mask"]})["place"]
    scaled = joint.op("Mul", mine, joint.number(ours)), joint.op("Mul", place, joint.number(theirs))
    out = TensorSpec("embedding", "float32", (BATCH, base.manifest.embedding_dim + parts.place))
    joint.output(out, concatenate(joint, scaled))
    return joint.finish()


def matcher_graph(base: Bundle, parts: Parts, share: float) -> OnnxGraph:
    joint = Joint("matcher")
    towers = {f"{tower}s": tower for tower in ("video_clip", "music_clip")}
    widths = {name: (base.graphs.widths[tower], parts.width(tower)) for name, tower in towers.items()}
    ours, theirs = {}, {}
    for tensor in base.spec("matcher").inputs:
        if tensor.name in widths:
            width, words = widths[tensor.name]
            whole = joint.input(TensorSpec(tensor.name, "float32", (BATCH, spec.MAX_CLIPS, width + words)))
            ours[tensor.name], theirs[tensor.name] = joint.cut(whole, 2, 0, width), joint.cut(whole, 2, width)
        else:
            ours[tensor.name] = joint.input(tensor)
    theirs |= {mask: ours[mask] for mask in ("video_mask", "music_mask")}
    score = joint.part(base.read("matcher"), ours)["score"]
    cosine = joint.part(parts.data("matcher"), theirs)["cosine"]
    bounded = joint.op("Clip", score, joint.number(CERTAIN), joint.number(1.0 - CERTAIN))
    against = joint.op("Log", joint.op("Sub", joint.number(1.0), bounded))
    logit = joint.op("Sub", joint.op("Log", bounded), against)
    mixed = joint.op(
        "Add",
        joint.op("Mul", logit, joint.number(1.0 - share)),
        joint.op("Mul", cosine, joint.number(share * LOGITS)),
    )
    joint.output(TensorSpec("score", "float32", (BATCH,)), joint.op("Sigmoid", mixed))
    return joint.finish()


def mood_graph(base: Bundle, parts: Parts, share: float, ours: float) -> OnnxGraph:
    joint, width = Joint("mood"), base.manifest.embedding_dim
    whole = joint.input(TensorSpec("embedding", "float32", (BATCH, width + parts.place)))
    mood = joint.part(parts.data("mood"), {"embedding": joint.cut(whole, 1, width)})["mood"]
    if "mood" in base.manifest.graphs:
        alone = joint.op("Mul", joint.cut(whole, 1, 0, width), joint.number(1.0 / ours))
        mine = joint.part(base.read("mood"), {"embedding": alone})["mood"]
        mood = joint.op(
            "Add", joint.op("Mul", mine, joint.number(1.0 - share)), joint.op("Mul", mood, joint.number(share))
        )
    joint.output(TensorSpec("mood", "float32", (BATCH, len(spec.MOOD_AXES))), mood)
    return joint.finish()


def manifest_text(
    base: Bundle, parts: Parts, graphs: Mapping[str, OnnxGraph], name: str, record: Mapping[str, Any]
) -> str:
    """The base's training record stays as it is; ``imported`` and ``base`` say what was added."""
    old = base.manifest
    features = {key: dict(value) for key, value in old.features.items()}
    theirs = (*parts.features("video_clip"), *parts.features("music_clip"))
    features |= {tensor.name: dict(spec.FEATURES[tensor.name]) for tensor in theirs}
    manifest = {
        "format": FORMAT,
        "name": name,
        "system": f"{old.system}+{parts.name}",
        "clip_dim": {"video": old.video_dim + parts.video, "music": old.music_dim + parts.music},
        "embedding_dim": old.embedding_dim + parts.place,
        "max_clips": spec.MAX_CLIPS,
        "opset": OPSET,
        "graphs": {graph: graph_entry(graph, file) for graph, file in graphs.items()},
        "features": features,
        "training": {
            **old.training,
            "base": {"name": old.name, "identity": base.identity, "clip_dim": [old.video_dim, old.music_dim]},
            "imported": dict(record),
        },
    }
    return manifest_json(manifest)


def check_base(base: Bundle, written: Bundle, share: float) -> None:
    """Our part must give the same in the new bundle as alone. Raises ``ExportError`` where it does not."""
    ours = float(np.sqrt(1.0 - share))
    factors = {"video_clip": 1.0, "music_clip": 1.0, "video_sequence": ours, "music_sequence": ours}
    widths = base.graphs.widths
    rng = np.random.default_rng(0)
    before, after = OnnxEngine(base), OnnxEngine(written)
    try:
        for graph, factor in factors.items():
            inputs = draw_inputs(written.spec(graph), 3, "ragged", rng, {})
            alone = {tensor.name: inputs[tensor.name] for tensor in base.spec(graph).inputs}
            if "clips" in alone:
                alone["clips"] = np.ascontiguousarray(
                    inputs["clips"][:, :, : widths[f"{base.graphs[graph].kind.side}_clip"]]
                )
            expected = before.run(graph, alone)["embedding"] * factor
            gap = float(np.abs(after.run(graph, inputs)["embedding"][:, : widths[graph]] - expected).max())
            if not gap <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
                raise ExportError(f"graph {graph}: differs by {gap:.2g} from {base.path}; report this as a fault")
        for graph in ("matcher", "mood"):
            if graph in written.manifest.graphs:
                after.run(graph, draw_inputs(written.spec(graph), 3, "ragged", rng, {}))
    finally:
        before.close()
        after.close()
