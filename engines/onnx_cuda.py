"""ONNX Runtime on a CUDA device: batches padded to a few sizes, buffers bound once, a CUDA graph for each size.

**It has not been run on a GPU.** Binding, padding, slicing and locking run in the tests on the CPU provider; capture
and faults run against a strict imitation of ONNX Runtime; onnxruntime-gpu 1.31.1 was tried on a machine
without a driver. Where there is a GPU, run ``benchmarks/gpu.sh``.

*Bounds*: one run at a time, other callers wait (while one thread records a CUDA graph, no other may allocate memory). A
request of more rows than the largest size is run in slices. For each graph and size there is a
session with its own copy of the weights and its own arena of at most ``memory_mb``.
"""

import contextlib
import ctypes
import io
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .base import Arrays, check_inputs, check_outputs, example_inputs
from .bundle import FLOAT32, Bundle
from .cuda_errors import brief, cuda_failure
from .errors import BundleError, EngineClosed, EngineError, EngineUnavailable
from .manifest import BATCH, GraphSpec, TensorSpec
from .onnx_binding import BoundGraph, Place, cuda
from .precisions import OfBundle, choose_precisions
from .rows import SIZES, checked_sizes, cut, join, padded_size

MEMORY_MB: Final = 1024

# y = -x over (batch, 2) float32, as onnx.helper writes it at opset 20: the least to show that a device computes.
PROBE_MODEL: Final = bytes.fromhex(
    "080a12003a480a0b0a017812017922034e6567120570726f62655a180a017812130a110801120d0a07120562617463680a020802"
    "62180a017912130a110801120d0a07120562617463680a02080242040a001014"
)
PROBE_SPEC: Final = GraphSpec(
    "probe", "", "", (TensorSpec("x", "float32", (BATCH, 2)),), (TensorSpec("y", "float32", (BATCH, 2)),)
)


class OnnxCudaEngine(OfBundle):
    """``device`` is CUDA's number; ``sizes``, ascending: the batch sizes that are run; ``memory_mb`` bounds each of
    the arenas, one for every graph and size. ``place`` is for tests: another provider.

    Raises ``EngineUnavailable``, with the cause, where ONNX Runtime cannot use the device; ``BundleError`` for a graph
    that is not what the manifest says. Nothing ever runs on the CPU instead.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: int = 0,
        precision: str = FLOAT32,
        sizes: Sequence[int] = SIZES,
        memory_mb: int = MEMORY_MB,
        place: Place | None = None,
    ) -> None:
        if device < 0:
            raise EngineError(f"device is {device}, must be CUDA's number of a GPU, from 0")
        if memory_mb < 1:
            raise EngineError(f"memory_mb is {memory_mb}, must be at least 1")
        self._sizes = checked_sizes(sizes)
        if place is None and (reason := missing()):
            raise EngineUnavailable(f"engine onnx-cuda-{device}: {reason}")
        self._bundle = bundle
        self._place = place or cuda(device, memory_mb)
        self._precision = precision
        self._precisions = choose_precisions(bundle, precision)
        self._lock = threading.Lock()
        self._graphs: dict[str, dict[int, BoundGraph]] | None = {
            graph: {size: self._open(graph, used, size) for size in self._sizes}
            for graph, used in self._precisions.items()
        }

    def _open(self, graph: str, precision: str, size: int) -> BoundGraph:
        data = self._bundle.read(graph, precision)
        where = f"bundle {self._bundle.path}: {self._bundle.file(graph, precision)[0]}"
        try:
            return BoundGraph(data, self.spec(graph), size, self._place, where)
        except BundleError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            raise EngineUnavailable(f"engine {self.name}: graph {graph}, batch {size}: {refusal(error)}") from error

    @property
    def name(self) -> str:
        return self._named(f"onnx-{self._place.device}-{self._place.number}")

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        spec = self.spec(graph)
        rows = check_inputs(spec, inputs)
        outputs = join([self._run_part(graph, part, count) for part, count in cut(inputs, self._sizes[-1])])
        check_outputs(spec, outputs, rows)
        return outputs

    def _run_part(self, graph: str, inputs: Arrays, rows: int) -> dict[str, NDArray[Any]]:
        with self._lock:
            if self._graphs is None:
                raise EngineClosed(f"engine {self.name} is closed; open another")
            bound = self._graphs[graph][padded_size(rows, self._sizes)]
            try:
                return bound.run(inputs)
            except Exception as error:  # as above
                raise cuda_failure(error, f"engine {self.name}: graph {graph}, batch {rows}") from error

    def warmup(self) -> None:
        """Run every graph at every size once, which records its CUDA graph."""
        for graph in self._bundle.manifest.graphs:
            for size in self._sizes:
                self.run(graph, example_inputs(self.spec(graph), size))

    def close(self) -> None:
        with self._lock:
            self._graphs = None


def probe(device: int = 0) -> str | None:
    """Why device ``device`` cannot be used from here, or None after a small graph really ran on it."""
    if reason := missing():
        return reason
    x = np.array([[1.0, -2.0], [3.0, 0.5]], np.float32)
    try:
        result = BoundGraph(PROBE_MODEL, PROBE_SPEC, len(x), cuda(device, memory_mb=64), "probe").run({"x": x})["y"]
    except Exception as error:  # noqa: BLE001 - the reason is the answer
        return refusal(error)
    return None if np.array_equal(result, -x) else f"CUDA device {device} computes wrong results; test its memory"


def missing() -> str | None:
    """What ONNX Runtime lacks for CUDA, or None where its provider can be loaded.

    ``get_available_providers`` lists what the package was built with, and a session falls back without an exception;
    only the log has the cause. So the provider's library is loaded here, as ONNX Runtime does.
    """
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return (
            f"onnxruntime {ort.__version__} here is built without CUDA; "
            "pip uninstall onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]'"
        )
    # It looks for CUDA's libraries in the nvidia-* packages, and prints which are missing.
    with contextlib.redirect_stdout(io.StringIO()):
        ort.preload_dlls()
    try:
        load_provider(Path(ort.__file__).parent / "capi", sys.platform)
    except OSError as error:
        return refusal(error)
    return None


def load_provider(folder: Path, platform: str) -> None:
    """Load the CUDA provider's library, after the one that it takes symbols from; ``OSError`` names what is missing."""
    pattern = "onnxruntime_providers_{}.dll" if platform == "win32" else "libonnxruntime_providers_{}.so"
    for part in ("shared", "cuda"):
        ctypes.CDLL(str(folder / pattern.format(part)), mode=ctypes.RTLD_GLOBAL)


def refusal(error: BaseException) -> str:
    """Cause and cure of a device that cannot be opened, on one line."""
    text, lower = brief(error), str(error).lower()
    if "libcuda.so" in lower or "nvcuda.dll" in lower or "driver version is insufficient" in lower:
        return f"the NVIDIA driver is missing or too old ({text}); install it, in a container pass the GPU through"
    if "cannot open shared object" in lower or "error loading" in lower:
        return f"a library of CUDA or cuDNN is missing ({text}); pip install 'onnxruntime-gpu[cuda,cudnn]'"
    if "no cuda-capable device" in lower or "invalid device ordinal" in lower:
        return f"there is no such GPU ({text}); name another device, see nvidia-smi"
    if "assigned to the default cpu ep" in lower:
        return f"no CUDA kernel for some of it ({text}); upgrade onnxruntime-gpu, or use another engine"
    if "out of memory" in lower or "failed to allocate" in lower or "smaller than requested" in lower:
        return f"the GPU has too little memory ({text}); free it of other programs, or give smaller sizes"
    return f"ONNX Runtime cannot use the device ({text}); see segue doctor"
