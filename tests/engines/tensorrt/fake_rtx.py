"""What the stand-in has more where it stands in for TensorRT for RTX: the runtime's half alone.

Builder and parser of the real package run on any machine, and other tests use them. A plan here is the ONNX file with a
header that names version and compute capabilities; ``plan_of`` makes one.
"""

import enum
import json
import weakref
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

VERSION = "1.7.1.116"
PROFILES = ((1, 1, 1), (8, 16, 32))


def plan_of(
    fake: ModuleType,
    onnx: bytes,
    inputs: Mapping[str, Sequence[int]],
    version: str = VERSION,
    capabilities: Sequence[str] = ("8.0", "8.6", "8.9", "12.0", "12.1"),
) -> bytes:
    """A plan of these bytes; ``inputs``: each input's shape behind the batch."""
    profiles = [{name: [[rows, *rest] for rows in profile] for name, rest in inputs.items()} for profile in PROFILES]
    header = {"version": version, "capabilities": list(capabilities), "profiles": profiles}
    text = json.dumps(header).encode()
    return bytes(fake.MAGIC) + len(text).to_bytes(4, "big") + text + onnx


def make_machine(fake: ModuleType, **options: Any) -> Any:
    """A computer with a graphics card and TensorRT for RTX; ``old_runtime``, ``little_memory`` may be set on it."""
    machine = fake.Machine(**({"gpu": "NVIDIA GeForce Imaginary", "capability": (8, 9), "version": VERSION} | options))
    machine.diagnosis = 0  # what speaks against every plan
    machine.cache_works, machine.cache_raises = True, False
    extend(fake, machine)
    return machine


def extend(fake: ModuleType, machine: Any) -> None:
    """Give the machine's TensorRT the classes and methods that only TensorRT for RTX has."""
    need, plain = fake.need, machine.classes

    class EngineValidity(enum.IntEnum):
        VALID = 0
        SUBOPTIMAL = 1
        INVALID = 2

    class EngineInvalidityDiagnostics(enum.IntEnum):
        VERSION_MISMATCH = 1
        UNSUPPORTED_CC = 2
        OLD_CUDA_DRIVER = 4
        OLD_CUDA_RUNTIME = 8
        INSUFFICIENT_GPU_MEMORY = 16
        MALFORMED_ENGINE = 32
        CUDA_ERROR = 64

    class CudaGraphStrategy(enum.IntEnum):
        DISABLED = 0
        WHOLE_GRAPH_CAPTURE = 1

    class DynamicShapesKernelSpecializationStrategy(enum.IntEnum):
        LAZY = 0
        EAGER = 1
        NONE = 2

    class IRuntimeCache(fake.Strict):  # type: ignore[name-defined,misc]
        """``_kernels``: how many were compiled."""

        def __init__(self) -> None:
            self._machine, self._kernels = machine, 0
            machine.objects.add(self)

        def deserialize(self, blob: bytes) -> bool:
            need(type(blob) is bytes, "deserialize takes bytes")
            if machine.cache_raises:
                raise RuntimeError("a cache of another driver")
            kind, _, count = blob.partition(b"|")
            if kind != f"{machine.version} {machine.gpu}".encode():
                return False
            self._kernels = int(count)
            return True

        def serialize(self) -> Any:
            if machine.fails("serialize"):
                return None
            return plain.IHostMemory(f"{machine.version} {machine.gpu}|{self._kernels}".encode())

    class IRuntimeConfig(fake.Strict):  # type: ignore[name-defined,misc]
        _settable = ("cuda_graph_strategy", "dynamic_shapes_kernel_specialization_strategy")

        def __init__(self) -> None:
            self._machine, self._cache = machine, None
            self.cuda_graph_strategy = CudaGraphStrategy.DISABLED
            self.dynamic_shapes_kernel_specialization_strategy = DynamicShapesKernelSpecializationStrategy.LAZY
            machine.objects.add(self)

        def create_runtime_cache(self) -> Any:
            return None if machine.fails("create_runtime_cache") else IRuntimeCache()

        def set_runtime_cache(self, cache: Any = None) -> bool:
            need(isinstance(cache, IRuntimeCache), "set_runtime_cache")
            if machine.fails("set_runtime_cache") or not machine.cache_works:
                return False
            self._cache = weakref.ref(cache)
            return True

    class ICudaEngine(plain.ICudaEngine):  # type: ignore[name-defined,misc]
        def create_runtime_config(self) -> Any:
            return None if machine.fails("create_runtime_config") else IRuntimeConfig()

        def create_execution_context(self, runtime_config: Any = None) -> Any:
            need(isinstance(runtime_config, IRuntimeConfig), "a context without its runtime configuration")
            need(
                runtime_config.cuda_graph_strategy is CudaGraphStrategy.WHOLE_GRAPH_CAPTURE,
                "CUDA graphs of the runtime are not asked for",
            )
            if machine.fails("create_execution_context"):
                return None
            if runtime_config._cache is not None:
                cache = runtime_config._cache()
                need(cache is not None, "the runtime cache was let go before a context")
                cache._kernels += 1
            return plain.IExecutionContext(self)

    class Runtime(plain.Runtime):  # type: ignore[name-defined,misc]
        def get_engine_validity(self, buffer: bytes) -> Any:
            need(type(buffer) is bytes, "get_engine_validity takes bytes")
            found = machine.diagnosis or diagnosis(buffer)
            return (EngineValidity.INVALID if found else EngineValidity.VALID), int(found)

        def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
            need(type(serialized_engine) is bytes, "deserialize_cuda_engine takes bytes")
            if machine.fails("deserialize_cuda_engine") or diagnosis(serialized_engine):
                return self._refuse("it is not a plan for here")
            header, onnx = unpack(serialized_engine)
            return ICudaEngine(self, header, fake.session_of(onnx))

    def unpack(plan: bytes) -> tuple[Any, bytes]:
        size = int.from_bytes(plan[4:8], "big")
        return json.loads(plan[8 : 8 + size]), plan[8 + size :]

    def diagnosis(plan: bytes) -> int:
        try:
            header, _ = unpack(plan)
        except ValueError:
            return EngineInvalidityDiagnostics.MALFORMED_ENGINE
        if header["version"] != machine.version:
            return EngineInvalidityDiagnostics.VERSION_MISMATCH
        if ".".join(map(str, machine.capability)) not in header["capabilities"]:
            return EngineInvalidityDiagnostics.UNSUPPORTED_CC
        return 0

    for kind in (
        EngineValidity,
        EngineInvalidityDiagnostics,
        CudaGraphStrategy,
        DynamicShapesKernelSpecializationStrategy,
        IRuntimeCache,
        IRuntimeConfig,
        ICudaEngine,
        Runtime,
    ):
        setattr(machine.classes, kind.__name__, kind)
        setattr(type(machine.trt), kind.__name__, kind)
    del type(machine.trt).Builder, type(machine.trt).OnnxParser  # the real ones are used
