"""A graph of pairs reads a window once for all its candidates, and gives what it gives without."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines.batcher import MicroBatcher
from engines.bundle import Bundle, default_bundle, load_bundle
from engines.errors import EngineError
from engines.graph_cut import cut, shared_inputs
from engines.manifest import BATCH, GraphSpec, TensorSpec
from engines.onnx_engine import OnnxEngine
from engines.onnx_shared import open_shared, trial_inputs
from engines.onnx_wire import fields, read_model, varint
from engines.rows import pad
from engines.shared_rows import is_shared, share
from features.spec import FEATURES

Inputs = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(default_bundle(), FEATURES)


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Iterator[OnnxEngine]:
    engine = OnnxEngine(bundle)
    yield engine
    engine.close()


def apart(inputs: Inputs) -> Inputs:
    return {name: np.ascontiguousarray(array) for name, array in inputs.items()}


def pairs(engine: OnnxEngine, rows: int, seed: int = 0) -> Inputs:
    return trial_inputs(engine.spec("matcher"), shared_inputs(engine.bundle.graphs, "matcher"), rows, seed)


def test_the_default_matcher_is_cut_by_what_is_of_the_video(engine: OnnxEngine, bundle: Bundle) -> None:
    names = shared_inputs(bundle.graphs, "matcher")
    assert names == {"video_clips", "video_mask", "displacement", "colour", "motion", "pulse"}
    assert engine.shares("matcher") and not engine.shares("mood")
    assert all(not shared_inputs(bundle.graphs, graph) for graph in bundle.manifest.graphs if graph != "matcher")
    parts = cut(bundle.read("matcher"), names)
    assert parts is not None and len(parts.nodes) < 0.6 * len(parts.model.nodes)


@pytest.mark.parametrize("rows", [2, 5, 20, 32])
def test_scores_are_those_of_the_whole_graph(engine: OnnxEngine, rows: int) -> None:
    """On random numbers, far from anything that is measured; on what is measured see ``test_default_bundle.py``."""
    for seed in range(10):
        inputs = pairs(engine, rows, seed)
        once, each = (engine.run("matcher", given)["score"] for given in (inputs, apart(inputs)))
        assert np.abs(once - each).max() < 1e-5 and len(set(once.tolist())) > 1
        assert engine.run("matcher", inputs)["score"].tobytes() == once.tobytes()


def test_a_batcher_hands_shared_rows_on(engine: OnnxEngine) -> None:
    """Alone, padded ones too. Requests that are joined have a window each."""
    seen: list[bool] = []

    class Watching:
        bundle, name = engine.bundle, "watching"

        def spec(self, graph: str) -> GraphSpec:
            return engine.spec(graph)

        def run(self, graph: str, inputs: Inputs) -> Inputs:
            seen.append(is_shared(inputs["video_clips"]))
            return engine.run(graph, inputs)

        def warmup(self) -> None: ...
        def close(self) -> None: ...

    batcher = MicroBatcher(Watching(), window_ms=0)
    for rows in (32, 20):
        inputs = pairs(engine, rows)
        assert np.abs(batcher.run("matcher", inputs)["score"] - engine.run("matcher", inputs)["score"]).max() < 1e-5
    batcher.close()
    assert seen == [True, True]


def test_a_shared_row_is_checked_as_any(engine: OnnxEngine) -> None:
    inputs = pairs(engine, 4)
    inputs["video_clips"] = share(np.full_like(inputs["video_clips"][:1], np.nan), 4)
    with pytest.raises(EngineError, match="video_clips holds NaN"):
        engine.run("matcher", inputs)
    inputs = pairs(engine, 4)
    inputs["video_mask"] = share(np.zeros((1, 7), bool), 4)
    with pytest.raises(EngineError, match="no true value in row 0"):
        engine.run("matcher", inputs)


def test_rows() -> None:
    row = np.arange(6.0).reshape(1, 6)
    shared = share(row, 3)
    assert is_shared(shared) and not is_shared(np.repeat(row, 3, axis=0)) and not is_shared(share(row, 1))
    assert is_shared(pad(shared, 8)) and pad(shared, 8).shape == (8, 6) and np.shares_memory(shared, row)


def test_the_reader_of_files_finds_what_onnx_finds(bundle: Bundle) -> None:
    for graph in bundle.manifest.graphs:
        data = bundle.read(graph)
        ours, theirs = read_model(data), onnx.load_model_from_string(data).graph
        assert [(n.kind, *n.inputs, "", *n.outputs) for n in ours.nodes] == [
            (n.op_type, *n.input, "", *n.output) for n in theirs.node
        ]
        assert list(ours.weights) == [w.name for w in theirs.initializer]
        assert list(ours.inputs) == [value.name for value in theirs.input]
        assert ours.outputs == tuple(value.name for value in theirs.output)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x3a\x7f", b"\xff" * 12, b"no graph at all"])
def test_what_is_no_file_is_not_cut(data: bytes) -> None:
    assert cut(data, frozenset({"x"})) is None


def test_numbers_and_fields() -> None:
    assert varint(300) == b"\xac\x02" and [one.value for one in fields(b"\x08" + varint(300))] == [300]
    with pytest.raises(ValueError, match="without an end"):
        list(fields(b"\x08\xff"))


def model_of(nodes: list[Any], weights: dict[str, Any] | None = None) -> bytes:
    """x (batch, 2) is shared, y (batch, 2) is not; -> z (batch, 2)."""
    sides = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, [BATCH, 2]) for n in side] for side in ("xy", "z")]
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", sides[0], sides[1], constants)
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
    )


def opened(data: bytes) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


SPEC = GraphSpec(
    "g",
    "g.onnx",
    "",
    tuple(TensorSpec(name, "float32", (BATCH, 2)) for name in "xy"),
    (TensorSpec("z", "float32", (BATCH, 2)),),
)


def shared_of(data: bytes) -> Any:
    return open_shared(data, frozenset("x"), SPEC, opened(data), opened)


def test_a_shared_input_may_go_on_as_it_is() -> None:
    nodes = [
        helper.make_node("Exp", ["x"], ["a"]),
        helper.make_node("Mul", ["a", "y"], ["b"]),
        helper.make_node("Add", ["b", "x"], ["z"]),
    ]
    data = model_of(nodes)
    shared, inputs = shared_of(data), trial_inputs(SPEC, {"x"}, 5)
    assert shared is not None and shared.fits(inputs) and not shared.fits(apart(inputs))
    np.testing.assert_allclose(
        shared.run(["z"], inputs, 5)[0], np.exp(inputs["x"]) * inputs["y"] + inputs["x"], rtol=1e-6
    )


def test_the_number_of_rows_is_no_matter_of_a_side() -> None:
    nodes = [
        helper.make_node("Shape", ["y"], ["n"], start=0, end=1),
        helper.make_node("Concat", ["n", "two"], ["whole"], axis=0),
        helper.make_node("ReduceSum", ["x", "last"], ["sum"], keepdims=1),
        helper.make_node("Expand", ["sum", "whole"], ["wide"]),
        helper.make_node("Add", ["wide", "y"], ["z"]),
    ]
    data = model_of(nodes, {"two": np.array([2], np.int64), "last": np.array([1], np.int64)})
    shared, inputs = shared_of(data), trial_inputs(SPEC, {"x"}, 4)
    assert shared is not None
    np.testing.assert_allclose(
        shared.run(["z"], inputs, 4)[0], inputs["x"].sum(axis=1, keepdims=True) + inputs["y"], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("Add", ["x", "y"], ["z"])],  # nothing is of one side
        [helper.make_node("Exp", ["x"], ["z"])],  # nothing is of the other
        [  # its values have no row for each of the batch
            helper.make_node("Transpose", ["x"], ["a"], perm=[1, 0]),
            helper.make_node("MatMul", ["a", "y"], ["b"]),
            helper.make_node("MatMul", ["y", "b"], ["z"]),
        ],
        [  # rows depend on one another
            helper.make_node("CumSum", ["x", "first"], ["a"]),
            helper.make_node("Mul", ["a", "y"], ["z"]),
        ],
    ],
)
def test_what_cannot_be_cut_is_run_whole(nodes: list[Any]) -> None:
    assert shared_of(model_of(nodes, {"first": np.array(0, np.int64)})) is None


def test_a_node_that_gives_nothing_is_not_cut_around() -> None:
    """ONNX Runtime refuses such a file; the reader must not fail at it."""
    for node in (helper.make_node("Exp", ["x"], []), helper.make_node("Shape", [], ["n"], start=0, end=1)):
        nodes = [helper.make_node("Exp", ["x"], ["a"]), node, helper.make_node("Mul", ["a", "y"], ["z"])]
        cut(model_of(nodes), frozenset("x"))
    assert cut(model_of([helper.make_node("Exp", ["x"], []), *nodes]), frozenset("x")) is None
