"""What error texts of CUDA, cuBLAS, cuDNN and the runtimes above them mean: memory, device, or neither.

The runtimes raise plain ``RuntimeError`` and the like, with CUDA's words somewhere inside; the error tells nothing
else. The words are those of ``cudaGetErrorString`` and of the status names of cuBLAS and cuDNN.
"""

import re
from typing import Final

from .errors import EngineFailed

OUT_OF_MEMORY: Final = (
    "out of memory",
    "out_of_memory",
    "failed to allocate memory",
    "smaller than requested bytes",  # ONNX Runtime's arena at its limit
    "status_alloc_failed",
    "bad_alloc",
)
NO_DEVICE: Final = (
    "libcuda.so",
    "nvcuda.dll",
    "no cuda-capable device",
    "no nvidia driver",
    "driver version is insufficient",
    "invalid device ordinal",
    "not compiled with cuda",
)
LOST: Final = (
    "illegal memory access",
    "illegal instruction",
    "illegal address",
    "misaligned address",
    "invalid program counter",
    "hardware stack error",
    "unspecified launch failure",
    "launch timed out",
    "device-side assert",
    "ecc error",
    "gpu is lost",
    "devices are busy or unavailable",
    "driver shutting down",
    "unknown error",
    "status_execution_failed",
    "status_internal_error",
)


def cuda_failure(error: BaseException, where: str) -> EngineFailed:
    """The named error for a run that failed in CUDA; ``where`` says which engine, graph and batch."""
    text = str(error).lower()
    if isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY):
        return EngineFailed(
            f"{where}: the GPU has no memory left ({brief(error)}); use smaller batches, or free it of other programs"
        )
    if any(words in text for words in (*LOST, *NO_DEVICE)):
        return EngineFailed(
            f"{where}: the GPU was lost ({brief(error)}); use another engine, and restart this program: CUDA does not "
            "recover within a process"
        )
    return EngineFailed(f"{where}: {brief(error)}; use another engine")


# How ONNX Runtime reports a failed CUDA call, between the C++ function and the host, file and expression.
CALL: Final = re.compile(r"\bC[A-Z]+ failure -?\d+: [^;\n]+")


def brief(error: BaseException, limit: int = 200) -> str:
    """The CUDA call that failed, where a runtime's text names one, or else the first line of the text."""
    text = str(error).strip() or type(error).__name__
    call = CALL.search(text)
    line = call.group().strip() if call else text.splitlines()[0].strip()
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
