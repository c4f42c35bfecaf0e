"""Joins several ONNX graphs to one: each part under names of its own, with a few operators between them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
import onnx.compose
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines.manifest import TensorSpec

from .errors import ExportError
from .onnx_graph import OPSET, OnnxGraph, provisional, tensor_spec, tidy_model

_TYPES: Final = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "bool": TensorProto.BOOL}
_END: Final = np.iinfo(np.int64).max


class Joint:
    """A graph under construction. Every method returns the name of its result; ``finish`` returns the graph."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._inputs: dict[str, TensorSpec] = {}
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._outputs: dict[str, TensorSpec] = {}

    def input(self, tensor: TensorSpec) -> str:
        """An input of the joint graph; parts share inputs of one name. ``ExportError`` where these differ."""
        known = self._inputs.setdefault(tensor.name, tensor)
        if known != tensor:
            raise ExportError(f"graph {self.name}: its parts take {known} and {tensor}; they cannot share an input")
        return tensor.name

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"constant.{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(value, name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"between.{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def cut(self, value: str, axis: int, begin: int, end: int | None = None) -> str:
        """The places ``begin`` to ``end``, not included, of an axis."""
        bounds = (begin, _END if end is None else end, axis, 1)
        return self.op("Slice", value, *(self.constant(np.array([bound], np.int64)) for bound in bounds))

    def part(self, data: bytes, inputs: Mapping[str, str]) -> dict[str, str]:
        """Add a whole graph. ``inputs``: its inputs' names -> names of values here; returns its outputs in the same
        way.

        Raises ``ExportError`` for bytes that are no graph of our operator set, or inputs that do not fit.
        """
        try:
            model = onnx.load_model_from_string(data)
        except Exception as error:  # protobuf's errors have no base of their own
            raise ExportError(f"graph {self.name}: a part is no ONNX file ({error}); make that bundle again") from error
        opsets = {entry.domain: entry.version for entry in model.opset_import}
        if opsets != {"": OPSET}:
            raise ExportError(
                f"graph {self.name}: a part uses operator sets {opsets}, must be the standard one of version {OPSET}; "
                "export that bundle again"
            )
        if sorted(value.name for value in model.graph.input) != sorted(inputs):
            names = ", ".join(value.name for value in model.graph.input)
            raise ExportError(f"graph {self.name}: a part takes {names}, it is given {', '.join(inputs)}")
        prefix = f"part.{len(self._nodes)}."
        model = onnx.compose.add_prefix(model, prefix)
        called = {prefix + name: value for name, value in inputs.items()}
        for node in model.graph.node:
            node.input[:] = [called.get(value, value) for value in node.input]
            self._nodes.append(node)
        self._weights += model.graph.initializer
        return {value.name.removeprefix(prefix): value.name for value in model.graph.output}

    def output(self, tensor: TensorSpec, value: str) -> None:
        self._nodes.append(helper.make_node("Identity", [value], [provisional(tensor.name)]))
        self._outputs[tensor.name] = tensor

    def finish(self) -> OnnxGraph:
        """The graph, cleaned and checked; ``ExportError`` where the checker refuses it."""
        inputs = [_value(tensor, tensor.name) for tensor in self._inputs.values()]
        outputs = [_value(tensor, provisional(tensor.name)) for tensor in self._outputs.values()]
        graph = helper.make_graph(self._nodes, self.name, inputs, outputs, self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        model = tidy_model(model, self.name, list(self._outputs))
        return OnnxGraph(
            data=bytes(model.SerializeToString(deterministic=True)),
            inputs=tuple(tensor_spec(value, f"graph {self.name}: input") for value in model.graph.input),
            outputs=tuple(tensor_spec(value, f"graph {self.name}: output") for value in model.graph.output),
        )


def concatenate(joint: Joint, values: Sequence[str], axis: int = 1) -> str:
    return joint.op("Concat", *values, axis=axis)


def _value(tensor: TensorSpec, name: str) -> Any:
    return helper.make_tensor_value_info(name, _TYPES[tensor.dtype], list(tensor.shape))
