"""ONNX Runtime's plugin for TensorRT for RTX: a session a graph, each compiled for the card when it is opened.

The plugin is a package of its own beside the plain ``onnxruntime`` (1.24 or later) and brings TensorRT for RTX along:
no plans and no cache of ours, one profile of 1 to 32 rows, larger requests in slices. ``tensorrt_engine.py`` has what
this lacks: recorded runs, plans that are built elsewhere, buffers bound once.

**It never ran on a GPU.** Its library was loaded by ONNX Runtime 1.32 with a stand-in for the driver, where it lists no
device; sessions, slices and errors run in the tests by the same calls on ONNX Runtime's own device for the CPU.
"""

import ctypes
import importlib
import threading
from itertools import chain
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort
from numpy.typing import NDArray

from .base import Arrays, check_inputs, check_outputs, example_inputs
from .bundle import FLOAT32, Bundle
from .cuda_errors import brief, cuda_failure
from .errors import EngineClosed, EngineError, EngineUnavailable
from .manifest import GraphSpec
from .onnx_engine import check_session, first_line, session_options
from .precisions import OfBundle, choose_precisions
from .rows import cut, join

PROVIDER: Final = "NvTensorRTRTXExecutionProvider"
MODULE: Final = "onnxruntime_ep_nv_tensorrt_rtx"
PACKAGE: Final = "onnxruntime-ep-nv-tensorrt-rtx-cu13"
OLDEST: Final = (1, 24)
BEST, LARGEST = 8, 32  # rows: those that kernels are chosen for, and the most in one run

_registering = threading.Lock()
_registered: Final[set[str]] = set()  # libraries; ONNX Runtime refuses one that it has


class OnnxRtxEngine(OfBundle):
    """``device``: the place among the cards that the plugin lists, which are those that it can use.

    ``provider`` is for tests: another provider, of which ONNX Runtime knows a device.

    Raises ``EngineUnavailable``, with the cause and the cure, where the plugin or a card for it is missing, or refuses
    a graph. Nothing ever runs on the CPU instead. One run at a time, other callers wait.
    """

    def __init__(self, bundle: Bundle, device: int = 0, precision: str = FLOAT32, provider: str = PROVIDER) -> None:
        if device < 0:
            raise EngineError(f"device is {device}, must be a card's number, from 0")
        self._bundle = bundle
        self._number = device
        self._precision = precision
        self._precisions = choose_precisions(bundle, precision)
        card = find_device(provider, device, self.name)
        self._lock = threading.Lock()
        self._sessions: dict[str, Any] | None = {
            graph: self._open(graph, used, card) for graph, used in self._precisions.items()
        }

    def _open(self, graph: str, precision: str, card: Any) -> Any:
        spec, ours = self.spec(graph), card.ep_name == PROVIDER
        options = session_options(threads=1)
        options.add_provider_for_devices([card], profile(spec) if ours else {})
        if ours:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            session = ort.InferenceSession(self._bundle.read(graph, precision), options)
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            raise EngineUnavailable(
                f"engine {self.name}: graph {graph}: the plugin refuses it ({brief(error)}); use another engine"
            ) from error
        if (used := session.get_providers())[0] != card.ep_name:
            raise EngineUnavailable(
                f"engine {self.name}: graph {graph}: ONNX Runtime uses {', '.join(used)}; use another engine"
            )
        file = self._bundle.file(graph, precision)[0]
        check_session(session, spec.inputs, spec.outputs, f"bundle {self._bundle.path}: {file}")
        return session

    @property
    def name(self) -> str:
        return self._named(f"onnx-rtx-{self._number}")

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        spec = self.spec(graph)
        rows = check_inputs(spec, inputs)
        outputs = join([self._run_part(spec, part, count) for part, count in cut(inputs, LARGEST)])
        check_outputs(spec, outputs, rows)
        return outputs

    def _run_part(self, spec: GraphSpec, inputs: Arrays, rows: int) -> dict[str, NDArray[Any]]:
        names = [tensor.name for tensor in spec.outputs]
        with self._lock:
            if self._sessions is None:
                raise EngineClosed(f"engine {self.name} is closed; open another")
            try:
                return dict(zip(names, self._sessions[spec.name].run(names, dict(inputs)), strict=True))
            except Exception as error:  # as above
                raise cuda_failure(error, f"engine {self.name}: graph {spec.name}, batch {rows}") from error

    def warmup(self) -> None:
        for graph in self._bundle.manifest.graphs:
            self.run(graph, example_inputs(self.spec(graph)))

    def close(self) -> None:
        with self._lock:
            self._sessions = None


def profile(spec: GraphSpec) -> dict[str, str]:
    """The plugin's options for a graph whose batch is free: 1 to ``LARGEST`` rows. Its header puts semicolons between
    inputs; what reads them splits at commas."""

    def shapes(rows: int) -> str:
        return ",".join(
            f"{tensor.name}:{'x'.join(map(str, chain([rows], tensor.shape[1:])))}" for tensor in spec.inputs
        )

    return {
        "nv_profile_min_shapes": shapes(1),
        "nv_profile_opt_shapes": shapes(BEST),
        "nv_profile_max_shapes": shapes(LARGEST),
    }


def find_device(provider: str, number: int, label: str) -> Any:
    """The ``OrtEpDevice`` of the ``number``-th card; ``EngineUnavailable`` says what is missing."""
    if provider == PROVIDER and (reason := register()):
        raise EngineUnavailable(f"engine {label}: {reason}")
    found = [device for device in ort.get_ep_devices() if device.ep_name == provider]
    if number >= len(found):
        raise EngineUnavailable(
            f"engine {label}: the plugin lists {len(found)} cards, needed is number {number}; it takes those of "
            "compute capability 8.6, 8.9 and 12.0 or later (RTX 30, 40, 50): use onnx-cuda or tensorrt on others"
        )
    return found[number]


def register() -> str | None:
    """Give ONNX Runtime the plugin's library, once in a process; why that is not possible, or None."""
    version = ort.__version__
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"onnxruntime {version} here is older than {oldest}, which plugins need; upgrade it"
    try:
        plugin = importlib.import_module(MODULE)
    except ImportError:
        return f"the package {PACKAGE} is not installed; pip install {PACKAGE}"
    except Exception as error:  # noqa: BLE001 - of a package that is there and does not load
        return refusal(error)
    with _registering:
        try:
            library = str(plugin.get_library_path())
            if library not in _registered:
                preload_cuda(Path(library).parent)
                ort.register_execution_provider_library(PROVIDER, library)
                _registered.add(library)
        except Exception as error:  # noqa: BLE001 - the reason is the answer
            return refusal(error)
    return None


def preload_cuda(folder: Path) -> None:
    """Load the CUDA runtime that the package brings under a name that the plugin does not ask for: 0.5.0 links
    TensorRT's libraries to the names that are looked for, and this one not."""
    for library in sorted(folder.glob("libcudart.so.*")):
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def refusal(error: Exception) -> str:
    text = first_line(error).rpartition(" with error: ")[2][:200]
    if "libcuda.so" in text or "libnvidia-ml.so" in text:
        return f"the NVIDIA driver is missing ({text}); install one for CUDA 13, in a container pass the GPU through"
    return f"ONNX Runtime cannot load the plugin ({text}); reinstall {PACKAGE}"
