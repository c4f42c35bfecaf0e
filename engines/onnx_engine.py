"""ONNX Runtime on the CPU.

One session a graph, made from bytes whose hash was checked. An idle pool that spins makes the rest of the process
several times slower, so spinning is off. The provider is set by name and read back, since ONNX Runtime falls back
silently. A graph of pairs has two sessions more, for a window and its candidates (``onnx_shared.py``).
"""

import threading
from typing import Any, Final

import onnxruntime as ort
from numpy.typing import NDArray

from .base import Arrays, check_inputs, check_outputs, example_inputs
from .bundle import FLOAT32, Bundle
from .errors import BundleError, EngineClosed, EngineError, EngineFailed
from .graph_cut import shared_inputs
from .manifest import BATCH, TensorSpec
from .onnx_shared import SharedSessions, open_shared
from .precisions import OfBundle, choose_precisions

PROVIDER: Final = "CPUExecutionProvider"
TOO_NEW: Final = ("is till opset", "Unsupported model IR version")  # its words for an operator set and a format
_DTYPES: Final = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(bool)": "bool"}


class OnnxEngine(OfBundle):
    """``threads`` is the number of threads within one graph's run; several callers may run at once beside each other.

    ``precision``: the arithmetic to use; graphs that the bundle lacks in it run in float32, and ``precision_of`` says
    so. Raises ``EngineUnavailable`` when no graph is there in it, ``BundleError`` when ONNX Runtime cannot
    open a graph, or finds other inputs and outputs than the manifest's.
    """

    def __init__(self, bundle: Bundle, threads: int = 1, precision: str = FLOAT32) -> None:
        if threads < 1:
            raise EngineError(f"threads is {threads}, must be at least 1")
        self._bundle = bundle
        self._threads = threads
        self._precision = precision
        self._precisions = choose_precisions(bundle, precision)
        self._lock = threading.Lock()
        self._sessions: dict[str, ort.InferenceSession] | None = {
            graph: open_session(bundle, graph, threads, used) for graph, used in self._precisions.items()
        }
        self._shared = {
            graph: shared
            for graph, session in self._sessions.items()
            if (shared := self._open_shared(graph, session)) is not None
        }

    @property
    def name(self) -> str:
        return self._named(f"onnx-cpu-{self._threads}")

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        check_inputs(self.spec(graph), inputs)
        return self.run_checked(graph, inputs)

    def run_checked(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """``run`` for inputs that ``check_inputs`` has passed, and for rows joined of such."""
        spec, rows = self.spec(graph), len(next(iter(inputs.values())))
        with self._lock:  # guards close() alone; a session's own run is thread-safe and happens outside
            sessions, shared_of = self._sessions, self._shared
        if sessions is None:
            raise EngineClosed(f"engine {self.name} is closed; open another")
        names = [tensor.name for tensor in spec.outputs]
        shared = shared_of.get(graph)
        try:
            if shared is not None and rows > 1 and shared.fits(inputs):
                values = shared.run(names, inputs, rows)
            else:
                values = sessions[graph].run(names, dict(inputs))
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            raise EngineFailed(
                f"engine {self.name}: graph {graph}, batch {rows}: {first_line(error)}; try fewer rows, or export again"
            ) from error
        outputs: dict[str, NDArray[Any]] = dict(zip(names, values, strict=True))
        check_outputs(spec, outputs, rows)
        return outputs

    def warmup(self) -> None:
        for graph in self._bundle.manifest.graphs:
            self.run(graph, example_inputs(self.spec(graph)))

    def shares(self, graph: str) -> bool:
        """Whether ``graph`` reads inputs that all rows share only once (``shared_rows.py``)."""
        return graph in self._shared

    def close(self) -> None:
        with self._lock:
            self._sessions, self._shared = None, {}

    def _open_shared(self, graph: str, session: Any) -> SharedSessions | None:
        names = shared_inputs(self._bundle.graphs, graph)
        if not names:
            return None
        data = self._bundle.read(graph, self._precisions[graph])
        return open_shared(data, names, self.spec(graph), session, lambda part: _session(part, self._threads))


def session_options(threads: int) -> Any:
    """Options of every session: ``threads`` within a run, none between nodes, no spinning, errors only on stderr."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # failures arrive as exceptions; the log would print them a second time
    return options


def open_session(bundle: Bundle, graph: str, threads: int, precision: str = FLOAT32) -> Any:
    """An ``InferenceSession`` on the CPU whose inputs and outputs are the manifest's; ``BundleError`` otherwise."""
    spec = bundle.spec(graph)
    file, _ = bundle.file(graph, precision)
    ort.disable_telemetry_events()  # nothing that runs here is reported to anybody
    data = bundle.read(graph, precision)
    try:
        session = _session(data, threads)
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        raise BundleError(
            f"bundle {bundle.path}: ONNX Runtime cannot open {file}: {first_line(error)}; {cure(error)}"
        ) from error
    used = session.get_providers()
    if used != [PROVIDER]:
        raise EngineError(
            f"graph {graph}: ONNX Runtime uses {', '.join(used)}, was asked for {PROVIDER}; reinstall onnxruntime"
        )
    check_session(session, spec.inputs, spec.outputs, f"bundle {bundle.path}: {file}")
    return session


def _session(data: bytes, threads: int) -> Any:
    return ort.InferenceSession(data, session_options(threads), providers=[PROVIDER])


def check_tensors(expected: tuple[TensorSpec, ...], actual: list[TensorSpec], where: str) -> None:
    """Compare the manifest's tensors with the file's, in any order, since both are used by name; ``BundleError``."""
    names = [tensor.name for tensor in actual]
    if sorted(names) != sorted(tensor.name for tensor in expected):
        claimed = ", ".join(tensor.name for tensor in expected)
        raise BundleError(
            f"{where}s are {', '.join(names) or 'none'}, manifest.json says {claimed}; export the bundle again"
        )
    by_name = {tensor.name: tensor for tensor in actual}
    for tensor in expected:
        if by_name[tensor.name] != tensor:
            raise BundleError(
                f"{where} is {by_name[tensor.name]}, manifest.json says {tensor}; export the bundle again"
            )


def tensor_spec(node: Any) -> TensorSpec:
    """An input or output as ONNX Runtime describes it; a free leading axis is the batch, whatever its name."""
    shape = list(node.shape)
    if shape and not isinstance(shape[0], int):
        shape[0] = BATCH
    return TensorSpec(node.name, _DTYPES.get(node.type, node.type), tuple(shape))


def check_session(session: Any, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], where: str) -> None:
    """Compare what a session takes and gives with the manifest's; ``BundleError``."""
    for side, expected, actual in (
        ("input", inputs, session.get_inputs()),
        ("output", outputs, session.get_outputs()),
    ):
        check_tensors(expected, [tensor_spec(node) for node in actual], f"{where}: {side}")


def cure(error: Exception) -> str:
    """How to mend a file that does not open: one with newer operators or a newer format is whole, a newer ONNX Runtime
    reads it."""
    if any(words in str(error) for words in TOO_NEW):
        return f"it is newer than onnxruntime {ort.__version__}: upgrade onnxruntime or export the bundle again"
    return "export the bundle again"


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
