"""A small graph in ONNX's format, for ONNX Runtime to run: written here, because the ``onnx`` package, with all that it
brings, is ten times as large as what this needs of it.

Fields and their numbers are those of ``onnx.proto3``; the encoding is Protocol Buffers' (varints, and bytes with their
length before them).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

IR_VERSION: Final = 8
OPSET: Final = 17
_FLOAT: Final = 1  # TensorProto.DataType
_INT, _INTS = 2, 7  # AttributeProto.AttributeType


@dataclass(slots=True)
class Graph:
    """Nodes in the order in which they run; an ``output`` is the name of what a node gives."""

    _parts: list[bytes] = field(default_factory=list)
    _weights: list[bytes] = field(default_factory=list)

    def weight(self, name: str, values: NDArray[np.float32]) -> str:
        """A constant, by its name."""
        dims = b"".join(_number(1, size) for size in values.shape)
        raw = np.ascontiguousarray(values, "<f4").tobytes()
        self._weights.append(_bytes(5, dims + _number(2, _FLOAT) + _text(8, name) + _bytes(9, raw)))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]) -> str:
        """Add a node of ONNX's own operators; returns ``output``."""
        body = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)
        self._parts.append(_bytes(1, body + b"".join(_attribute(*pair) for pair in attributes.items())))
        return output

    def model(self, given: tuple[str, Sequence[int | str]], wanted: tuple[str, Sequence[int | str]]) -> bytes:
        """The whole model, with one input and one output, float32: name and shape each, a text for a size that is not
        fixed."""
        graph = b"".join(self._parts) + _text(2, "graph") + b"".join(self._weights)
        graph += _bytes(11, _value(*given)) + _bytes(12, _value(*wanted))
        return _number(1, IR_VERSION) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, OPSET))


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _bytes(5, _text(1, name) + _number(3, value) + _number(20, _INT))
    return _bytes(5, _text(1, name) + b"".join(_number(8, each) for each in value) + _number(20, _INTS))


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    sizes = [_text(2, size) if isinstance(size, str) else _number(1, size) for size in shape]
    tensor = _number(1, _FLOAT) + _bytes(2, b"".join(_bytes(1, size) for size in sizes))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())
