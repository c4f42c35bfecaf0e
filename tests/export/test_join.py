"""Graphs made one: what the parts say they say still, side by side."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.manifest import TensorSpec
from export.errors import ExportError
from export.join import Joint, concatenate
from export.onnx_graph import OnnxGraph

X = TensorSpec("x", "float32", ("batch", 4))


def linear(weight: float, width: int = 4, opset: int = 20, name: str = "x") -> bytes:
    """x times a number, all of them under the very same names."""
    graph = helper.make_graph(
        [helper.make_node("Mul", [name, "w"], ["y"])],
        "part",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", width])],
        [numpy_helper.from_array(np.full(width, weight, np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return bytes(model.SerializeToString())


def run(graph: OnnxGraph, **inputs: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(graph.data, providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def test_two_parts_of_the_same_names_share_an_input() -> None:
    joint = Joint("both")
    one = joint.part(linear(2.0), {"x": joint.input(X)})["y"]
    other = joint.part(linear(3.0), {"x": joint.input(X)})["y"]
    joint.output(TensorSpec("z", "float32", ("batch", 8)), concatenate(joint, (one, other)))
    graph = joint.finish()
    assert graph.inputs == (X,) and graph.outputs == (TensorSpec("z", "float32", ("batch", 8)),)
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(run(graph, x=x)[0], np.concatenate([2 * x, 3 * x], axis=1))


def test_parts_are_fed_with_pieces_and_with_each_other() -> None:
    joint = Joint("chain")
    x = joint.input(TensorSpec("x", "float32", ("batch", 6)))
    left = joint.part(linear(2.0), {"x": joint.cut(x, 1, 0, 4)})["y"]
    right = joint.part(linear(5.0, 2), {"x": joint.cut(x, 1, 4)})["y"]
    again = joint.part(linear(10.0), {"x": left})["y"]
    scaled = joint.op("Mul", right, joint.number(0.5))
    joint.output(TensorSpec("z", "float32", ("batch", 6)), concatenate(joint, (again, scaled)))
    value = np.arange(6, dtype=np.float32).reshape(1, 6)
    np.testing.assert_allclose(run(joint.finish(), x=value)[0], [[0, 20, 40, 60, 10, 12.5]])


def test_the_result_says_nothing_of_where_it_was_made() -> None:
    joint = Joint("plain")
    joint.output(TensorSpec("z", "float32", ("batch", 4)), joint.part(linear(2.0), {"x": joint.input(X)})["y"])
    model = onnx.load_model_from_string(joint.finish().data)
    assert model.producer_name == "segue" and model.graph.name == "plain"
    assert not any("part" in name for node in model.graph.node for name in (*node.input, *node.output, node.name))


def test_what_does_not_fit_is_named() -> None:
    joint = Joint("g")
    with pytest.raises(ExportError, match=r"graph g: a part uses operator sets \{'': 17\}"):
        joint.part(linear(1.0, opset=17), {"x": joint.input(X)})
    with pytest.raises(ExportError, match="no ONNX file"):
        joint.part(b"\xff\xff", {"x": "x"})
    with pytest.raises(ExportError, match="takes x, it is given q"):
        joint.part(linear(1.0), {"q": "x"})
    with pytest.raises(ExportError, match="cannot share an input"):
        joint.input(TensorSpec("x", "float32", ("batch", 5)))
    with pytest.raises(ExportError, match=r"cannot share an input"):
        joint.input(TensorSpec("x", "uint8", ("batch", 4)))
    wide = Joint("wide")
    wide.output(TensorSpec("z", "float32", ("batch", 9)), wide.part(linear(1.0), {"x": wide.input(X)})["y"])
    with pytest.raises(ExportError, match="checker refuses"):
        wide.finish()
