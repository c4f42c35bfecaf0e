"""One graph at one batch size on the GPU: a context of its own, its buffers, and the whole run as one CUDA graph.

A run is: copy the inputs in, the network's kernels, copy the outputs out. Captured once with fixed addresses, it is
launched as a whole; that is why the host's side is pinned memory, the only kind that may be copied asynchronously. A
network that cannot be captured is enqueued step by step instead, and a warning is logged. A runtime that records CUDA
graphs itself (``Flavour.captures``) is always enqueued: its graph holds the kernels alone. Never ran on a GPU.
"""

import ctypes
import logging
import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import Arrays, example_inputs
from .errors import EngineFailed, EngineUnavailable
from .manifest import GraphSpec, TensorSpec
from .tensorrt_flavour import Contexts
from .tensorrt_runtime import CudaFault, Libraries, last_error, release, unwrap

if TYPE_CHECKING:
    import tensorrt
    from cuda.bindings import runtime as cudart

REPLAY_TOLERANCE: Final = 1e-3  # between a plain run and its replay, of outputs about 1 in size

log = logging.getLogger("segue.engines")


@dataclass(frozen=True, eq=False)
class Buffer:
    """A tensor's memory on either side: ``host`` is pinned, ``device`` and ``address`` are plain addresses."""

    name: str
    host: NDArray[Any]
    address: int
    device: int
    size: int  # bytes


class Slot:
    """Runs ``spec`` with up to ``rows`` rows, padded to just that many, in a context of ``contexts``. Not thread-safe:
    its engine runs one request at a time.

    ``owner`` gives back everything that it takes from the GPU, in reverse order. Raises ``EngineUnavailable`` when
    TensorRT refuses the size, ``CudaFault`` for what CUDA refuses.
    """

    def __init__(
        self,
        libraries: Libraries,
        contexts: Contexts,
        spec: GraphSpec,
        profile: int,
        rows: int,
        stream: "cudart.cudaStream_t",
        listener: Any,
        owner: ExitStack,
    ) -> None:
        self._libraries = libraries
        self._spec = spec
        self._rows = rows
        self._stream = stream
        self._listener = listener
        self._executable: cudart.cudaGraphExec_t | None = None
        self._inputs = [allocate(libraries.cuda, tensor, rows, owner) for tensor in spec.inputs]
        self._outputs = [allocate(libraries.cuda, tensor, rows, owner) for tensor in spec.outputs]
        self._context: tensorrt.IExecutionContext = self._require(contexts.make(), "no context")
        owner.callback(self._drop_context)
        self._prepare(self._context, profile)
        if libraries.flavour.captures:
            self._settle()
        else:
            self._try_capture(owner)

    @property
    def captured(self) -> bool:
        """Whether a run is one launch of a CUDA graph."""
        return self._executable is not None

    def run(self, inputs: Arrays, start: int, count: int) -> dict[str, NDArray[Any]]:
        """Rows ``start`` to ``start + count`` of a checked request, in memory of the caller's own."""
        for buffer in self._inputs:
            buffer.host[:count] = inputs[buffer.name][start : start + count]
            buffer.host[count:] = buffer.host[count - 1]  # a valid row, so that no mask is all false
        return self._answer(count, self._executable)

    def _answer(self, count: int, executable: "cudart.cudaGraphExec_t | None") -> dict[str, NDArray[Any]]:
        cuda = self._libraries.cuda
        if executable is None:
            self._enqueue()
        else:
            unwrap(cuda, cuda.cudaGraphLaunch(executable, self._stream), f"launching {self._spec.name}")
        unwrap(cuda, cuda.cudaStreamSynchronize(self._stream), f"running {self._spec.name}, batch {self._rows}")
        return {buffer.name: buffer.host[:count].copy() for buffer in self._outputs}

    def _enqueue(self) -> None:
        """A run's steps, put on the stream one by one."""
        cuda, doing = self._libraries.cuda, f"copying for {self._spec.name}"
        to_device = cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        to_host = cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        for b in self._inputs:
            unwrap(cuda, cuda.cudaMemcpyAsync(b.device, b.address, b.size, to_device, self._stream), doing)
        if not self._context.execute_async_v3(int(self._stream)):
            raise EngineFailed(
                f"graph {self._spec.name}, batch {self._rows}: TensorRT did not run it: {last_error(self._listener)}; "
                "use another engine"
            )
        for b in self._outputs:
            unwrap(cuda, cuda.cudaMemcpyAsync(b.address, b.device, b.size, to_host, self._stream), doing)

    def _prepare(self, context: "tensorrt.IExecutionContext", profile: int) -> None:
        """Profile, shapes and addresses, in this order: a profile's change forgets shapes."""
        cuda = self._libraries.cuda
        self._require(context.set_optimization_profile_async(profile, int(self._stream)), f"no profile {profile}")
        unwrap(cuda, cuda.cudaStreamSynchronize(self._stream), f"choosing profile {profile}")
        for tensor in self._spec.inputs:
            shape = concrete(tensor, self._rows)
            self._require(context.set_input_shape(tensor.name, shape), f"input {tensor.name} cannot be {shape}")
        if unknown := context.infer_shapes():
            raise self._refusal(f"shapes of {', '.join(unknown)} stay open")
        for tensor in self._spec.outputs:
            shape = tuple(context.get_tensor_shape(tensor.name))
            if shape != concrete(tensor, self._rows):
                raise self._refusal(f"output {tensor.name} is {shape}, manifest.json says {tensor}")
        for buffer in (*self._inputs, *self._outputs):
            self._require(context.set_tensor_address(buffer.name, buffer.device), f"no address for {buffer.name}")

    def _settle(self) -> None:
        """Run twice where the runtime records CUDA graphs itself: it compiles in the first run, and records."""
        example = example_inputs(self._spec, self._rows)
        for buffer in self._inputs:
            buffer.host[:] = example[buffer.name]
        plain, replay = self._answer(self._rows, None), self._answer(self._rows, None)
        if not all(np.allclose(replay[name], plain[name], atol=REPLAY_TOLERANCE, equal_nan=True) for name in plain):
            raise self._refusal("its second run gives other numbers than its first")

    def _try_capture(self, owner: ExitStack) -> None:
        """Run once plainly, which finishes TensorRT's own set-up, then capture, and use the capture only if it
        agrees."""
        cuda = self._libraries.cuda
        example = example_inputs(self._spec, self._rows)
        for buffer in self._inputs:
            buffer.host[:] = example[buffer.name]
        plain = self._answer(self._rows, None)
        executable = self._capture()
        if executable is None:
            return
        owner.callback(lambda: release(cuda, cuda.cudaGraphExecDestroy(executable), "destroying a CUDA graph"))
        unwrap(cuda, cuda.cudaGraphUpload(executable, self._stream), "uploading a CUDA graph")
        replay = self._answer(self._rows, executable)
        if all(np.allclose(replay[name], plain[name], atol=REPLAY_TOLERANCE, equal_nan=True) for name in plain):
            self._executable = executable
        else:
            self._warn("its CUDA graph gives other numbers than its plain run")

    def _capture(self) -> "cudart.cudaGraphExec_t | None":
        """The run as an executable CUDA graph, or None where the network cannot be captured."""
        cuda = self._libraries.cuda
        # Thread-local: calls of this process's other threads to the GPU do not disturb this capture.
        mode = cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        unwrap(cuda, cuda.cudaStreamBeginCapture(self._stream, mode), "beginning a capture")
        refused = ""  # the text alone: an exception would keep this frame, and with it the context, alive
        try:
            self._enqueue()
        except EngineFailed as error:
            refused = str(error)
        ended = cuda.cudaStreamEndCapture(self._stream)  # also after a refusal: it leaves the stream's capture mode
        try:
            graph: cudart.cudaGraph_t | None = unwrap(cuda, ended, "ending a capture")
        except CudaFault as fault:
            graph, refused = None, refused or str(fault)
        if refused or graph is None:
            if graph is not None:
                release(cuda, cuda.cudaGraphDestroy(graph), "destroying a CUDA graph")
            cuda.cudaGetLastError()  # a refused capture leaves its error behind, and the next call would report it
            self._warn(refused or "nothing was captured")
            return None
        try:
            executable: cudart.cudaGraphExec_t = unwrap(
                cuda, cuda.cudaGraphInstantiate(graph, 0), "instantiating a CUDA graph"
            )
        finally:
            release(cuda, cuda.cudaGraphDestroy(graph), "destroying a CUDA graph")
        return executable

    def _warn(self, why: str) -> None:
        log.warning("graph %s, batch %d: enqueued step by step, not captured: %s", self._spec.name, self._rows, why)

    def _drop_context(self) -> None:
        """Drop the context; TensorRT frees its memory with the last reference."""
        del self._context

    def _require(self, value: Any, complaint: str) -> Any:
        """The ``value`` that TensorRT returned; ``EngineUnavailable`` for None or False."""
        if value is None or value is False:
            raise self._refusal(f"{complaint}: {last_error(self._listener)}")
        return value

    def _refusal(self, why: str) -> EngineUnavailable:
        return EngineUnavailable(
            f"graph {self._spec.name}, batch {self._rows}: {why}; build the plan again or use another engine"
        )


def concrete(tensor: TensorSpec, rows: int) -> tuple[int, ...]:
    return (rows, *(int(size) for size in tensor.shape[1:]))


def allocate(cuda: Any, tensor: TensorSpec, rows: int, owner: ExitStack) -> Buffer:
    """Memory for ``rows`` rows of ``tensor`` on both sides, given back by ``owner``."""
    shape, dtype = concrete(tensor, rows), np.dtype(tensor.dtype)
    size = math.prod(shape) * dtype.itemsize
    address = int(unwrap(cuda, cuda.cudaHostAlloc(size, 0), f"pinning {size} bytes for {tensor.name}"))
    owner.callback(lambda: release(cuda, cuda.cudaFreeHost(address), f"unpinning {tensor.name}"))
    device = int(unwrap(cuda, cuda.cudaMalloc(size), f"taking {size} bytes of GPU memory for {tensor.name}"))
    owner.callback(lambda: release(cuda, cuda.cudaFree(device), f"freeing {tensor.name}"))
    raw = (ctypes.c_uint8 * size).from_address(address)
    return Buffer(tensor.name, np.frombuffer(memoryview(raw), dtype).reshape(shape), address, device, size)
