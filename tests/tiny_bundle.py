"""A bundle with all six graphs, small and untrained but of the contract's shape: seeded weights, masks honoured,
unit-norm embeddings, scores and moods in [0, 1]. ``python tests/tiny_bundle.py FOLDER`` writes one. Another has a
second tower for clips of the video, which its manifest wires to the window's graph.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from features.spec import CLIP_IMAGE_SHAPE, CLIP_MEL_SHAPE, FEATURES, MAX_CLIPS, MOOD_AXES, RHYTHM_FIELDS

CLIP_DIM = 16
SHADES_DIM = 5
EMBEDDING_DIM = 32
OPSET = 20
TYPES = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT, "bool": TensorProto.BOOL}
RHYTHM_SCALE = np.array([0.1, 1.0, 1.0], np.float32)


class Graph:
    """Nodes and constants of one graph under construction; every method returns the name of its result."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def linear(self, x: str, rows: int, columns: int) -> str:
        weight = self.rng.normal(0, 2 / np.sqrt(rows), (rows, columns)).astype(np.float32)
        bias = self.rng.normal(0, 0.1, columns).astype(np.float32)
        return self.op("Add", self.op("MatMul", x, self.constant(weight)), self.constant(bias))

    def mean(self, x: str, axes: list[int]) -> str:
        return self.op("ReduceMean", x, self.constant(np.array(axes, np.int64)), keepdims=0)

    def sum(self, x: str, axes: list[int], keepdims: int = 0) -> str:
        return self.op("ReduceSum", x, self.constant(np.array(axes, np.int64)), keepdims=keepdims)

    def unit(self, x: str, output: str | None = None) -> str:
        squares = self.sum(self.op("Mul", x, x), [1], keepdims=1)
        length = self.op("Max", self.op("Sqrt", squares), self.constant(np.float32(1e-6)))
        return self.op("Div", x, length, output=output)

    def pool(self, clips: str, mask: str, extra: str) -> str:
        """Mean of clips and extra (B, 7, C + n) over the valid places, each place with a weight of its own."""
        places = self.constant(1 + 0.1 * np.arange(MAX_CLIPS, dtype=np.float32))
        weights = self.op("Mul", self.op("Cast", mask, to=TensorProto.FLOAT), places)
        weights = self.op("Div", weights, self.sum(weights, [1], keepdims=1))
        column = self.op("Unsqueeze", weights, self.constant(np.array([2], np.int64)))
        return self.sum(self.op("Mul", self.op("Concat", clips, extra, axis=2), column), [1])

    def as_column(self, displacement: str) -> str:
        return self.op("Unsqueeze", displacement, self.constant(np.array([2], np.int64)))

    def scaled_rhythm(self, rhythm: str) -> str:
        return self.op("Mul", rhythm, self.constant(RHYTHM_SCALE))


def video_clip(g: Graph) -> None:
    rows, columns = CLIP_IMAGE_SHAPE
    picture = g.op("Div", g.op("Cast", "clip_image", to=TensorProto.FLOAT), g.constant(np.float32(255)))
    cells = g.constant(np.array([-1, 8, rows // 8, 16, columns // 16], np.int64))
    pooled = g.mean(g.op("Reshape", picture, cells), [2, 4])
    flat = g.op("Sub", g.op("Reshape", pooled, g.constant(np.array([-1, 128], np.int64))), g.constant(np.float32(0.5)))
    g.op("Tanh", g.linear(flat, 128, CLIP_DIM), output="embedding")


def music_clip(g: Graph) -> None:
    spectrum = g.op("Mul", g.mean("clip_mel", [1]), g.constant(np.float32(0.1)))
    g.op("Tanh", g.linear(spectrum, CLIP_MEL_SHAPE[1], CLIP_DIM), output="embedding")


def video_sequence(g: Graph) -> None:
    pooled = g.pool("clips", "mask", g.as_column("displacement"))
    g.unit(g.linear(pooled, CLIP_DIM + 1, EMBEDDING_DIM), output="embedding")


def music_sequence(g: Graph) -> None:
    pooled = g.pool("clips", "mask", g.scaled_rhythm("rhythm"))
    g.unit(g.linear(pooled, CLIP_DIM + len(RHYTHM_FIELDS), EMBEDDING_DIM), output="embedding")


def video_shades(g: Graph) -> None:
    picture = g.op("Div", g.op("Cast", "clip_image", to=TensorProto.FLOAT), g.constant(np.float32(255)))
    g.op("Tanh", g.linear(g.mean(picture, [1]), CLIP_IMAGE_SHAPE[1], SHADES_DIM), output="embedding")


def video_sequence_of_two(g: Graph) -> None:
    extra = g.op("Concat", "shades", g.as_column("displacement"), axis=2)
    pooled = g.pool("clips", "mask", extra)
    g.unit(g.linear(pooled, CLIP_DIM + SHADES_DIM + 1, EMBEDDING_DIM), output="embedding")


def matcher(g: Graph) -> None:
    video = g.pool("video_clips", "video_mask", g.as_column("displacement"))
    music = g.pool("music_clips", "music_mask", g.scaled_rhythm("rhythm"))
    left = g.unit(g.linear(video, CLIP_DIM + 1, 8))
    right = g.unit(g.linear(music, CLIP_DIM + len(RHYTHM_FIELDS), 8))
    cosine = g.sum(g.op("Mul", left, right), [1])
    half = g.constant(np.float32(0.5))
    raised = g.op("Add", g.op("Mul", cosine, half), half)
    g.op("Clip", raised, g.constant(np.float32(0)), g.constant(np.float32(1)), output="score")


def mood(g: Graph) -> None:
    g.op("Sigmoid", g.linear("embedding", EMBEDDING_DIM, len(MOOD_AXES)), output="mood")


CLIPS = ("float32", (MAX_CLIPS, CLIP_DIM))
MASK = ("bool", (MAX_CLIPS,))
DISPLACEMENT = ("float32", (MAX_CLIPS,))
RHYTHM = ("float32", (MAX_CLIPS, len(RHYTHM_FIELDS)))
Tensors = dict[str, tuple[str, tuple[int, ...]]]
GRAPHS: dict[str, tuple[Callable[[Graph], None], Tensors, Tensors]] = {
    "video_clip": (video_clip, {"clip_image": ("uint8", CLIP_IMAGE_SHAPE)}, {"embedding": ("float32", (CLIP_DIM,))}),
    "music_clip": (music_clip, {"clip_mel": ("float32", CLIP_MEL_SHAPE)}, {"embedding": ("float32", (CLIP_DIM,))}),
    "video_sequence": (
        video_sequence,
        {"clips": CLIPS, "mask": MASK, "displacement": DISPLACEMENT},
        {"embedding": ("float32", (EMBEDDING_DIM,))},
    ),
    "music_sequence": (
        music_sequence,
        {"clips": CLIPS, "mask": MASK, "rhythm": RHYTHM},
        {"embedding": ("float32", (EMBEDDING_DIM,))},
    ),
    "matcher": (
        matcher,
        {
            "video_clips": CLIPS,
            "video_mask": MASK,
            "displacement": DISPLACEMENT,
            "music_clips": CLIPS,
            "music_mask": MASK,
            "rhythm": RHYTHM,
        },
        {"score": ("float32", ())},
    ),
    "mood": (mood, {"embedding": ("float32", (EMBEDDING_DIM,))}, {"mood": ("float32", (len(MOOD_AXES),))}),
}

# With a second tower: what there is beside or instead of these, and how it is wired.
SHADES = ("float32", (MAX_CLIPS, SHADES_DIM))
TWO_TOWERS: dict[str, tuple[Callable[[Graph], None], Tensors, Tensors]] = {
    **GRAPHS,
    "video_shades": (
        video_shades,
        {"clip_image": ("uint8", CLIP_IMAGE_SHAPE)},
        {"embedding": ("float32", (SHADES_DIM,))},
    ),
    "video_sequence": (
        video_sequence_of_two,
        {"clips": CLIPS, "mask": MASK, "displacement": DISPLACEMENT, "shades": SHADES},
        {"embedding": ("float32", (EMBEDDING_DIM,))},
    ),
}
WIRING: dict[str, dict[str, Any]] = {
    "video_shades": {"of": "video clip"},
    "video_sequence": {"takes": {"clips": "video_clip", "shades": "video_shades"}},
}


def model_bytes(name: str, seed: int, two_towers: bool = False) -> bytes:
    build, inputs, outputs = (TWO_TOWERS if two_towers else GRAPHS)[name]
    g = Graph(seed)
    build(g)
    sides = [
        [helper.make_tensor_value_info(key, TYPES[dtype], ["batch", *shape]) for key, (dtype, shape) in side.items()]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(g.nodes, name, sides[0], sides[1], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def write_tiny_bundle(
    folder: Path, name: str = "tiny", seed: int = 0, two_towers: bool = False, without: Collection[str] = ()
) -> Path:
    """Write the bundle to ``folder`` (made if needed) and return it; another seed makes another identity.
    ``two_towers``: for clips of the video; ``without``: graphs to leave out."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {}
    for number, (graph, (_, inputs, outputs)) in enumerate((TWO_TOWERS if two_towers else GRAPHS).items()):
        if graph in without:
            continue
        data = model_bytes(graph, seed * 100 + number, two_towers)
        (folder / f"{graph}.onnx").write_bytes(data)
        entries[graph] = {
            "file": f"{graph}.onnx",
            "sha256": hashlib.sha256(data).hexdigest(),
            "inputs": tensors(inputs),
            "outputs": tensors(outputs),
            **(WIRING.get(graph, {}) if two_towers else {}),
        }
    manifest = {
        "format": 1,
        "name": name,
        "system": "tiny",
        "clip_dim": CLIP_DIM,
        "embedding_dim": EMBEDDING_DIM,
        "max_clips": MAX_CLIPS,
        "opset": OPSET,
        "graphs": entries,
        "features": {key: dict(value) for key, value in FEATURES.items()},
        "training": {"corpus": "none", "pairs": 0, "seed": seed, "commit": "", "metrics": {}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return folder


def tensors(side: Tensors) -> list[dict[str, Any]]:
    return [{"name": key, "dtype": dtype, "shape": ["batch", *shape]} for key, (dtype, shape) in side.items()]


if __name__ == "__main__":
    write_tiny_bundle(Path(sys.argv[1]))
