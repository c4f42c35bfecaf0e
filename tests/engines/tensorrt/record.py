"""Writes ``signatures.json``: names and signatures of TensorRT's full Python binding, of which the lean runtime that CI
installs has only the running half.

The binding (``tensorrt-cu13-bindings``) wants three libraries of several GB that no machine without a GPU needs. It
asks them for nine functions, none of which is called on import: this script compiles empty libraries of these names
with the system's C compiler, loads them, imports the binding and reads its documentation strings. So

    pip install --no-deps tensorrt-cu13-bindings==11.4.0.106
    python tests/engines/tensorrt/record.py

makes the file anew; a test does the same wherever binding and compiler are there, and compares.
"""

import ctypes
import importlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
RECORD = HERE / "signatures.json"
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
FUNCTIONS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
# Whatever our files touch, whole classes each, so that a name that does not exist is known not to.
CLASSES = (
    "Builder",
    "IBuilderConfig",
    "INetworkDefinition",
    "ILayer",
    "ITensor",
    "LayerType",
    "OnnxParser",
    "ParserError",
    "IOptimizationProfile",
    "ITimingCache",
    "IHostMemory",
    "IProgressMonitor",
    "ILogger",
    "Runtime",
    "ICudaEngine",
    "IExecutionContext",
    "BuilderFlag",
    "MemoryPoolType",
    "HardwareCompatibilityLevel",
    "DataType",
    "TensorIOMode",
    "ExecutionContextAllocationStrategy",
)
# And what TensorRT for RTX alone has.
RTX_CLASSES = (
    *CLASSES,
    "ComputeCapability",
    "CudaGraphStrategy",
    "DynamicShapesKernelSpecializationStrategy",
    "EngineInvalidityDiagnostics",
    "EngineValidity",
    "IRuntimeCache",
    "IRuntimeConfig",
)


def full_binding() -> ModuleType | None:
    """The real binding over empty libraries; None where it or a compiler is not there."""
    compiler = shutil.which("cc")
    if compiler is None or importlib.util.find_spec("tensorrt_bindings") is None:
        return None
    code = "".join(f"void *{name}(void) {{ return 0; }}\n" for name in FUNCTIONS)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "empty.c"
        source.write_text(code)
        for name in LIBRARIES:
            file = Path(folder) / f"lib{name}.so.11"
            command = [compiler, "-shared", "-fPIC", f"-Wl,-soname,{file.name}", "-o", str(file), str(source)]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
        return importlib.import_module("tensorrt_bindings")


def as_json(api: Any) -> dict[str, Any]:
    """One line a class in the file: ``asdict`` with its tuples as lists."""
    made: dict[str, Any] = json.loads(json.dumps(asdict(api)))
    return made


def main() -> int:
    sys.path.insert(0, str(HERE))
    contract = importlib.import_module("contract")
    binding = full_binding()
    if binding is None:
        print("needs tensorrt-cu13-bindings and a C compiler (cc)", file=sys.stderr)  # noqa: T201
        return 2
    data = as_json(contract.read_pybind(binding, CLASSES))
    RECORD.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
