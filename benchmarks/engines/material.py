"""What engines run on: inputs of every graph, and a run in torch with the weights of a bundle."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import BenchError
from engines.bundle import Bundle, load_bundle
from engines.manifest import GraphSpec, TensorSpec
from features.spec import FEATURES

if TYPE_CHECKING:
    from towers.system import GraphModule

Inputs = dict[str, NDArray[Any]]
WEIGHTS_DIFFER: Final = 1e-3  # a run and a bundle of one training agree to 1e-4
# Of a corpus with as many tags and emotions as the shipped bundle's; a graph's work does not depend on it.
VOCABULARY: Final = 57
EMOTIONS: Final = 5
POSITIVE: Final = ("displacement", "rhythm", "colour", "motion", "pulse")


@dataclass(frozen=True)
class Twins:
    """The same weights twice: a bundle, and its graphs in torch. ``trained``: False for fresh weights."""

    bundle: Bundle
    modules: "Mapping[str, GraphModule]"
    trained: bool


def draw_inputs(spec: GraphSpec, rows: int, rng: np.random.Generator) -> Inputs:
    """Valid inputs: any bytes, floats spread like layer-normed vectors, windows of one clip up to all."""
    return {tensor.name: draw(tensor, rows, rng) for tensor in spec.inputs}


def draw(tensor: TensorSpec, rows: int, rng: np.random.Generator) -> NDArray[Any]:
    shape = (rows, *(int(size) for size in tensor.shape[1:]))
    if tensor.dtype == "bool":
        return np.arange(shape[1]) < rng.integers(1, shape[1] + 1, rows)[:, None]
    if tensor.dtype == "uint8":
        return rng.integers(0, 256, shape, np.uint8)
    values: NDArray[np.float32] = rng.normal(size=shape).astype(np.float32)
    if tensor.name == "embedding":
        values /= np.linalg.norm(values, axis=-1, keepdims=True)
    return np.abs(values) if tensor.name in POSITIVE else values


def slice_rows(inputs: Mapping[str, NDArray[Any]], start: int, stop: int) -> Inputs:
    return {name: array[start:stop] for name, array in inputs.items()}


def trained_twins(folder: Path, bundle: Bundle) -> Twins:
    """A run on disk for the bundle that was exported from it. ``BenchError`` if the run and the bundle differ."""
    from towers.run import load_run

    run = load_run(folder)
    modules = run.graphs()
    if set(modules) != set(bundle.manifest.graphs):
        raise BenchError(
            f"{folder}: its graphs are {', '.join(modules)}, those of {bundle.path} are "
            f"{', '.join(bundle.manifest.graphs)}; name the run that the bundle was exported from"
        )
    check_weights(folder, bundle, modules)
    return Twins(bundle, modules, trained=True)


def check_weights(folder: Path, bundle: Bundle, modules: "Mapping[str, GraphModule]") -> None:
    """Run two rows through each graph both ways. ``BenchError`` if the outputs differ."""
    import torch

    from engines.onnx_engine import OnnxEngine

    rng = np.random.default_rng(0)
    engine = OnnxEngine(bundle)
    for graph, module in modules.items():
        inputs = draw_inputs(bundle.spec(graph), 2, rng)
        with torch.inference_mode():
            result = module.module(*(torch.from_numpy(inputs[name]) for name in module.inputs))
        output = result[0] if isinstance(result, tuple | list) else result
        difference = float(np.abs(output.numpy() - engine.run(graph, inputs)[module.outputs[0]]).max())
        if difference > WEIGHTS_DIFFER:
            raise BenchError(
                f"{folder}: {graph} differs from that of {bundle.path} by {difference:.2g}; "
                "name the run that the bundle was exported from"
            )
    engine.close()


@contextmanager
def untrained_twins() -> Iterator[Twins]:
    """The default recipe with fresh weights, exported to a temporary folder."""
    from export.bundle import write_bundle

    with tempfile.TemporaryDirectory() as folder:
        run = untrained_run(Path(folder))
        write_bundle(run, run.system.name, Path(folder) / "bundle", "untrained")
        yield Twins(load_bundle(Path(folder) / "bundle", FEATURES), run.graphs(), trained=False)


def untrained_run(folder: Path) -> Any:
    """``towers.run.Run`` of the default recipe, with the shapes that training would give it."""
    import torch

    from towers.backbones.registry import make_backbone
    from towers.batch import Sizes
    from towers.material import EXTRAS
    from towers.recipes import recipe_of
    from towers.run import Run
    from towers.system import make

    recipe = recipe_of("segue")
    torch.manual_seed(0)
    video, music = make_backbone(recipe.video, "video", "small"), make_backbone(recipe.music, "music", "small")
    sizes = Sizes(
        video=video.width,
        music=music.width,
        vocabulary=VOCABULARY,
        emotions=EMOTIONS,
        extras=EXTRAS,
        video_parts=video.parts,
        music_parts=music.parts,
    )
    system = make(recipe.system, recipe.setting, sizes)
    for module in (system.module(), video, music):
        module.eval()
    return Run(folder, system, video, music, {"corpus": "none", "pairs": 0, "seed": 0, "commit": "", "metrics": {}})
