"""One torch module to one self-contained ONNX graph with a free batch axis.

The exporter's output says too much (every node has a stack trace with paths of the exporting machine), and it names
values after operators, which may collide with the names of inputs and outputs. Both are corrected here, and the result
is checked, strictly and with shape inference.
"""

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import onnx
import onnx.version_converter
import torch
from onnx import TensorProto
from torch import Tensor, nn

from engines.manifest import BATCH, TensorSpec

from .conv_over_time import flatten_time
from .errors import ExportError

OPSET: Final = 20
_DTYPES: Final = {TensorProto.FLOAT: "float32", TensorProto.UINT8: "uint8", TensorProto.BOOL: "bool"}


@dataclass(frozen=True)
class OnnxGraph:
    """A serialised model, its inputs and its outputs."""

    data: bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def export_graph(name: str, module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> OnnxGraph:
    """Trace ``module`` (in eval mode) with example ``inputs``, in the order of its ``forward``, all of one batch >= 2.

    Raises ``ExportError`` when a batch of 1 would be traced as a constant, the module is in training mode, the exporter
    refuses it, or the result is not one valid graph of floats, bytes and truth values with a free batch axis alone.
    """
    batches = {key: value.shape[0] if value.dim() else 0 for key, value in inputs.items()}
    if len(set(batches.values())) != 1 or min(batches.values()) < 2:
        raise ExportError(
            f"graph {name}: example inputs have batches {batches}; give all of them one batch of at least 2"
        )
    if module.training:
        raise ExportError(f"graph {name}: the module is in training mode; call eval() first")
    if isinstance(module, Ready):
        model = ready_model(name, module, outputs)
    else:
        model = flatten_time(trace_model(name, module, inputs, outputs))  # a fifth faster on a CPU
    model = tidy_model(model, name, outputs)
    graph = OnnxGraph(
        data=bytes(model.SerializeToString(deterministic=True)),
        inputs=tuple(tensor_spec(value, f"graph {name}: input") for value in model.graph.input),
        outputs=tuple(tensor_spec(value, f"graph {name}: output") for value in model.graph.output),
    )
    for side, tensors, expected in (("input", graph.inputs, inputs), ("output", graph.outputs, outputs)):
        names = [tensor.name for tensor in tensors]
        if names != list(expected):
            raise ExportError(f"graph {name}: {side}s came out as {', '.join(names)}, must be {', '.join(expected)}")
    return graph


@runtime_checkable
class Ready(Protocol):
    """A module that is an ONNX file already: somebody else's backbone."""

    onnx_file: bytes


def ready_model(name: str, module: Ready, outputs: Sequence[str]) -> Any:
    """The module's own graph, in our operator set, its outputs under provisional names.

    Raises ``ExportError`` for a file whose operators cannot be converted to our version.
    """
    model = onnx.load_model_from_string(module.onnx_file)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if versions.get("") != OPSET:
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except (RuntimeError, ValueError) as error:
            raise ExportError(
                f"graph {name}: operators of version {versions.get('')} cannot be brought to {OPSET} ({error}); "
                f"export that network again with opset {OPSET}"
            ) from error
    # Old exporters list weights as inputs too; they are none.
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    before = {value.name: provisional(output) for value, output in zip(model.graph.output, outputs, strict=True)}
    for value in model.graph.output:
        value.name = before[value.name]
    for node in model.graph.node:
        node.input[:] = [before.get(value, value) for value in node.input]
        node.output[:] = [before.get(value, value) for value in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    return model


def trace_model(name: str, module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> Any:
    """The exporter's ``ModelProto``, its output names still provisional."""
    batch = torch.export.Dim("batch")
    with quiet():
        try:
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=[provisional(output) for output in outputs],
                dynamic_shapes=batch_axes(module, len(inputs), batch),
                external_data=False,
                verbose=False,
            )
        except Exception as error:  # the exporter's errors have no common base but this
            text = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ExportError(f"graph {name}: torch.onnx cannot export it: {text}") from error
    if program is None:
        raise ExportError(f"graph {name}: torch.onnx gave no program")
    return program.model_proto


def batch_axes(module: nn.Module, inputs: int, batch: Any) -> tuple[Any, ...]:
    """The free axis of each input, in the shape of ``forward``'s parameters: ``*inputs`` is one tuple."""
    parameters = inspect.signature(module.forward).parameters.values()
    named = sum(parameter.kind is not inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    axes = [{0: batch} for _ in range(inputs)]
    return tuple(axes) if inputs == named else (*axes[:named], tuple(axes[named:]))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the exporter's own deprecations and its repeated message that torchvision is missing."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def tidy_model(model: Any, name: str, outputs: Sequence[str]) -> Any:
    """The model with plain names, without metadata of the exporting machine, and with every check passed."""
    clear_remarks(model)
    model.graph.name = name
    model.producer_name, model.producer_version = "segue", ""
    rename_values(model, name, outputs)
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims and dims[0].dim_param:
            dims[0].dim_param = BATCH
    del model.graph.value_info[:]  # restated under the new names by the inference below
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ExportError(f"graph {name}: weights stand outside the file; they must be inside")
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets != {"": OPSET}:
        raise ExportError(
            f"graph {name}: uses operator sets {opsets}, must be the standard one of version {OPSET} alone"
        )
    return check_model(model, name)


def check_model(model: Any, name: str) -> Any:
    """The model after strict shape inference and the checker; ``ExportError`` where they refuse it."""
    try:
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"graph {name}: the ONNX checker refuses it: {str(error).splitlines()[0]}") from error
    del model.graph.value_info[:]  # runtimes infer them again; the traced batch symbol need not be stored
    return model


def convolutions(data: bytes) -> list[str]:
    """The names of the outputs of a graph's convolutions, in its order."""
    return [node.output[0] for node in onnx.load_model_from_string(data).graph.node if node.op_type == "Conv"]


def clear_remarks(message: Any) -> None:
    """Empty every ``doc_string`` and ``metadata_props`` in a protobuf message, at any depth."""
    for descriptor, value in message.ListFields():
        if descriptor.name in ("doc_string", "metadata_props"):
            message.ClearField(descriptor.name)
        elif descriptor.type == descriptor.TYPE_MESSAGE:
            for part in value if hasattr(value, "__len__") else (value,):
                clear_remarks(part)


def rename_values(model: Any, name: str, outputs: Sequence[str]) -> None:
    """Number the nodes and the values between them, and give the outputs their final names."""
    if model.functions or any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute):
        raise ExportError(f"graph {name}: holds control flow or functions; write its forward without branches on data")
    final = {provisional(output): output for output in outputs}
    names = {value.name: value.name for value in model.graph.input}
    names |= {tensor.name: f"w{at}" for at, tensor in enumerate(model.graph.initializer)}
    values = (value for node in model.graph.node for value in node.output if value and value not in final)
    names |= {value: f"v{at}" for at, value in enumerate(values)} | final | {"": ""}
    for at, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{at}"
        node.input[:] = [names[value] for value in node.input]
        node.output[:] = [names[value] for value in node.output]
    for entry in (*model.graph.initializer, *model.graph.output):
        entry.name = names.get(entry.name, entry.name)


def provisional(output: str) -> str:
    """An output's name while the exporter names the rest; no operator is called so."""
    return f"segue.output.{output}"


def tensor_spec(value: Any, where: str) -> TensorSpec:
    """A graph's input or output as in the manifest; ``ExportError`` unless only the batch axis is free."""
    tensor = value.type.tensor_type
    if tensor.elem_type not in _DTYPES:
        kind = TensorProto.DataType.Name(tensor.elem_type)
        raise ExportError(f"{where} {value.name} is {kind}, must be one of {', '.join(_DTYPES.values())}")
    shape = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
    if not shape or shape[0] != BATCH or not all(isinstance(size, int) and size > 0 for size in shape[1:]):
        raise ExportError(f"{where} {value.name} has shape {shape}, must be [{BATCH!r}, sizes...]")
    return TensorSpec(value.name, _DTYPES[tensor.elem_type], tuple(shape))
