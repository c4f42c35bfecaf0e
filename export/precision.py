"""One float32 graph in other arithmetics: float16 for a GPU, int8 for a CPU. Inputs and outputs stay as they are.

The conversions are ONNX Runtime's own. Everything comes out in standard operators of our version, checked as strictly
as the float32 graph. ``variants.py`` decides whether the numbers are still right and whether it pays.
"""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from .conv_over_time import flatten_time, origins
from .errors import ExportError
from .onnx_graph import OPSET, check_model, clear_remarks

Arrays = Mapping[str, NDArray[Any]]

# Operators that sum over an axis, divide by such a sum or take its root keep their 24 bits: norms, softmax, pooling. So
# do the casts of bytes: their 255 levels are exact in float16, but their normalisation need not be.
IN_FLOAT32: Final = (
    "LayerNormalization",
    "Softmax",
    "ReduceL2",
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "Pow",
    "Sqrt",
    "Div",
    "Clip",
    "Sign",
    "Abs",
    "GlobalAveragePool",
    "AveragePool",
    "BatchNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "CumSum",
    "Expand",  # of a norm, to the shape that it divides
    "Exp",
    "Log",
)
# Operators that compare a value with a bound: rounding must not move a value across a bin's edge. So the values keep
# their bits on the way there as well, as long as only MOVES happen to them.
DECIDES: Final = (
    *("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"),
    *("Floor", "Ceil", "Round", "ArgMax", "ArgMin", "TopK"),
)
MOVES: Final = ("Slice", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Flatten", "Gather", "Concat", "Identity")
PRODUCTS: Final = ("MatMul", "Gemm")
# Convolutions, and the operators between them that only move bytes, so that they move a quarter as many.
AROUND_CONVOLUTIONS: Final = ("Conv", "Pad", "Gather", "Reshape", "Transpose", "Relu")
CALIBRATION_BATCH: Final = 16


def to_float16(data: bytes, name: str) -> bytes:
    """Weights and arithmetic in float16; the operators in ``IN_FLOAT32`` stay in float32."""
    model = onnx.load_model_from_string(data)
    with quiet():
        model = convert_float_to_float16(
            model,
            keep_io_types=True,
            op_block_list=[*IN_FLOAT32, *DECIDES],
            node_block_list=before_decisions(model.graph),
        )
    join_casts(model.graph)
    return finish_model(model, name)


def before_decisions(graph: Any) -> list[str]:
    """Names of the nodes that only move values which are compared or rounded behind them."""
    maker = {output: node for node in graph.node for output in node.output}
    blocked: dict[str, None] = {}
    waiting = [value for node in graph.node if node.op_type in DECIDES for value in node.input]
    while waiting:
        node = maker.get(waiting.pop())
        if node is not None and node.op_type in MOVES and node.name not in blocked:
            blocked[node.name] = None
            waiting += node.input
    return list(blocked)


def join_casts(graph: Any) -> None:
    """Drop a cast to float16 that a cast to float32 follows: between two nodes that both keep their 24 bits, and behind
    the last one, whose unit vectors would otherwise have length 1.0003."""
    maker = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        before = maker.get(node.input[0]) if casts_to(node) == onnx.TensorProto.FLOAT else None
        if before is not None and casts_to(before) == onnx.TensorProto.FLOAT16:
            node.input[0] = before.input[0]


def casts_to(node: Any) -> int | None:
    """The type that a cast gives; None for another operator."""
    if node.op_type != "Cast":
        return None
    return next(int(attribute.i) for attribute in node.attribute if attribute.name == "to")


def to_int8_dynamic(data: bytes, name: str) -> bytes | None:
    """Matrix products in int8, each operand's scale measured at run time, without calibration. None where there are
    none."""
    model = onnx.load_model_from_string(data)
    if not any(node.op_type in PRODUCTS for node in model.graph.node):
        return None
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=list(PRODUCTS),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        return finish_model(onnx.load(path), name)


def to_int8_static(data: bytes, name: str, calibration: Arrays, left_out: str = "") -> bytes | None:
    """Convolutions in int8 with scales measured on ``calibration``, rows of real input. None where there are none.

    ``left_out``: the output of a convolution that stays in float32.

    Weights take 7 bits: without VNNI, x86 adds two products of 8 by 8 bits in 16, which 8 bits of weight overflow (in
    the default bundle's clip tower that brought the cosine down to .82).
    """
    model = flatten_time(onnx.load_model_from_string(data))
    if not any(node.op_type == "Conv" for node in model.graph.node):
        return None
    spared = [node.name for node in model.graph.node if node.op_type == "Conv" and left_out in origins(node)]
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            Slices(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(AROUND_CONVOLUTIONS),
            nodes_to_exclude=spared,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return finish_model(pad_bytes(onnx.load(path)), name)


class Slices(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """The calibration's rows, a batch at a time."""

    def __init__(self, arrays: Arrays) -> None:
        rows = len(next(iter(arrays.values())))
        starts = range(0, rows, CALIBRATION_BATCH)
        self._parts = iter(
            [{key: array[at : at + CALIBRATION_BATCH] for key, array in arrays.items()} for at in starts]
        )

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._parts, None)


def pad_bytes(model: Any) -> Any:
    """Each padding between dequantising and quantising pads the bytes instead, with the zero point.

    Padding with 0 does not widen the range that the scale was measured over, which always holds 0; so one scale serves
    before and behind. The quantiser handles the other moving operators, but not this one.
    """
    graph = model.graph
    maker = {output: node for node in graph.node for output in node.output}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for value in node.input:
            users.setdefault(value, []).append(node)
    dropped = set()
    for pad in [node for node in graph.node if node.op_type == "Pad" and len(node.input) == 2]:
        before, after = maker.get(pad.input[0]), users.get(pad.output[0], [])
        if before is None or before.op_type != "DequantizeLinear" or [n.op_type for n in after] != ["QuantizeLinear"]:
            continue
        followers = users[after[0].output[0]]
        if any(node.op_type != "DequantizeLinear" for node in followers):
            continue
        _, scale, zero = before.input
        pad.input[:] = [before.input[0], pad.input[1], zero]
        pad.output[:] = after[0].output
        for node in followers:
            node.input[1:] = [scale, zero]
        dropped.add(after[0].name)
    remaining = [node for node in graph.node if node.name not in dropped]
    del graph.node[:]
    graph.node.extend(remaining)
    return model


def finish_model(model: Any, name: str) -> bytes:
    """Clean the metadata and run every check. Raises ``ExportError`` for other operator sets than ours."""
    clear_remarks(model)
    model.graph.name = name
    model.producer_name, model.producer_version = "segue", ""
    used = {node.domain for node in model.graph.node}
    versions = {entry.domain: entry.version for entry in model.opset_import if entry.domain in used}
    if versions != {"": OPSET}:
        raise ExportError(f"graph {name}: came out in operator sets {versions}, must be the standard one of {OPSET}")
    for entry in [entry for entry in model.opset_import if entry.domain not in used]:
        model.opset_import.remove(entry)
    drop_unused_nodes(model.graph)
    used_values = {value for node in model.graph.node for value in node.input}
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name not in used_values]:
        model.graph.initializer.remove(tensor)
    del model.graph.value_info[:]
    order_nodes(model.graph)
    return bytes(check_model(model, name).SerializeToString(deterministic=True))


def drop_unused_nodes(graph: Any) -> None:
    """Nodes that nothing depends on any more, and those that only they depended on."""
    while True:
        used = {value for node in graph.node for value in node.input} | {value.name for value in graph.output}
        unused = [node for node in graph.node if not any(output in used for output in node.output)]
        if not unused:
            return
        for node in unused:
            graph.node.remove(node)


def order_nodes(graph: Any) -> None:
    """Put every node behind those whose outputs it takes, as the format demands, and none twice.

    The converters append some at the end, and they cast one value again for each of its users, under the same name.
    """
    nodes = list({tuple(node.output): node for node in graph.node}.values())
    maker = {output: at for at, node in enumerate(nodes) for output in node.output}
    needs = {at: [maker[value] for value in node.input if value in maker] for at, node in enumerate(nodes)}
    ordered = [nodes[at] for at in TopologicalSorter(needs).static_order()]
    del graph.node[:]
    graph.node.extend(ordered)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the converters' advice, which goes to the root logger, and their own deprecations."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
