"""One graph at one batch size in ONNX Runtime, its inputs and outputs bound to buffers that are allocated once.

Every call of ONNX Runtime that touches a device is in this module, and the device is a parameter: with ``CPU`` the same
lines run where there is no GPU. The batch size is written into the graph when its session is made
(a free-dimension override), since a graph with a free batch computes shapes on the CPU, which neither CUDA graphs nor
``session.disable_cpu_ep_fallback`` allow; with a fixed one ONNX Runtime folds those nodes away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .base import Arrays
from .errors import EngineUnavailable
from .manifest import BATCH, GraphSpec, TensorSpec
from .onnx_engine import check_session, session_options

MIB: Final = 1 << 20


@dataclass(frozen=True)
class Place:
    """A provider with its options, and the device of the buffers as ``OrtValue`` calls it.

    ``captures``: the first run of a graph records a CUDA graph, later ones replay it.
    """

    provider: str
    device: str
    number: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    captures: bool = False


CPU: Final = Place("CPUExecutionProvider", "cpu")


def cuda(number: int, memory_mb: int) -> Place:
    """CUDA device ``number``; ``memory_mb`` bounds what a session's arena may take for weights and intermediate results
    (not what CUDA itself, cuBLAS and cuDNN take). TF32 is off: it would cost three digits that parity needs."""
    options = {
        "device_id": str(number),
        "gpu_mem_limit": str(memory_mb * MIB),
        "arena_extend_strategy": "kSameAsRequested",  # by default each extension doubles
        "enable_cuda_graph": "1",
        "use_tf32": "0",
    }
    return Place("CUDAExecutionProvider", "cuda", number, options, captures=True)


class BoundGraph:
    """``spec``'s graph for exactly ``size`` rows. Not for several threads at once: there is one set of buffers.

    The buffers take ``size`` times the bytes of a row of the inputs and outputs, on the device and for the inputs on
    the host as well. Raises whatever ONNX Runtime raises, ``EngineUnavailable`` where it silently used another
    provider, ``BundleError`` where the file is not what the manifest says.
    """

    def __init__(self, data: bytes, spec: GraphSpec, size: int, place: Place, where: str) -> None:
        self._session = open_sized(data, spec, size, place, where)
        self._binding = self._session.io_binding()
        self._inputs = {tensor.name: device_value(tensor, size, place) for tensor in spec.inputs}
        self._outputs = {tensor.name: device_value(tensor, size, place) for tensor in spec.outputs}
        self._staging = {tensor.name: np.zeros(sized(tensor, size), tensor.dtype) for tensor in spec.inputs}
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        for name, value in self._outputs.items():
            self._binding.bind_ortvalue_output(name, value)
        self._options = ort.RunOptions()
        if place.captures:
            self._options.add_run_config_entry("gpu_graph_id", str(size))

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """The outputs for 1 to ``size`` rows. The last row, a valid one, fills up the rest."""
        rows = len(next(iter(inputs.values())))
        for name, value in self._inputs.items():
            host = self._staging[name]
            host[:rows] = inputs[name]
            host[rows:] = inputs[name][-1]
            value.update_inplace(host)  # the address stays, as a recorded CUDA graph needs it
        self._binding.synchronize_inputs()
        self._session.run_with_iobinding(self._binding, self._options)
        self._binding.synchronize_outputs()
        # A copy: on the CPU numpy() is a view of the buffer that the next run writes into.
        return {name: np.array(value.numpy()[:rows], copy=True) for name, value in self._outputs.items()}


def device_value(tensor: TensorSpec, size: int, place: Place) -> Any:
    dtype = np.dtype(tensor.dtype).type
    return ort.OrtValue.ortvalue_from_shape_and_type(sized(tensor, size), dtype, place.device, place.number)


def sized(tensor: TensorSpec, size: int) -> tuple[int, ...]:
    return (size, *(int(axis) for axis in tensor.shape[1:]))


def open_sized(data: bytes, spec: GraphSpec, size: int, place: Place, where: str) -> Any:
    """A session for ``size`` rows on ``place`` and nowhere else."""
    options = session_options(threads=1)
    options.add_free_dimension_override_by_name(BATCH, size)
    if place is not CPU:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    providers = [(place.provider, dict(place.options))]
    # Without enable_fallback=0 ONNX Runtime opens the session on the CPU after some errors, and prints that.
    session = ort.InferenceSession(data, options, providers=providers, enable_fallback=0)
    used = session.get_providers()
    if used[0] != place.provider:
        raise EngineUnavailable(f"ONNX Runtime uses {', '.join(used)}, was asked for {place.provider}")
    inputs, outputs = (
        tuple(TensorSpec(tensor.name, tensor.dtype, sized(tensor, size)) for tensor in tensors)
        for tensors in (spec.inputs, spec.outputs)
    )
    check_session(session, inputs, outputs, where)
    return session
