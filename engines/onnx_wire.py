"""An ONNX file as its protobuf fields, as far as cutting a graph in two takes: no more than names are read, everything
else is passed on as it stands. The package ``onnx`` would bring 20 MB that nothing else of the live path needs.

The numbers are those of onnx.proto3; the encoding is https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

GRAPH, FUNCTIONS = 7, 25  # of a model
NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 1, 5, 11, 12, 13  # of a graph
TENSOR_NAME, VALUE_NAME = 8, 1
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_KIND, NODE_ATTRIBUTE, NODE_DOMAIN = 1, 2, 3, 4, 5, 7
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS = 1, 3, 6, 11
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# element types by ONNX Runtime's names
TYPES: Final = {
    "tensor(float)": 1,
    "tensor(uint8)": 2,
    "tensor(int32)": 6,
    "tensor(int64)": 7,
    "tensor(bool)": 9,
    "tensor(float16)": 10,
}


@dataclass(frozen=True, slots=True)
class Field:
    """``value``: a number, or the bytes of what has a length; ``raw``: all of it, with its number in front."""

    number: int
    value: int | bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Node:
    """An operator. ``ints``: its attributes that are whole numbers; ``nested``: it holds graphs."""

    kind: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ints: dict[str, int]
    nested: bool
    raw: bytes


@dataclass(frozen=True, slots=True)
class Model:
    """The parts of a file: ``head`` is what stands beside the graph, ``rest`` what stands in it beside these parts."""

    nodes: Sequence[Node]
    weights: dict[str, bytes]
    inputs: dict[str, bytes]
    outputs: tuple[str, ...]
    head: bytes
    rest: bytes
    functions: bool = field(default=False)


def read_model(data: bytes) -> Model:
    """Raises ``ValueError`` for bytes that are no such file."""
    top = list(fields(data))
    graphs = [one.value for one in top if one.number == GRAPH]
    if len(graphs) != 1 or not isinstance(graphs[0], bytes):
        raise ValueError(f"a file with {len(graphs)} graphs")
    parts = list(fields(graphs[0]))
    apart = (NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO)
    return Model(
        nodes=[_node(one) for one in parts if one.number == NODE],
        weights={_text_of(one, TENSOR_NAME): one.raw for one in parts if one.number == INITIALIZER},
        inputs={_text_of(one, VALUE_NAME): one.raw for one in parts if one.number == INPUT},
        outputs=tuple(_text_of(one, VALUE_NAME) for one in parts if one.number == OUTPUT),
        head=b"".join(one.raw for one in top if one.number != GRAPH),
        rest=b"".join(one.raw for one in parts if one.number not in apart),
        functions=any(one.number == FUNCTIONS for one in top),
    )


def write_model(
    model: Model, nodes: Sequence[Node], inputs: Sequence[bytes], outputs: Sequence[bytes], names: Sequence[str]
) -> bytes:
    """A file of some ``nodes`` of ``model``, with the weights ``names``; ``inputs`` and ``outputs`` as fields of a
    graph."""
    weights = [model.weights[name] for name in names]
    graph = b"".join([*(node.raw for node in nodes), model.rest, *weights, *inputs, *outputs])
    return model.head + lengthy(GRAPH, graph)


def value_field(number: int, name: str, element: int = 0, sizes: Sequence[int | str] = ()) -> bytes:
    """An input or output of a graph; without ``element`` its type is left to the runtime, without ``sizes`` its
    shape."""
    told = lengthy(VALUE_NAME, name.encode())
    if element:
        dims = (lengthy(2, dim.encode()) if isinstance(dim, str) else key(1, VARINT) + varint(dim) for dim in sizes)
        shape = lengthy(2, b"".join(lengthy(1, dim) for dim in dims)) if sizes else b""
        tensor = key(1, VARINT) + varint(element) + shape
        told += lengthy(2, lengthy(1, tensor))
    return lengthy(number, told)


def with_input(node: Node, name: str) -> Node:
    """A node of one input, which becomes ``name``."""
    [whole] = fields(node.raw)
    assert isinstance(whole.value, bytes)
    body = b"".join(one.raw for one in fields(whole.value) if one.number != NODE_INPUT)
    raw = lengthy(NODE, lengthy(NODE_INPUT, name.encode()) + body)
    return Node(node.kind, node.domain, (name,), node.outputs, node.ints, node.nested, raw)


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a message, in order. Raises ``ValueError`` where they do not fit its length."""
    at, end = 0, len(data)
    while at < end:
        begin = at
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == VARINT:
            value, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32, BYTES):
            size = 8 if kind == FIXED64 else 4
            if kind == BYTES:
                size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"a field of kind {kind}")
        if at > end:
            raise ValueError(f"a field of {at - begin} bytes where {end - begin} are left")
        yield Field(number, value, data[begin:at])


def lengthy(number: int, body: bytes) -> bytes:
    return key(number, BYTES) + varint(len(body)) + body


def key(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")


def _node(one: Field) -> Node:
    parts = _parts(one)
    attributes = [_parts(part) for part in parts if part.number == NODE_ATTRIBUTE]
    ints = {
        _text(name): number
        for parts_of in attributes
        for name in (next((part for part in parts_of if part.number == ATTRIBUTE_NAME), None),)
        for number in (next((part.value for part in parts_of if part.number == ATTRIBUTE_INT), None),)
        if name is not None and isinstance(number, int)
    }
    return Node(
        kind=_text_in(parts, NODE_KIND),
        domain=_text_in(parts, NODE_DOMAIN),
        inputs=tuple(_text(part) for part in parts if part.number == NODE_INPUT),
        outputs=tuple(_text(part) for part in parts if part.number == NODE_OUTPUT),
        ints=ints,
        nested=any(part.number in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS) for of in attributes for part in of),
        raw=one.raw,
    )


def _parts(one: Field) -> list[Field]:
    if not isinstance(one.value, bytes):
        raise ValueError("a number where a message should be")
    return list(fields(one.value))


def _text_of(one: Field, number: int) -> str:
    return _text_in(_parts(one), number)


def _text_in(parts: Sequence[Field], number: int) -> str:
    found = next((part for part in parts if part.number == number), None)
    return "" if found is None else _text(found)


def _text(one: Field) -> str:
    if not isinstance(one.value, bytes):
        raise ValueError("a number where a name should be")
    return one.value.decode()
