"""ONNX Runtime on the CPU.

One session a graph, made from bytes whose hash was checked. An idle pool that spins slows the rest of the process many
times over, so spinning is off; the provider is asked for by name and read back, since ONNX Runtime falls back silently.
"""

import threading
from typing import Any, Final

import onnxruntime as ort
from numpy.typing import NDArray

from .base import Arrays, check_inputs, example_inputs
from .bundle import Bundle
from .errors import BundleError, EngineClosed, EngineError
from .manifest import BATCH, GraphSpec, TensorSpec

PROVIDER: Final = "CPUExecutionProvider"
_DTYPES: Final = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(bool)": "bool"}


class OnnxEngine:
    """``threads`` is the number of threads within one graph's run; several callers may run at once beside each other.

    Raises ``BundleError`` when ONNX Runtime cannot open a graph, or finds other inputs and outputs than the manifest's.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        if threads < 1:
            raise EngineError(f"threads is {threads}, must be at least 1")
        self._bundle = bundle
        self._threads = threads
        self._lock = threading.Lock()
        self._sessions: dict[str, ort.InferenceSession] | None = {
            graph: open_session(bundle, graph, threads) for graph in bundle.manifest.graphs
        }

    @property
    def name(self) -> str:
        return f"onnx-cpu-{self._threads}"

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    def spec(self, graph: str) -> GraphSpec:
        return self._bundle.spec(graph)

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        spec = self.spec(graph)
        check_inputs(spec, inputs)
        with self._lock:  # guards close() alone; a session's own run is thread-safe and happens outside
            sessions = self._sessions
        if sessions is None:
            raise EngineClosed(f"engine {self.name} is closed; open another")
        names = [tensor.name for tensor in spec.outputs]
        values = sessions[graph].run(names, dict(inputs))
        return dict(zip(names, values, strict=True))

    def warmup(self) -> None:
        for graph in self._bundle.manifest.graphs:
            self.run(graph, example_inputs(self.spec(graph)))

    def close(self) -> None:
        with self._lock:
            self._sessions = None


def session_options(threads: int) -> Any:
    """Options of every session: ``threads`` within a run, none between nodes, no spinning, errors only on stderr."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # failures arrive as exceptions; the log would print them a second time
    return options


def open_session(bundle: Bundle, graph: str, threads: int) -> Any:
    """An ``InferenceSession`` on the CPU whose inputs and outputs are the manifest's; ``BundleError`` otherwise."""
    spec = bundle.spec(graph)
    data = bundle.read(graph)
    try:
        session = ort.InferenceSession(data, session_options(threads), providers=[PROVIDER])
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        raise BundleError(
            f"bundle {bundle.path}: ONNX Runtime cannot open {spec.file}: {first_line(error)}; export the bundle again"
        ) from error
    found = session.get_providers()
    if found != [PROVIDER]:
        raise EngineError(
            f"graph {graph}: ONNX Runtime uses {', '.join(found)}, was asked for {PROVIDER}; reinstall onnxruntime"
        )
    for side, wanted, real in (
        ("input", spec.inputs, session.get_inputs()),
        ("output", spec.outputs, session.get_outputs()),
    ):
        check_real(wanted, [tensor_spec(node) for node in real], f"bundle {bundle.path}: {spec.file}: {side}")
    return session


def check_real(wanted: tuple[TensorSpec, ...], real: list[TensorSpec], where: str) -> None:
    """The manifest's word against the file's; the order is free, since both are used by name."""
    names = [tensor.name for tensor in real]
    if sorted(names) != sorted(tensor.name for tensor in wanted):
        claimed = ", ".join(tensor.name for tensor in wanted)
        raise BundleError(
            f"{where}s are {', '.join(names) or 'none'}, manifest.json says {claimed}; export the bundle again"
        )
    by_name = {tensor.name: tensor for tensor in real}
    for tensor in wanted:
        if by_name[tensor.name] != tensor:
            raise BundleError(
                f"{where} is {by_name[tensor.name]}, manifest.json says {tensor}; export the bundle again"
            )


def tensor_spec(node: Any) -> TensorSpec:
    """What ONNX Runtime says of an input or output; a free leading axis is the batch, whatever its name."""
    shape = list(node.shape)
    if shape and not isinstance(shape[0], int):
        shape[0] = BATCH
    return TensorSpec(node.name, _DTYPES.get(node.type, node.type), tuple(shape))


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
