"""The graph that comes out is one clean file; what cannot be one is refused with its name."""

import logging
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from engines.manifest import TensorSpec
from export.errors import ExportError
from export.onnx_graph import OPSET, OnnxGraph, clear_remarks, export_graph, quiet, tidy_model


class Clash(nn.Module):
    """Its operators are named as its output is: an embedding that gives ``embedding``."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8, 4)
        self.out = nn.Linear(4, 3)

    def forward(self, x: Tensor, unused: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.out(self.table((x > 0).sum(dim=-1)))
        return embedding, embedding.sum(dim=-1)


@pytest.fixture(scope="module")
def clash() -> tuple[Clash, OnnxGraph]:
    module = Clash().eval()
    return module, export_graph("clash", module, inputs(3), ["embedding", "sum"])


def inputs(rows: int) -> dict[str, Tensor]:
    return {"x": torch.randn(rows, 7, generator=torch.Generator().manual_seed(rows)), "spare": torch.ones(rows, 2)}


def test_names_dtypes_and_shapes(clash: tuple[Clash, OnnxGraph]) -> None:
    graph = clash[1]
    assert graph.inputs == (TensorSpec("x", "float32", ("batch", 7)), TensorSpec("spare", "float32", ("batch", 2)))
    assert graph.outputs == (TensorSpec("embedding", "float32", ("batch", 3)), TensorSpec("sum", "float32", ("batch",)))


@pytest.mark.parametrize("rows", [1, 2, 5, 32])
def test_any_batch_gives_what_torch_gives(clash: tuple[Clash, OnnxGraph], rows: int) -> None:
    module, graph = clash
    session = ort.InferenceSession(graph.data, providers=["CPUExecutionProvider"])
    feed = inputs(rows)
    found = session.run(["embedding", "sum"], {name: value.numpy() for name, value in feed.items()})
    with torch.inference_mode():
        for one, other in zip(found, module(*feed.values()), strict=True):
            np.testing.assert_allclose(one, other.numpy(), atol=1e-6)


def test_nothing_tells_where_it_was_made(clash: tuple[Clash, OnnxGraph]) -> None:
    model = onnx.load_from_string(clash[1].data)
    words = onnx.ModelProto.FromString(clash[1].data)
    for weight in words.graph.initializer:
        weight.ClearField("raw_data")  # its bytes may spell anything
    for trace in (b"/", b".py", b"torch", b"Clash", b"forward"):
        assert trace not in words.SerializeToString()
    assert not model.metadata_props and not model.functions
    assert all(not node.doc_string and not node.metadata_props for node in model.graph.node)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]


def test_the_same_module_gives_the_same_bytes(clash: tuple[Clash, OnnxGraph]) -> None:
    module, graph = clash
    assert export_graph("clash", module, inputs(3), ["embedding", "sum"]).data == graph.data


def test_remarks_are_cleared_at_any_depth() -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"], doc_string="File /home/somebody/net.py")
    entry = node.metadata_props.add()
    entry.key, entry.value = "stack", "/home/somebody"
    values = [onnx.helper.make_tensor_value_info(name, 1, ["batch"], doc_string="secret") for name in "xy"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:]), doc_string="secret")
    clear_remarks(model)
    data = model.SerializeToString()
    assert b"secret" not in data and b"somebody" not in data and b"Relu" in data


def test_a_training_module_is_refused() -> None:
    with pytest.raises(ExportError, match=r"graph g: the module is in training mode; call eval\(\) first"):
        export_graph("g", nn.Linear(7, 2).train(), {"x": torch.ones(3, 7)}, ["y"])


@pytest.mark.parametrize(
    "examples", [{"x": torch.ones(1, 7)}, {"x": torch.ones(3, 7), "z": torch.ones(2, 7)}, {"x": torch.tensor(1.0)}]
)
def test_example_batches_that_would_be_traced_as_constants(examples: dict[str, Tensor]) -> None:
    with pytest.raises(ExportError, match=r"graph g: example inputs have batches .*; give all of them one batch of at"):
        export_graph("g", nn.Linear(7, 2).eval(), examples, ["y"])


class FixedBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(3, 7) * 2


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Doubles(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.to(torch.float64)


class Summed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(dim=0)


class FreeColumns(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x @ x.T


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (FixedBatch(), "input x has shape [3, 7], must be ['batch', sizes...]"),
        (Branches(), "torch.onnx cannot export it"),
        (Doubles(), "output y is DOUBLE, must be one of float32, uint8, bool"),
        (Summed(), "output y has shape [7], must be ['batch', sizes...]"),
        (FreeColumns(), "output y has shape ['batch', 'batch'], must be ['batch', sizes...]"),
    ],
)
def test_modules_that_are_no_graph(module: nn.Module, said: str) -> None:
    with pytest.raises(ExportError) as caught:
        export_graph("g", module.eval(), {"x": torch.randn(3, 7)}, ["y"])
    assert str(caught.value).startswith("graph g: ") and said in str(caught.value)
    assert "\n" not in str(caught.value)


def model_of(nodes: list[Any], **options: Any) -> Any:
    x, y = (onnx.helper.make_tensor_value_info(name, 1, ["n", 7]) for name in ("x", "segue.output.y"))
    graph = onnx.helper.make_graph(nodes, "g", [x], [y], **options)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])


def test_weights_outside_the_file_are_refused() -> None:
    weight = onnx.TensorProto(name="w", data_type=1, dims=[7], data_location=onnx.TensorProto.EXTERNAL)
    model = model_of([onnx.helper.make_node("Add", ["x", "w"], ["segue.output.y"])], initializer=[weight])
    with pytest.raises(ExportError, match="graph g: weights stand outside the file"):
        tidy_model(model, "g", ["y"])


def test_a_graph_that_the_checker_refuses() -> None:
    with pytest.raises(ExportError, match="graph g: the ONNX checker refuses it"):
        tidy_model(model_of([onnx.helper.make_node("NoSuchOperator", ["x"], ["segue.output.y"])]), "g", ["y"])


def test_control_flow_is_refused() -> None:
    branch = onnx.helper.make_graph([], "branch", [], [])
    node = onnx.helper.make_node("If", ["x"], ["segue.output.y"], then_branch=branch, else_branch=branch)
    with pytest.raises(ExportError, match="graph g: holds control flow or functions"):
        tidy_model(model_of([node]), "g", ["y"])


def test_another_operator_set_is_refused() -> None:
    model = model_of([onnx.helper.make_node("Relu", ["x"], ["segue.output.y"])])
    model.opset_import[0].version = 18
    with pytest.raises(ExportError, match=r"uses operator sets \{'': 18\}, must be the standard one of version 20"):
        tidy_model(model, "g", ["y"])


def test_quiet_restores_what_it_silenced() -> None:
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    before, filters = log.level, list(warnings.filters)
    with quiet():
        assert log.level == logging.ERROR
        warnings.warn("nobody hears this", stacklevel=1)
    assert log.level == before and warnings.filters == filters


def test_the_order_of_inputs_is_that_of_forward(graph_of: Callable[..., Any]) -> None:
    class Minus(nn.Module):
        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return left - right

    graph = graph_of(Minus().eval(), {"b": torch.ones(2, 3), "a": torch.zeros(2, 3)}, ("y",))
    made = export_graph("minus", graph.module, graph.inputs, graph.outputs)
    session = ort.InferenceSession(made.data, providers=["CPUExecutionProvider"])
    ones, zeros = np.ones((1, 3), np.float32), np.zeros((1, 3), np.float32)
    assert session.run(None, {"b": ones, "a": zeros})[0].tolist() == [[1, 1, 1]]
