"""A bundle with graphs in several precisions: what is loaded, what falls back, and every way it can be wrong."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engines.base import check_outputs, example_inputs
from engines.bundle import load_bundle
from engines.errors import BundleError, EngineError, EngineFailed, EngineUnavailable
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES


@pytest.fixture
def folder(tiny_bundle: Path, tmp_path: Path) -> Path:
    """``mood`` in int8, which in truth is the float32 graph with its output doubled and cut at 1: easy to tell."""
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    add_variant(folder, "mood", "int8", doubled(folder / "mood.onnx"))
    return folder


def doubled(file: Path) -> bytes:
    model = onnx.load(file)
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = ["before" if name == output.name else name for name in node.output]
    model.graph.node.append(helper.make_node("Add", ["before", "before"], ["twice"]))
    model.graph.initializer.append(helper.make_tensor("one", onnx.TensorProto.FLOAT, [], [1.0]))
    model.graph.node.append(helper.make_node("Min", ["twice", "one"], [output.name]))
    return bytes(model.SerializeToString())


def add_variant(folder: Path, graph: str, precision: str, data: bytes, **changes: Any) -> None:
    (folder / f"{graph}.{precision}.onnx").write_bytes(data)
    entry = {"file": f"{graph}.{precision}.onnx", "sha256": hashlib.sha256(data).hexdigest()} | changes
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["graphs"][graph].setdefault("variants", {})[precision] = entry
    (folder / "manifest.json").write_text(json.dumps(manifest))


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, FEATURES)
    text = str(caught.value)
    assert str(folder) in text and "\n" not in text
    return text


def test_what_a_bundle_has(folder: Path, tiny_bundle: Path) -> None:
    bundle = load_bundle(folder, FEATURES)
    assert bundle.precisions("mood") == ("float32", "int8") and bundle.precisions("matcher") == ("float32",)
    assert bundle.read("mood", "int8") == (folder / "mood.int8.onnx").read_bytes()
    assert bundle.read("mood") == (folder / "mood.onnx").read_bytes()
    assert load_bundle(tiny_bundle, FEATURES).precisions("mood") == ("float32",)
    with pytest.raises(
        BundleError, match=r"graph mood is not there in float16, only in float32, int8; export .* --prec"
    ):
        bundle.read("mood", "float16")
    with pytest.raises(BundleError, match="unknown precision float8"):
        bundle.read("mood", "float8")


def test_the_engine_uses_it_where_it_is_and_says_so(folder: Path) -> None:
    bundle = load_bundle(folder, FEATURES)
    plain, small = OnnxEngine(bundle), OnnxEngine(bundle, precision="int8")
    assert (plain.name, small.name) == ("onnx-cpu-1", "onnx-cpu-1-int8")
    assert (small.precision_of("mood"), small.precision_of("matcher")) == ("int8", "float32")
    assert plain.precision_of("mood") == "float32"
    with pytest.raises(BundleError, match="has no graph oracle"):
        small.precision_of("oracle")
    inputs = example_inputs(bundle.spec("mood"), 2)
    expected = np.minimum(2 * plain.run("mood", inputs)["mood"], 1)
    np.testing.assert_allclose(small.run("mood", inputs)["mood"], expected, atol=1e-6)
    clip = example_inputs(bundle.spec("video_clip"))
    np.testing.assert_array_equal(
        small.run("video_clip", clip)["embedding"], plain.run("video_clip", clip)["embedding"]
    )


def test_a_precision_that_no_graph_has(folder: Path) -> None:
    bundle = load_bundle(folder, FEATURES)
    with pytest.raises(EngineUnavailable, match="has no graph in float16; export it again with --precision float16"):
        OnnxEngine(bundle, precision="float16")
    with pytest.raises(EngineError, match="precision is int4, must be one of float32, float16, bfloat16, int8"):
        OnnxEngine(bundle, precision="int4")


def test_a_missing_variant(folder: Path) -> None:
    (folder / "mood.int8.onnx").unlink()
    assert "the file mood.int8.onnx of graph mood in int8 is missing; copy it again" in refusal(folder)


def test_a_damaged_variant(folder: Path) -> None:
    file = folder / "mood.int8.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    assert "mood.int8.onnx" in refusal(folder) and "has SHA-256" in refusal(folder)


@pytest.mark.parametrize(
    ("precision", "changes", "said"),
    [
        ("int4", {}, "graph mood: unknown precision int4; this segue knows float16, bfloat16, int8"),
        ("float32", {}, "graph mood: unknown precision float32"),
        ("float16", {"file": "../mood.onnx"}, "variants.float16: file '../mood.onnx' is not a plain file name"),
        ("float16", {"sha256": "abc"}, "variants.float16: sha256 'abc' is not 64 hex digits"),
    ],
)
def test_entries_that_are_wrong(folder: Path, precision: str, changes: dict[str, str], said: str) -> None:
    add_variant(folder, "mood", precision, b"x", **changes)
    assert said in refusal(folder)


@pytest.mark.parametrize(
    ("value", "said"), [([], "variants is a list, not an object"), ({"int8": 3}, "int8: is a number")]
)
def test_variants_of_another_type(folder: Path, value: object, said: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["graphs"]["mood"]["variants"] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert said in refusal(folder)


def test_a_variant_with_other_inputs(folder: Path) -> None:
    add_variant(folder, "mood", "int8", (folder / "video_clip.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"mood\.int8\.onnx: inputs are clip_image, manifest\.json says embedding"):
        OnnxEngine(load_bundle(folder, FEATURES), precision="int8")
    OnnxEngine(load_bundle(folder, FEATURES)).close()


def newer(file: Path, **changes: int) -> bytes:
    model = onnx.load(file)
    model.opset_import[0].version = changes.get("opset", model.opset_import[0].version)
    model.ir_version = changes.get("ir", model.ir_version)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("changes", [{"opset": 99}, {"ir": 99}])
def test_a_graph_newer_than_the_runtime(folder: Path, changes: dict[str, int]) -> None:
    add_variant(folder, "mood", "int8", newer(folder / "mood.onnx", **changes))
    with pytest.raises(BundleError, match=r"mood\.int8\.onnx: .*newer than onnxruntime .*: upgrade onnxruntime or exp"):
        OnnxEngine(load_bundle(folder, FEATURES), precision="int8")


def infinite(file: Path) -> bytes:
    """The graph's output times the largest float, twice: infinity from any input."""
    model = onnx.load(file)
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = ["before" if name == output.name else name for name in node.output]
    model.graph.initializer.append(helper.make_tensor("huge", onnx.TensorProto.FLOAT, [], [3e38]))
    model.graph.node.append(helper.make_node("Mul", ["before", "huge"], ["large"]))
    model.graph.node.append(helper.make_node("Mul", ["large", "huge"], [output.name]))
    return bytes(model.SerializeToString())


def test_an_answer_that_is_no_number_is_a_failure(folder: Path) -> None:
    add_variant(folder, "mood", "int8", infinite(folder / "mood.onnx"))
    bundle = load_bundle(folder, FEATURES)
    engine = OnnxEngine(bundle, precision="int8")
    with pytest.raises(
        EngineFailed, match="graph mood: output mood holds NaN or infinity in row 0; use another engine"
    ):
        engine.run("mood", example_inputs(bundle.spec("mood"), 2))


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({}, "output mood is missing"),
        ({"mood": np.zeros((2, 4), np.float32)}, r"came as float32 \(2, 4\) for a batch of 2, must be mood float32"),
        ({"mood": np.zeros((1, 3), np.float32)}, r"came as float32 \(1, 3\) for a batch of 2"),
        ({"mood": np.zeros((2, 3))}, r"came as float64 \(2, 3\)"),
        ({"mood": np.array([[0, 0, 0], [0, np.nan, 0]], np.float32)}, "holds NaN or infinity in row 1"),
        ({"mood": np.array([[0, -np.inf, 0], [0, 0, 0]], np.float32)}, "holds NaN or infinity in row 0"),
    ],
)
def test_answers_are_checked(tiny_bundle: Path, outputs: dict[str, Any], said: str) -> None:
    spec = load_bundle(tiny_bundle, FEATURES).spec("mood")
    check_outputs(spec, {"mood": np.zeros((2, 3), np.float32), "more": np.zeros(1)}, 2)
    with pytest.raises(EngineFailed, match=said):
        check_outputs(spec, outputs, 2)


def test_a_run_that_the_runtime_refuses(folder: Path) -> None:
    class Lost:
        def run(self, *_: object) -> None:
            raise RuntimeError("bad allocation\nat some line")

    engine = OnnxEngine(load_bundle(folder, FEATURES))
    assert engine._sessions is not None
    engine._sessions["mood"] = Lost()
    with pytest.raises(
        EngineFailed, match=r"engine onnx-cpu-1: graph mood, batch 1: bad allocation; try fewer rows"
    ) as e:
        engine.run("mood", example_inputs(engine.spec("mood")))
    assert "\n" not in str(e.value)
