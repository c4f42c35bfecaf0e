"""The network that TensorRT made of an ONNX file, as far as it can be read without a GPU: before it is built.

A plan itself can only be opened on a GPU. What comes before it, the parsed network, has the inputs, outputs and layers
that the plan is compiled from; they are compared with the manifest, and the arithmetic of its products with the
precision that the plan is called by.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import EngineUnavailable
from .manifest import BATCH, GraphSpec, Shape, TensorSpec, shape_text

if TYPE_CHECKING:
    import tensorrt


@dataclass(frozen=True)
class NetworkFacts:
    """``layers``: how many, before TensorRT joins them; ``products``: matrix products and convolutions by the type of
    their results, as in ``{"float16": 44}``."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: int
    products: dict[str, int]


def read_network(trt: Any, network: "tensorrt.INetworkDefinition") -> NetworkFacts:
    """What a parsed network holds. Its plan need not be built."""
    names = type_names(trt)
    heavy = (trt.LayerType.MATRIX_MULTIPLY, trt.LayerType.CONVOLUTION, trt.LayerType.DECONVOLUTION)
    products: dict[str, int] = {}
    for index in range(network.num_layers):
        layer: tensorrt.ILayer = network.get_layer(index)
        if layer.type in heavy:
            out: tensorrt.ITensor = layer.get_output(0)
            name = names.get(out.dtype, str(out.dtype))
            products[name] = products.get(name, 0) + 1
    sides: tuple[list[TensorSpec], list[TensorSpec]] = ([], [])
    for side, count in zip(sides, (network.num_inputs, network.num_outputs), strict=True):
        for index in range(count):
            tensor: tensorrt.ITensor = network.get_input(index) if side is sides[0] else network.get_output(index)
            side.append(tensor_spec(tensor.name, tensor.dtype, tuple(tensor.shape), names))
    return NetworkFacts(tuple(sides[0]), tuple(sides[1]), int(network.num_layers), products)


def check_network(facts: NetworkFacts, spec: GraphSpec, precision: str) -> None:
    """``EngineUnavailable`` where inputs, outputs or arithmetic are not what the manifest says."""
    check_sides(spec, facts.inputs, facts.outputs, "the network's")
    others = {name: count for name, count in facts.products.items() if name != precision}
    if others:
        found = ", ".join(f"{count} in {name}" for name, count in others.items())
        raise EngineUnavailable(
            f"graph {spec.name}: of its products {found}, the manifest has the file under {precision}; export it again"
        )


def check_sides(spec: GraphSpec, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], whose: str) -> None:
    """Compare inputs and outputs with the manifest's; ``EngineUnavailable`` names both sides."""
    for side, expected, actual in (("inputs", spec.inputs, inputs), ("outputs", spec.outputs, outputs)):
        if sorted(map(str, expected)) != sorted(map(str, actual)):
            ours, theirs = (", ".join(sorted(map(str, tensors))) or shape_text(()) for tensors in (expected, actual))
            raise EngineUnavailable(
                f"graph {spec.name}: {whose} {side} are {theirs}, manifest.json says {ours}; build the plan again"
            )


def tensor_spec(name: str, dtype: Any, shape: tuple[int, ...], names: dict[Any, str]) -> TensorSpec:
    """A tensor as the manifest spells it: a free first axis is the batch."""
    free: Shape = (BATCH, *shape[1:]) if shape and shape[0] == -1 else shape
    return TensorSpec(name, names.get(dtype, str(dtype)), free)


def type_names(trt: Any) -> dict[Any, str]:
    """Our names of TensorRT's types."""
    return {
        trt.DataType.FLOAT: "float32",
        trt.DataType.HALF: "float16",
        trt.DataType.BF16: "bfloat16",
        trt.DataType.UINT8: "uint8",
        trt.DataType.BOOL: "bool",
    }
