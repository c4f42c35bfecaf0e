"""Sessions of a graph that is cut (``graph_cut.py``): the shared part is run for one row, the rest for all."""

from collections.abc import Callable, Sequence, Set
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import Arrays
from .graph_cut import Cut, cut
from .manifest import BATCH, GraphSpec
from .onnx_wire import TYPES
from .shared_rows import is_shared

AGREES: Final = 1e-3  # of a score: a wrong cut is off by tenths, float16 by less than this
ROWS: Final = 3  # of the trial


class SharedSessions:
    """``names``: the inputs that must be one row for the whole batch (``shared_rows.py``)."""

    def __init__(self, parts: Cut, names: Set[str], lone: Any, rest: Any) -> None:
        self._parts, self._names = parts, names
        self._lone, self._rest = lone, rest

    def fits(self, inputs: Arrays) -> bool:
        return all(is_shared(inputs[name]) for name in self._names)

    def run(self, outputs: list[str], inputs: Arrays, rows: int) -> list[NDArray[Any]]:
        """The ``outputs`` for inputs that fit. Raises what ONNX Runtime raises."""
        values = self._lone.run(list(self._parts.values), {name: inputs[name][:1] for name in self._names})
        given = {name: value.repeat(rows, axis=0) for name, value in zip(self._parts.values, values, strict=True)}
        given |= {name: inputs[name] for name in (*self._parts.passed, *self._parts.inputs)}
        answer: list[NDArray[Any]] = self._rest.run(outputs, given)
        return answer


def open_shared(
    data: bytes, names: Set[str], spec: GraphSpec, whole: Any, opened: Callable[[bytes], Any]
) -> SharedSessions | None:
    """The sessions of a file whose inputs ``names`` may be shared. None where it cannot be cut, or where a trial does
    not give what the session of the ``whole`` file does: then that one is run for every row. ``opened``: a file's
    session."""
    parts = cut(data, names)
    if parts is None:
        return None
    outputs = [tensor.name for tensor in spec.outputs]
    try:
        lone = opened(parts.lone)
        types = {value.name: (TYPES[value.type], _sizes(value.shape)) for value in lone.get_outputs()}
        shared = SharedSessions(parts, names, lone, opened(parts.rest(types)))
        inputs = trial_inputs(spec, names)
        for rows in (1, ROWS):  # what has other rows than the batch cannot be repeated for it
            values = lone.run(list(parts.values), {name: inputs[name][:rows] for name in names})
            if any(len(value) != rows for value in values):
                return None
        answers = zip(shared.run(outputs, inputs, ROWS), whole.run(outputs, dict(inputs)), strict=True)
        return shared if all(np.allclose(now, then, rtol=0, atol=AGREES) for now, then in answers) else None
    except Exception:  # noqa: BLE001 - ONNX Runtime's exceptions have no common base; the whole file is there
        return None


def trial_inputs(spec: GraphSpec, shared: Set[str], rows: int = ROWS, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Random valid inputs of so many rows, those named ``shared`` a view of one row."""
    random = np.random.default_rng(seed)
    inputs: dict[str, NDArray[Any]] = {}
    for tensor in spec.inputs:
        shape = (1 if tensor.name in shared else rows, *(int(size) for size in tensor.shape[1:]))
        if tensor.dtype == "bool":
            value = np.arange(shape[-1]) < random.integers(1, shape[-1] + 1, (*shape[:-1], 1))
        elif tensor.dtype == "uint8":
            value = random.integers(0, 256, shape, np.uint8)
        else:
            value = random.standard_normal(shape).astype(np.float32)
        inputs[tensor.name] = np.broadcast_to(value, (rows, *shape[1:]))
    return inputs


def _sizes(shape: Sequence[Any]) -> tuple[int | str, ...]:
    """A value's sizes as the rest takes them: the rows are free, and what else ONNX Runtime does not know."""
    return (BATCH, *(size if isinstance(size, int) else "" for size in shape[1:])) if shape else ()
