"""Nodes and constants of a graph under construction. Each value is made once, however often it is needed."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Nodes:
    """``written``: nodes in order; ``constants``: their other inputs."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._outputs: set[str] = set()

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add an operator of ``kind`` that makes ``output``, unless there is one; returns ``output``."""
        if output not in self._outputs:
            self._outputs.add(output)
            self.written.append(helper.make_node(kind, inputs, [output], name=f"{kind}_{output}", **attributes))
        return output

    def keep(self, node: Any) -> None:
        self._outputs.update(node.output)
        self.written.append(node)

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def numbers(self, name: str, *values: int) -> str:
        return self.constant(name, np.array(values, np.int64))
