"""TensorRT and CUDA as Python modules: loading them, the GPU that they find, and what their errors mean.

Written for TensorRT 11 and cuda-python 13 against their published signatures, which tests hold; it never ran on a GPU.
Throughout these files ``trt`` is the module ``tensorrt`` and ``cuda`` is ``cuda.bindings.runtime``, loaded on demand.
Their objects are annotated with a class where the modules do not tell it, and a test follows these annotations to
compare every name and every call with the real modules.
"""

import importlib
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .errors import EngineFailed, EngineUnavailable
from .plan_cache import version_tuple

if TYPE_CHECKING:
    import tensorrt
    from cuda.bindings import runtime as cudart

MAJOR: Final = 11
EXTRA: Final = 'pip install ".[tensorrt]" brings it'
MESSAGES: Final = 8  # how many of TensorRT's errors are kept for an error's text

log = logging.getLogger("segue.engines")


@dataclass(frozen=True)
class Libraries:
    """The two modules; tests put stand-ins here."""

    trt: Any
    cuda: Any


@dataclass(frozen=True)
class Gpu:
    """``name`` as the driver gives it, ``capability`` as in ``9.0``."""

    index: int
    name: str
    capability: str


class CudaFault(EngineFailed):
    """A CUDA call that failed. ``code`` is CUDA's name for it, ``lasting`` whether the device is lost with it."""

    def __init__(self, text: str, code: str, lasting: bool) -> None:
        super().__init__(text)
        self.code = code
        self.lasting = lasting


def load_libraries() -> Libraries:
    """Import both; raises ``EngineUnavailable`` that says which one is missing or too old, and how to get it."""
    trt = load_module("tensorrt", "tensorrt")
    version = str(trt.__version__)
    if version_tuple(version)[0] < MAJOR:
        raise EngineUnavailable(f"TensorRT {version} is installed, this segue needs {MAJOR} or later; {EXTRA}")
    return Libraries(trt=trt, cuda=load_module("cuda.bindings.runtime", "cuda-python"))


def load_module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise EngineUnavailable(f"the package {package} is not installed; {EXTRA}") from None
    except Exception as error:  # each cause raises another kind: a library that the package lacks, a driver too old
        raise EngineUnavailable(f"the package {package} cannot be loaded: {first_line(error)}; {EXTRA}") from error


def find_gpu(libraries: Libraries, device: int) -> Gpu:
    """The GPU of this number; ``EngineUnavailable`` where there is none or no driver."""
    cuda = libraries.cuda
    try:
        count = int(unwrap(cuda, cuda.cudaGetDeviceCount(), "counting GPUs"))
        if not 0 <= device < count:
            raise EngineUnavailable(f"GPU {device} is not there: this machine has {count}; name another device")
        unwrap(cuda, cuda.cudaSetDevice(device), f"choosing GPU {device}")
        properties: cudart.cudaDeviceProp = unwrap(
            cuda, cuda.cudaGetDeviceProperties(device), f"describing GPU {device}"
        )
    except CudaFault as fault:
        raise EngineUnavailable(str(fault)) from fault
    name = bytes(properties.name).split(b"\0")[0].decode("utf-8", "replace")
    return Gpu(index=device, name=name, capability=f"{int(properties.major)}.{int(properties.minor)}")


def unwrap(cuda: Any, result: tuple[Any, ...], doing: str) -> Any:
    """What a CUDA call returned behind its status: nothing, one value or a tuple. Raises ``CudaFault`` for any status
    but success; ``doing`` tells its text what was being done."""
    error, *values = result
    if error != cuda.cudaError_t.cudaSuccess:
        raise fault_of(cuda, error, doing)
    if len(values) == 1:
        return values[0]
    return tuple(values) or None


def release(cuda: Any, result: tuple[Any, ...], doing: str) -> None:
    """As ``unwrap``, for calls that free something: a failure is only logged, since the rest must be freed too."""
    try:
        unwrap(cuda, result, doing)
    except CudaFault as fault:
        log.warning("%s", str(fault))  # the text: a record that held the fault would keep all that its frames hold


def fault_of(cuda: Any, error: "cudart.cudaError_t", doing: str) -> CudaFault:
    code = text_of(cuda.cudaGetErrorName(error))
    if error == cuda.cudaError_t.cudaErrorMemoryAllocation:
        text = f"CUDA, {doing}: the GPU's memory is used up ({code}); end other programs or run fewer rows at once"
        return CudaFault(text, code, lasting=False)
    description = text_of(cuda.cudaGetErrorString(error))
    absent = (cuda.cudaError_t.cudaErrorInsufficientDriver, cuda.cudaError_t.cudaErrorNoDevice)
    cure = "install a driver for CUDA 13 and see" if error in absent else "open another engine, and see"
    return CudaFault(f"CUDA, {doing}: {description} ({code}); {cure} that nvidia-smi lists the GPU", code, lasting=True)


def text_of(result: tuple[Any, ...]) -> str:
    """The text in a (status, bytes) pair, as CUDA spells the names of its errors."""
    name = result[1] if len(result) > 1 else None
    return bytes(name).decode("utf-8", "replace") if name else "unknown error"


def make_logger(trt: Any) -> Any:
    """A logger for TensorRT: errors and warnings to ours, the last errors kept (``.text()``) for an exception."""

    class Listener(trt.ILogger):  # type: ignore[misc]  # the base class is known only once TensorRT is loaded
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # pybind11 wants this very call, not super's
            self._errors: deque[str] = deque(maxlen=MESSAGES)

        def log(self, severity: "tensorrt.ILogger.Severity", msg: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self._errors.append(msg)
                log.error("TensorRT: %s", msg)
            elif severity == trt.ILogger.Severity.WARNING:
                log.warning("TensorRT: %s", msg)

        def _text(self) -> str:
            return (self._errors[-1].strip().splitlines() or [""])[0] if self._errors else "it gave no reason"

    return Listener()


def last_error(logger: Any) -> str:
    """The last error that TensorRT sent to our logger."""
    return str(logger._text())


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
