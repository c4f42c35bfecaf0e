"""Do the tensors of a bundle's graphs fit their sources? Every contradiction is an error that names both sides."""

from collections.abc import Mapping
from typing import Final

from .errors import BundleError
from .graphs import Feature, Graph, Graphs, Kind, Mask
from .manifest import BATCH, Manifest, Shape, TensorSpec

MOOD_AXES: Final = 3

Side = Mapping[str, TensorSpec]


def check_graphs(manifest: Manifest, graphs: Graphs, where: str) -> None:
    """Compare every graph's inputs and outputs with its sources and the manifest's sizes; ``BundleError``."""
    sizes = size_text(manifest, graphs)
    for name, spec in manifest.graphs.items():
        graph = graphs[name]
        check_side(spec.inputs, inputs_of(graph, graphs, manifest), sizes, f"{where}: graph {name}: input")
        check_side(spec.outputs, outputs_of(graph), sizes, f"{where}: graph {name}: output")
        if not spec.inputs:
            raise BundleError(f"{where}: graph {name}: takes nothing; export the bundle again")


def inputs_of(graph: Graph, graphs: Graphs, manifest: Manifest) -> Side:
    """The inputs that a graph must have: its masks, the vectors of others, and the features that the manifest
    describes."""
    clips = (manifest.max_clips,)
    expected: dict[str, TensorSpec] = {}
    for name, source in graph.inputs.items():
        if isinstance(source, Mask):
            expected[name] = TensorSpec(name, "bool", (BATCH, *clips))
        elif not isinstance(source, Feature):
            many = clips if source.many else ()
            expected[name] = TensorSpec(name, "float32", (BATCH, *many, graphs[source.graph].width))
        elif name in manifest.features and graph.kind is not Kind.EMBEDDING:
            description = manifest.features[name]
            shape: Shape = (BATCH, *(() if graph.kind.is_clip else clips), *description["shape"])
            expected[name] = TensorSpec(name, str(description["dtype"]), shape)
    return expected


def outputs_of(graph: Graph) -> Side:
    size = {Kind.EMBEDDING: (MOOD_AXES,), Kind.PAIR: ()}.get(graph.kind, (graph.width,))
    return {graph.output: TensorSpec(graph.output, "float32", (BATCH, *size))}


def check_side(tensors: tuple[TensorSpec, ...], expected: Side, sizes: str, where: str) -> None:
    names = [tensor.name for tensor in tensors]
    if sorted(names) != sorted(expected):
        raise BundleError(
            f"{where}s are {', '.join(names) or 'none'}, must be {', '.join(expected) or 'features'}, "
            "the features among them described in manifest.json; export the bundle again"
        )
    for tensor in tensors:
        if tensor != expected[tensor.name]:
            raise BundleError(
                f"{where} is {tensor}, but manifest.json with {sizes} asks for {expected[tensor.name]}; "
                "export the bundle again"
            )


def size_text(manifest: Manifest, graphs: Graphs) -> str:
    """The manifest's sizes, and the widths of graphs that have one of their own."""
    tower = next(name for name in manifest.graphs if graphs[name].kind is Kind.VIDEO_CLIP)
    known = {tower, graphs.music_tower.name, graphs.query.name, graphs.segment.name}
    others = "".join(f", {name} {width}" for name, width in graphs.widths.items() if name not in known)
    return (
        f"clip_dim {manifest.video_dim} (video) and {manifest.music_dim} (music), "
        f"embedding_dim {manifest.embedding_dim}, max_clips {manifest.max_clips}{others}"
    )
