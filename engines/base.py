"""What every engine offers, and the check of a request against the manifest that all of them share."""

from collections.abc import Mapping
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .errors import EngineError, EngineFailed
from .manifest import DTYPES, GraphSpec, TensorSpec, shape_text

Arrays = Mapping[str, NDArray[Any]]
_DTYPES: Final = {name: np.dtype(name) for name in DTYPES}  # an array's ``dtype.name`` takes a microsecond


@runtime_checkable
class Engine(Protocol):
    """Runs a bundle's graphs. ``run`` may be called from several threads at once."""

    @property
    def name(self) -> str:
        """Runtime and device, as a report prints it."""

    @property
    def bundle(self) -> Bundle: ...

    def spec(self, graph: str) -> GraphSpec:
        """The graph's inputs and outputs; ``BundleError`` when the bundle has no such graph."""

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """The graph's outputs by name, a row for each row of ``inputs``; ``EngineError`` for inputs that it refuses."""

    def warmup(self) -> None:
        """Run every graph once, so that no lazy set-up delays the first real request."""

    def close(self) -> None:
        """Release what the engine holds; a later ``run`` raises ``EngineClosed``. May be called twice."""


def check_inputs(spec: GraphSpec, inputs: Arrays) -> int:
    """The number of rows of a valid request: the names, dtypes and shapes of ``spec``, at least one row, only finite
    floats, no mask row without a valid clip. Raises ``EngineError`` that names both sides."""
    expected, given = {tensor.name for tensor in spec.inputs}, set(inputs)
    if expected != given:
        raise EngineError(
            f"graph {spec.name} takes {', '.join(sorted(expected))}, was given {', '.join(sorted(given)) or 'nothing'}"
        )
    rows: dict[str, int] = {}
    for tensor in spec.inputs:
        array = inputs[tensor.name]
        if wrong := _wrong_input(array, tensor):
            raise EngineError(f"graph {spec.name}: input {tensor.name} {wrong}")
        rows[tensor.name] = array.shape[0]
    if len(set(rows.values())) > 1:
        sizes = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise EngineError(f"graph {spec.name}: inputs differ in batch ({sizes}), must have as many rows each")
    return next(iter(rows.values()))


def _wrong_input(array: Any, tensor: TensorSpec) -> str:
    """What is wrong with an input, in words; empty for nothing."""
    if not isinstance(array, np.ndarray):
        return f"is {type(array).__name__}, must be a NumPy array {tensor}"
    if array.dtype != _DTYPES[tensor.dtype]:
        return f"is {array.dtype.name}, must be {tensor.dtype}; convert it first"
    if array.ndim != len(tensor.shape) or array.shape[1:] != tensor.shape[1:]:
        return f"has shape {shape_text(array.shape)}, must be {shape_text(tensor.shape)}"
    if array.shape[0] == 0:
        return "has batch 0, must have at least one row"
    if array.strides[0] == 0:  # its rows are one
        array = array[:1]
    if tensor.dtype == "float32" and not np.isfinite(array).all():
        return "holds NaN or infinity, must be finite"
    if tensor.dtype == "bool" and not (known := array.reshape(len(array), -1).any(axis=1)).all():
        row = int(np.flatnonzero(~known)[0])
        return f"has no true value in row {row}, must have at least one valid clip in each"
    return ""


def check_outputs(spec: GraphSpec, outputs: Arrays, rows: int) -> None:
    """A runtime's answer to a request of ``rows`` rows: every output of the manifest, of its dtype and shape, finite.

    Raises ``EngineFailed``, since the request was valid: the numbers of a fused kernel that overflows, or of a broken
    device, must not reach a ranking. It costs some 6 microseconds an output, of a clip tower's 2 milliseconds.
    """
    for tensor in spec.outputs:
        if tensor.name not in outputs:
            raise EngineFailed(
                f"graph {spec.name}: output {tensor.name} is missing from the engine's answer; use another engine"
            )
        array = outputs[tensor.name]
        if array.dtype != _DTYPES[tensor.dtype] or array.shape != (rows, *tensor.shape[1:]):
            raise EngineFailed(
                f"graph {spec.name}: output {tensor.name} came as {array.dtype.name} {shape_text(array.shape)} for a "
                f"batch of {rows}, must be {tensor}; use another engine"
            )
        if tensor.dtype == "float32" and not np.isfinite(array).all():
            raise EngineFailed(
                f"graph {spec.name}: output {tensor.name} holds NaN or infinity in row {first_bad_row(array)}; use "
                "another engine or precision"
            )


def first_bad_row(array: NDArray[Any]) -> int:
    return int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0])


def example_inputs(spec: GraphSpec, rows: int = 1) -> dict[str, NDArray[Any]]:
    """Zeros (and true masks) of the graph's shapes with ``rows`` rows: valid input for warm-ups and probes."""
    return {tensor.name: _example(tensor, rows) for tensor in spec.inputs}


def _example(tensor: TensorSpec, rows: int) -> NDArray[Any]:
    shape = (rows, *(int(size) for size in tensor.shape[1:]))
    return np.ones(shape, bool) if tensor.dtype == "bool" else np.zeros(shape, tensor.dtype)
