"""Other arithmetics of a graph: still one clean file of our operator set, still the same function, nearly."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from engines.parity import cosine
from export.onnx_graph import OPSET, export_graph
from export.precision import to_float16, to_int8_dynamic, to_int8_static


class Film(nn.Module):
    """Bytes of film, two convolutions over time, a norm, a product and a unit vector."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv3d(3, 8, 3, stride=(1, 2, 2), padding=1)
        self.second = nn.Conv3d(8, 8, (3, 3, 3), stride=2, padding=1)
        self.norm, self.out = nn.LayerNorm(8), nn.Linear(8, 16)

    def forward(self, film: Tensor) -> Tensor:
        value = torch.relu(self.first(film.to(torch.float32).permute(0, 4, 1, 2, 3) / 255))
        pooled = torch.relu(self.second(value)).mean(dim=(2, 3, 4))
        return nn.functional.normalize(self.out(self.norm(pooled)), dim=-1)


def films(rows: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (rows, 1, 1, 1, 3))
    return np.clip(base + rng.integers(-40, 40, (rows, 4, 8, 8, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def film() -> bytes:
    torch.manual_seed(0)
    return export_graph("film", Film().eval(), {"film": torch.from_numpy(films(3))}, ["embedding"]).data


def run(data: bytes, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    values: NDArray[np.float32] = session.run(None, feed)[0]
    return values


MAKERS: list[Callable[[bytes], bytes | None]] = [
    lambda data: to_float16(data, "film"),
    lambda data: to_int8_dynamic(data, "film"),
    lambda data: to_int8_static(data, "film", {"film": films(40, seed=9)}),
]


@pytest.mark.parametrize("make", MAKERS, ids=["float16", "dynamic", "static"])
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_the_same_function_nearly(film: bytes, make: Callable[[bytes], bytes | None], rows: int) -> None:
    made = make(film)
    assert made is not None and made != film
    feed = {"film": films(rows, seed=rows)}
    expected, found = run(film, feed), run(made, feed)
    assert found.dtype == np.float32 and found.shape == (rows, 16)
    assert 0 < np.abs(found - expected).max() < 0.1, "another arithmetic, and not another function"
    assert cosine(found, expected) > 0.995
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("make", MAKERS, ids=["float16", "dynamic", "static"])
def test_one_clean_file_of_our_operator_set(film: bytes, make: Callable[[bytes], bytes | None]) -> None:
    made = make(film)
    assert made is not None and make(film) == made
    model = onnx.load_model_from_string(made)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert (model.producer_name, model.producer_version, model.graph.name) == ("segue", "", "film")
    assert not model.metadata_props and not any(node.doc_string for node in model.graph.node)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    kinds = {value.type.tensor_type.elem_type for value in model.graph.output}
    assert kinds == {TensorProto.FLOAT} and model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8


def test_norms_stay_in_float32(film: bytes) -> None:
    model = onnx.load_model_from_string(to_float16(film, "film"))
    inferred = onnx.shape_inference.infer_shapes(model).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*inferred.value_info, *inferred.output)}
    of = {node.op_type: kinds[node.output[0]] for node in model.graph.node}
    for kind in ("LayerNormalization", "ReduceMean", "ReduceL2", "Div"):
        assert of[kind] == TensorProto.FLOAT
    assert of["Conv"] == of["Gemm"] == TensorProto.FLOAT16


def test_what_a_static_graph_computes_in_bytes(film: bytes) -> None:
    feed = {"film": films(40, seed=9)}
    made = to_int8_static(film, "film", feed)
    assert made is not None
    graph = onnx.load_model_from_string(made).graph
    makers = {output: node for node in graph.node for output in node.output}
    pads = [node for node in graph.node if node.op_type == "Pad"]
    assert len(pads) == 2 and {makers[node.input[0]].op_type for node in pads} == {"QuantizeLinear"}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert all(makers[value].op_type == "DequantizeLinear" for node in convolutions for value in node.input[:2])
    weights = [
        numpy_helper.to_array(t) for t in graph.initializer if t.data_type == TensorProto.INT8 and len(t.dims) == 4
    ]
    assert len(weights) == 3 and all(np.abs(weight).max() <= 64 for weight in weights), "7 bits"


def test_a_convolution_can_be_left_out(film: bytes) -> None:
    from export.onnx_graph import convolutions

    first, *rest = convolutions(film)
    made = to_int8_static(film, "film", {"film": films(40, seed=9)}, left_out=first)
    assert made is not None
    graph = onnx.load_model_from_string(made).graph
    makers = {output: node for node in graph.node for output in node.output}
    convolved = [node for node in graph.node if node.op_type == "Conv"]
    assert [node.output[0] for node in convolved if node.input[1] not in makers] == [first]
    assert len(convolved) == 1 + len(rest)


def test_nothing_to_quantise() -> None:
    x, y = (helper.make_tensor_value_info(name, 1, ["batch", 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10).SerializeToString()
    assert to_int8_dynamic(data, "g") is None
    assert to_int8_static(data, "g", {"x": np.zeros((2, 3), np.float32)}) is None


class Binned(nn.Module):
    """A table's row by the bin that a value falls in; float16 could not tell these edges apart."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("edges", 1000 + torch.arange(8) / 10)
        self.table, self.out = nn.Embedding(9, 16), nn.Linear(16, 16)

    def forward(self, rhythm: Tensor) -> Tensor:
        places = (rhythm[:, 1].unsqueeze(-1) >= self.edges).sum(dim=-1)
        return self.out(self.table(places))


def test_bins_are_told_apart_in_float32() -> None:
    torch.manual_seed(0)
    module = Binned().eval()
    data = export_graph("binned", module, {"rhythm": torch.full((3, 3), 1000.0)}, ["embedding"]).data
    feed = {"rhythm": np.linspace(999.9, 1000.9, 3 * 41, dtype=np.float32).reshape(41, 3)}
    half = run(to_float16(data, "binned"), feed)
    assert cosine(half, run(data, feed)) > 0.9999
    assert len({tuple(row) for row in half.tolist()}) == 9, "every bin is met"
