"""TensorRT and CUDA as Python modules: loading them, the GPU that they find, and what their errors mean.

Written for TensorRT 11, TensorRT for RTX 1.7 and cuda-python 13 against their signatures, which tests hold; it never
ran on a GPU. Throughout these files ``trt`` is the module ``tensorrt`` or ``tensorrt_rtx_bindings``, and ``cuda`` is
``cuda.bindings.runtime``, loaded on demand. Their objects are annotated with a class where the modules do not tell it,
and a test follows these annotations to compare every name and every call with the real modules.
"""

import importlib
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .errors import EngineFailed, EngineUnavailable
from .plan_cache import version_tuple
from .tensorrt_flavour import PLAIN, Flavour, Gpu

if TYPE_CHECKING:
    import tensorrt
    from cuda.bindings import runtime as cudart

LISTENER: Final = "_segue_listener"  # what our logger is called in the module of TensorRT
MESSAGES: Final = 8  # how many of TensorRT's errors are kept for an error's text

log = logging.getLogger("segue.engines")


@dataclass(frozen=True)
class Libraries:
    """The two modules, and which TensorRT it is; tests put stand-ins here. ``cuda`` is None where plans are only
    built, for GPUs that are elsewhere."""

    trt: Any
    cuda: Any
    flavour: Flavour = PLAIN


class CudaFault(EngineFailed):
    """A CUDA call that failed. ``code`` is CUDA's name for it, ``lasting`` whether the device is lost with it."""

    def __init__(self, text: str, code: str, lasting: bool) -> None:
        super().__init__(text)
        self.code = code
        self.lasting = lasting


def load_libraries(flavour: Flavour = PLAIN) -> Libraries:
    """Import both; raises ``EngineUnavailable`` that says which one is missing or too old, and how to get it."""
    return Libraries(load_builder(flavour).trt, load_cuda(flavour), flavour)


def load_builder(flavour: Flavour) -> Libraries:
    """TensorRT alone, without CUDA: enough to build plans for GPUs that are elsewhere."""
    trt = load_module(flavour.module, flavour.package, flavour)
    version = str(trt.__version__)
    if version_tuple(version)[: len(flavour.least)] < flavour.least:
        least = ".".join(map(str, flavour.least))
        raise EngineUnavailable(
            f"{flavour.title} {version} is installed, this segue needs {least} or later; {flavour.cure}"
        )
    return Libraries(trt, None, flavour)


def load_cuda(flavour: Flavour) -> Any:
    return load_module("cuda.bindings.runtime", "cuda-python", flavour)


def load_module(name: str, package: str, flavour: Flavour) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise EngineUnavailable(f"the package {package} is not installed; {flavour.cure}") from None
    except Exception as error:  # each cause raises another kind: a library that the package lacks, a driver too old
        raise EngineUnavailable(
            f"the package {package} cannot be loaded: {first_line(error)}; {flavour.cure}"
        ) from error


def find_gpu(libraries: Libraries, device: int) -> Gpu:
    """The GPU of this number, chosen; ``EngineUnavailable`` where there is none or no driver."""
    cuda = libraries.cuda
    gpu = describe_gpu(cuda, device)
    try:
        unwrap(cuda, cuda.cudaSetDevice(device), f"choosing GPU {device}")
    except CudaFault as fault:
        raise EngineUnavailable(str(fault)) from fault
    return gpu


def describe_gpu(cuda: Any, device: int) -> Gpu:
    """The GPU of this number, asked without being chosen; ``EngineUnavailable`` where there is none or no driver."""
    try:
        count = int(unwrap(cuda, cuda.cudaGetDeviceCount(), "counting GPUs"))
        if not 0 <= device < count:
            raise EngineUnavailable(f"GPU {device} is not there: this machine has {count}; name another device")
        properties: cudart.cudaDeviceProp = unwrap(
            cuda, cuda.cudaGetDeviceProperties(device), f"describing GPU {device}"
        )
    except CudaFault as fault:
        raise EngineUnavailable(driver_text(cuda, fault)) from fault
    name = bytes(properties.name).split(b"\0")[0].decode("utf-8", "replace")
    return Gpu(index=device, name=name, capability=f"{int(properties.major)}.{int(properties.minor)}")


def driver_text(cuda: Any, fault: CudaFault) -> str:
    """The text of a fault; where CUDA finds the driver insufficient, whether there is none or an old one."""
    if fault.code != text_of(cuda.cudaGetErrorName(cuda.cudaError_t.cudaErrorInsufficientDriver)):
        return str(fault)
    status, version = cuda.cudaDriverGetVersion()
    if status != cuda.cudaError_t.cudaSuccess or not version:
        return (
            f"there is no NVIDIA driver ({fault.code}); install one for CUDA 13 and see that nvidia-smi lists the GPU"
        )
    known = f"{int(version) // 1000}.{int(version) % 1000 // 10}"
    return f"the NVIDIA driver is for CUDA {known}, too old ({fault.code}); install one for CUDA 13"


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
    """A logger for TensorRT: errors and warnings to ours, the last errors kept (``last_error``) for an exception.

    One for a loaded library, which goes with it: TensorRT keeps the first logger that it is given for as long as any
    of its objects lives, and sends the words of all of them there.
    """
    listener = vars(trt).get(LISTENER) or vars(trt).setdefault(LISTENER, make_listener(trt))
    listener._errors.clear()
    return listener


def make_listener(trt: Any) -> Any:
    """A logger of TensorRT's own class, which is known only once it is loaded."""

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
