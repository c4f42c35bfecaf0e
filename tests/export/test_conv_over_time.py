"""A film's convolutions, taken apart: the same numbers, and pictures from one to the next."""

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn

from export.conv_over_time import flatten_time, origins
from export.onnx_graph import OPSET, export_graph, tidy_model, trace_model
from towers.backbones.convolutions import ResNet3d, SlowFast


def run(model: Any, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values: NDArray[np.float32] = session.run(None, feed)[0]
    return values


def of_film(nodes: list[Any], weights: dict[str, NDArray[np.float32]], film: NDArray[np.float32], output: str) -> Any:
    """A graph that takes ``film`` in any batch as ``x``."""
    x = helper.make_tensor_value_info("x", 1, ["batch", *film.shape[1:]])
    y = helper.make_tensor_value_info(output, 1, ["batch", None, None, None, None])
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    model.graph.output[0].CopyFrom(onnx.shape_inference.infer_shapes(model).graph.output[0])
    return model


def drawn(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def one_convolution(
    weights: dict[str, NDArray[np.float32]], moments: int, **attributes: Any
) -> tuple[Any, NDArray[np.float32]]:
    """A graph of one convolution with its weights, and a film of so many moments for it."""
    film = drawn(2, weights["w"].shape[1], moments, 6, 7)
    node = helper.make_node("Conv", ["x", *weights], ["y"], kernel_shape=weights["w"].shape[2:], **attributes)
    return of_film([node], weights, film, "y"), film


def convolved_dims(model: Any) -> set[int]:
    weights = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    return {weights[node.input[1]] for node in model.graph.node if node.op_type == "Conv"}


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2)),
    pads=st.lists(st.integers(0, 1), min_size=6, max_size=6),
    channels=st.tuples(st.integers(1, 4), st.sampled_from([1, 2, 3, 4, 8])),
    moments=st.integers(3, 8),
    bias=st.booleans(),
)
def test_one_convolution_is_the_same(
    kernel: tuple[int, int, int],
    strides: tuple[int, int, int],
    pads: list[int],
    channels: tuple[int, int],
    moments: int,
    bias: bool,
) -> None:
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(channels[1], channels[0], *kernel)).astype(np.float32)}
    weights |= {"b": rng.normal(size=channels[1]).astype(np.float32)} if bias else {}
    model, film = one_convolution(weights, moments, strides=strides, pads=pads)
    flattened = flatten_time(model)
    assert convolved_dims(flattened) == {4}
    np.testing.assert_allclose(run(flattened, {"x": film}), run(model, {"x": film}), atol=1e-4)


def chain(film: NDArray[np.float32], channels: list[int], kernels: list[tuple[int, int]], strides: list[int]) -> Any:
    """Convolutions one behind the other, each rectified; beside those that keep their moments stands a shortcut of one
    tap. ``kernels``: taps, and the moments of zeros before and behind."""
    nodes: list[Any] = []
    weights: dict[str, NDArray[np.float32]] = {}
    value = "x"
    for at, (outputs, (taps, pad), stride) in enumerate(zip(channels, kernels, strides, strict=True)):
        inputs = channels[at - 1] if at else film.shape[1]
        weights |= {f"w{at}": drawn(outputs, inputs, taps, 3, 3), f"b{at}": drawn(outputs)}
        around = [pad, 1, 1, pad, 1, 1]
        nodes.append(
            helper.make_node("Conv", [value, f"w{at}", f"b{at}"], [f"body{at}"], strides=[stride, 1, 2], pads=around)
        )
        rectified = f"body{at}"
        if taps == 2 * pad + 1:
            weights[f"s{at}"] = drawn(outputs, inputs, 1, 1, 1)
            nodes.append(helper.make_node("Conv", [value, f"s{at}"], [f"short{at}"], strides=[stride, 1, 2]))
            nodes.append(helper.make_node("Add", [f"body{at}", f"short{at}"], [rectified := f"sum{at}"]))
        nodes.append(helper.make_node("Relu", [rectified], [value := f"relu{at}"]))
    return of_film(nodes, weights, film, value)


@settings(max_examples=150, deadline=None)
@given(
    channels=st.lists(st.sampled_from([2, 3, 4, 6, 8, 12]), min_size=3, max_size=3),
    kernels=st.lists(st.sampled_from([(1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (3, 2), (5, 2)]), min_size=3, max_size=3),
    strides=st.lists(st.sampled_from([1, 1, 2, 4]), min_size=3, max_size=3),
    moments=st.sampled_from([16, 16, 12, 15]),
)
@example(channels=[12, 12, 12], kernels=[(3, 1), (3, 0), (3, 1)], strides=[1, 2, 1], moments=16)
@example(channels=[6, 12, 4], kernels=[(3, 1), (5, 2), (3, 1)], strides=[1, 4, 1], moments=16)
def test_chains_are_the_same(
    channels: list[int], kernels: list[tuple[int, int]], strides: list[int], moments: int
) -> None:
    left = moments
    for (taps, pad), stride in zip(kernels, strides, strict=True):
        assume(left + 2 * pad >= taps)
        left = (left + 2 * pad - taps) // stride + 1
    film = drawn(2, 3, moments, 4, 8)
    model = chain(film, channels, kernels, strides)
    flattened, expected = flatten_time(model), run(model, {"x": film})
    assert convolved_dims(flattened) == {4}
    np.testing.assert_allclose(run(flattened, {"x": film}), expected, atol=1e-5 * max(1, np.abs(expected).max()))


NETWORKS = {"resnet": lambda: ResNet3d((12, 24, 48), 8), "slowfast": lambda: SlowFast((24, 48), (6, 12), 4, 8)}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> tuple[Any, nn.Module]:
    torch.manual_seed(0)
    module = NETWORKS[request.param]().eval()
    return trace_model("film", module, {"film": torch.randn(2, 3, 16, 32, 32)}, ["embedding"]), module


def test_our_networks_are_the_same(network: tuple[Any, nn.Module]) -> None:
    model, module = network
    for rows in (1, 2, 5):
        film = torch.randn(rows, 3, 16, 32, 32)
        expected = module(film).detach().numpy()
        np.testing.assert_allclose(run(flatten_time(model), {"film": film.numpy()}), expected, atol=1e-5)


def test_films_stay_in_pictures(network: tuple[Any, nn.Module]) -> None:
    """No film is put together between two convolutions: the rectifiers and the shortcuts see pictures too."""
    flattened = flatten_time(network[0])
    inferred = onnx.shape_inference.infer_shapes(flattened).graph
    dims = {value.name: len(value.type.tensor_type.shape.dim) for value in inferred.value_info}
    assert {dims[node.output[0]] for node in flattened.graph.node if node.op_type == "Relu"} == {4}
    back = [node for node in flattened.graph.node if node.op_type == "Transpose" and node.output[0] in dims]
    behind = {node.op_type for node in flattened.graph.node for made in back if made.output[0] in node.input}
    assert behind <= {"ReduceMean", "Concat", "Pad", "Gather", "Slice", "Reshape"}


def test_a_convolution_s_origin() -> None:
    torch.manual_seed(0)
    model = trace_model("film", NETWORKS["resnet"]().eval(), {"film": torch.randn(2, 3, 16, 32, 32)}, ["embedding"])
    before = [node.output[0] for node in model.graph.node if node.op_type == "Conv"]
    after = [origins(node)[-1] for node in flatten_time(model).graph.node if node.op_type == "Conv"]
    assert list(dict.fromkeys(after)) == before and len(after) == len(before) + 1, "the first one in two parts"
    assert [origins(node) for node in model.graph.node if node.op_type == "Conv"] == [(name,) for name in before]


def test_what_it_does_not_know_stays() -> None:
    weights = {"w": np.ones((4, 4, 3, 3, 3), np.float32)}
    for attributes in ({"dilations": [2, 1, 1]}, {"auto_pad": "SAME_UPPER"}):
        model, _ = one_convolution(weights, 8, **attributes)
        assert [node.op_type for node in flatten_time(model).graph.node] == ["Conv"]
    model, _ = one_convolution({"w": np.ones((4, 2, 3, 3, 3), np.float32)}, 8)
    assert [node.op_type for node in flatten_time(model).graph.node] != ["Conv"]


def test_exported_graphs_convolve_pictures() -> None:
    torch.manual_seed(0)
    data = export_graph("film", NETWORKS["slowfast"]().eval(), {"film": torch.randn(2, 3, 16, 32, 32)}, ["embedding"])
    assert convolved_dims(onnx.load_model_from_string(data.data)) == {4}


def test_twice_is_once(network: tuple[Any, nn.Module]) -> None:
    once = tidy_model(flatten_time(network[0]), "film", ["embedding"])
    again = flatten_time(once)
    assert [node.op_type for node in again.graph.node] == [node.op_type for node in once.graph.node]
