# ruff: noqa: N815 - the names are the real ones
"""A strict stand-in for TensorRT and the CUDA runtime, for the logic of our engine where there is no GPU.

It refuses (``Misuse``) what the real ones answer with undefined behaviour: names that they do not have, arguments of
another type, calls in another order, memory that is not there, not pinned or too small, things destroyed while in use.
Work put on a stream is done when the stream is waited for, so who reads too early reads zeros. A plan is the ONNX file
with a header, and a context computes its real outputs with ONNX Runtime. What it cannot tell: whether the real ones
agree with it. That its names and parameters are the real ones' is held by a test. Of parser and builder it has only
what an engine needs to come to its plans: what they refuse, and how a build is followed and stopped, is asked of the
real ones, which TensorRT for RTX has for machines without a GPU (``test_rtx_builds.py``).

``Machine.fail_at`` makes one call, by its number, fail in the way of its kind.
"""

import ctypes
import enum
import functools
import itertools
import json
import sys
import threading
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort

from engines.onnx_engine import session_options

VERSION = "11.4.0.106"
MAGIC = b"PLAN"
TYPES = {"tensor(float)": ("FLOAT", "float32"), "tensor(uint8)": ("UINT8", "uint8"), "tensor(bool)": ("BOOL", "bool")}


class Misuse(BaseException):
    """Our code did something that the real library would not forgive."""


class Strict:
    """Has the names it was given and no other, neither to read nor to set; notes who asked for which."""

    _settable: tuple[str, ...] = ()
    _machine: "Machine"

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_"):
            frame = sys._getframe(1)
            file = frame.f_code.co_filename
            if "/engines/" in file and "/tests/" not in file:
                machine = object.__getattribute__(self, "_machine")
                machine.touched.add((file.rpartition("/")[2], frame.f_lineno, name))
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in self._settable:
            raise Misuse(f"{type(self).__name__} has no {name} that may be set")
        object.__setattr__(self, name, value)


def need(condition: Any, what: str) -> None:
    if not condition:
        raise Misuse(what)


def alive(reference: Callable[[], Any], what: str) -> Any:
    """What a weak reference leads to: nothing here keeps alive what it was made by."""
    found = reference()
    need(found is not None, f"used after its {what} is gone")
    return found


class Machine:
    """One computer with ``count`` equal GPUs. ``calls`` names every call in order."""

    def __init__(
        self,
        gpu: str = "NVIDIA Imaginary",
        capability: tuple[int, int] = (9, 0),
        count: int = 1,
        memory: int = 1 << 30,
        version: str = VERSION,
        driver: int = 13000,
    ) -> None:
        self.gpu, self.capability, self.count, self.memory, self.version = gpu, capability, count, memory, version
        self.driver = driver
        self.calls: list[str] = []
        self.touched: set[tuple[str, int, str]] = set()
        self.fail_at: int | None = None
        self.failed = ""
        self.error = "cudaErrorIllegalAddress"
        self.stays_lost = False  # whether every CUDA call fails after the first that did
        self.lost = False
        self.capture_works = True
        self.replay_lies = False
        self.spoil: Callable[[str, np.ndarray], np.ndarray] = lambda name, array: array
        self.builds = 0
        self.late = False
        self.device = threading.local()
        self.addresses = itertools.count(0x7F00_0000_0000, 0x1000_0000)
        self.memories: dict[int, bytearray] = {}  # device
        self.pinned: dict[int, Any] = {}
        self.streams: dict[int, Stream] = {}
        self.graphs: set[int] = set()
        self.executables: dict[int, GraphExec] = {}
        self.objects: weakref.WeakSet[Any] = weakref.WeakSet()
        self.disorder: list[str] = []
        self.lock = threading.Lock()
        self.cuda = make_cuda(self)
        self.trt = make_trt(self)

    def fails(self, name: str) -> bool:
        """Count a call; whether it is the one that is to fail."""
        with self.lock:
            self.calls.append(name)
            if self.fail_at == len(self.calls) - 1:
                self.failed = name
                if self.stays_lost:
                    self.lost = True
                return True
        return False

    def leftovers(self) -> dict[str, int]:
        """What was taken and not given back."""
        everything = {
            "device memory": len(self.memories),
            "pinned memory": len(self.pinned),
            "streams": len(self.streams),
            "graphs": len(self.graphs),
            "executables": len(self.executables),
            "TensorRT objects": len(self.objects),
            "destroyed in the wrong order": len(self.disorder),
        }
        return {name: count for name, count in everything.items() if count}


class Stream(Strict):
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._handle = next(machine.addresses)
        self._queue: list[Callable[[], None]] = []
        self._capture: list[Callable[[], None]] | None = None
        self._capturer: threading.Thread | None = None

    def __int__(self) -> int:
        return self._handle

    def _put(self, work: Callable[[], None]) -> None:
        (self._queue if self._capture is None else self._capture).append(work)


class Graph(Strict):
    def __init__(self, machine: Machine, work: list[Callable[[], None]]) -> None:
        self._machine, self._work, self._id = machine, work, id(self)


class GraphExec(Strict):
    def __init__(self, machine: Machine, work: list[Callable[[], None]]) -> None:
        self._machine, self._work, self._alive = machine, work, True


class Properties(Strict):
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        object.__setattr__(self, "name", machine.gpu.encode() + b"\0" * 8)
        object.__setattr__(self, "major", machine.capability[0])
        object.__setattr__(self, "minor", machine.capability[1])


class CudaError(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101
    cudaErrorIllegalAddress = 700
    cudaErrorLaunchFailure = 719
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


class CopyKind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class CaptureMode(enum.IntEnum):
    cudaStreamCaptureModeGlobal = 0
    cudaStreamCaptureModeThreadLocal = 1
    cudaStreamCaptureModeRelaxed = 2


def make_cuda(machine: Machine) -> Any:
    """``cuda.bindings.runtime`` on this machine. Its functions return (status, values...), None for a failed value."""
    good = CudaError.cudaSuccess

    def guarded(values: int, quiet: bool = False, device: bool = True) -> Callable[[Callable[..., Any]], Any]:
        """A function with ``values`` results. ``device``: it acts on the thread's current GPU."""

        def wrap(function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
            def call(self: Any, *args: Any) -> tuple[Any, ...]:
                code: Any = None
                if not quiet:
                    if machine.fails(function.__name__) or machine.lost:
                        code = CudaError[machine.error]
                    elif machine.driver < 13000 and function.__name__ != "cudaDriverGetVersion":
                        code = CudaError.cudaErrorInsufficientDriver
                    elif device:
                        need(getattr(machine.device, "index", None) is not None, f"{function.__name__}: no GPU chosen")
                if code is not None and function.__name__ == "cudaStreamEndCapture":
                    args[0]._capture = None  # it ends whatever comes of it
                got = function(self, *args) if code is None else code
                if isinstance(got, CudaError):
                    return (got, *([None] * values))
                return (good, *((got,) if values else ()))

            call.__name__ = function.__name__
            call.__signature_of__ = function  # type: ignore[attr-defined]
            return call

        return wrap

    def capturing() -> bool:
        return any(stream._capture is not None for stream in machine.streams.values())

    def idle(what: str) -> None:
        need(not any(stream._queue for stream in machine.streams.values()), f"{what} while work is under way")

    class Cuda(Strict):
        cudaError_t = CudaError
        cudaMemcpyKind = CopyKind
        cudaStreamCaptureMode = CaptureMode
        cudaStreamNonBlocking = 1

        def __init__(self) -> None:
            self._machine = machine

        @guarded(1, device=False)
        def cudaGetDeviceCount(self) -> Any:
            return machine.count

        @guarded(0, device=False)
        def cudaSetDevice(self, device: int) -> Any:
            if type(device) is not int or not 0 <= device < machine.count:
                return CudaError.cudaErrorInvalidDevice
            machine.device.index = device
            return None

        @guarded(1, device=False)
        def cudaGetDeviceProperties(self, device: int) -> Any:
            return Properties(machine) if 0 <= device < machine.count else CudaError.cudaErrorInvalidDevice

        @guarded(1, device=False)
        def cudaDriverGetVersion(self) -> Any:
            return machine.driver

        @guarded(1, device=False)
        def cudaRuntimeGetVersion(self) -> Any:
            return 13050

        @guarded(1, quiet=True)
        def cudaGetErrorName(self, error: CudaError) -> Any:
            return error.name.encode()

        @guarded(1, quiet=True)
        def cudaGetErrorString(self, error: CudaError) -> Any:
            return b"something of the kind " + error.name.encode()

        @guarded(0, quiet=True)
        def cudaGetLastError(self) -> Any:
            return None

        @guarded(1)
        def cudaMalloc(self, size: int) -> Any:
            need(type(size) is int and size > 0, f"cudaMalloc of {size!r}")
            need(not capturing(), "cudaMalloc while a stream is captured")
            if sum(map(len, machine.memories.values())) + size > machine.memory:
                return CudaError.cudaErrorMemoryAllocation
            address = next(machine.addresses)
            machine.memories[address] = bytearray(size)
            return address

        @guarded(0)
        def cudaFree(self, devPtr: int) -> Any:
            idle("cudaFree")
            need(machine.memories.pop(devPtr, None) is not None, f"cudaFree of {devPtr!r}, which is not there")

        @guarded(1)
        def cudaHostAlloc(self, size: int, flags: int) -> Any:
            need(type(size) is int and size > 0 and flags == 0, f"cudaHostAlloc of {size!r}, {flags!r}")
            need(not capturing(), "cudaHostAlloc while a stream is captured")
            memory = (ctypes.c_uint8 * size)()
            machine.pinned[ctypes.addressof(memory)] = memory
            return ctypes.addressof(memory)

        @guarded(0)
        def cudaFreeHost(self, ptr: int) -> Any:
            idle("cudaFreeHost")
            need(machine.pinned.pop(ptr, None) is not None, f"cudaFreeHost of {ptr!r}, which is not there")

        @guarded(1)
        def cudaStreamCreateWithFlags(self, flags: int) -> Any:
            need(flags == 1, f"cudaStreamCreateWithFlags({flags!r}): a blocking stream")
            stream = Stream(machine)
            machine.streams[int(stream)] = stream
            return stream

        @guarded(0)
        def cudaStreamDestroy(self, stream: Stream) -> Any:
            need(not stream._queue and stream._capture is None, "cudaStreamDestroy while it is in use")
            need(machine.streams.pop(int(stream), None) is stream, "cudaStreamDestroy of one that is not there")

        @guarded(0)
        def cudaStreamSynchronize(self, stream: Stream) -> Any:
            known(stream)
            need(stream._capture is None, "cudaStreamSynchronize of a stream that is captured")
            work, stream._queue = stream._queue, []
            for step in work:
                step()

        @guarded(0)
        def cudaMemcpyAsync(self, dst: int, src: int, count: int, kind: CopyKind, stream: Stream) -> Any:
            known(stream)
            need(isinstance(kind, CopyKind) and type(count) is int, f"cudaMemcpyAsync of {count!r}, {kind!r}")
            host, device = (src, dst) if kind == CopyKind.cudaMemcpyHostToDevice else (dst, src)

            def copy() -> None:
                need(host in machine.pinned and len(machine.pinned[host]) == count, f"no pinned memory at {host:#x}")
                need(device in machine.memories and len(machine.memories[device]) == count, f"no memory at {device:#x}")
                if kind == CopyKind.cudaMemcpyHostToDevice:
                    machine.memories[device][:] = bytes(machine.pinned[host])
                else:
                    machine.pinned[host][:] = bytes(machine.memories[device])

            need(host in machine.pinned and device in machine.memories, "cudaMemcpyAsync between the wrong sides")
            stream._put(copy)

        @guarded(0)
        def cudaStreamBeginCapture(self, stream: Stream, mode: CaptureMode) -> Any:
            known(stream)
            need(isinstance(mode, CaptureMode), f"cudaStreamBeginCapture: mode {mode!r}")
            need(stream._capture is None and not stream._queue, "cudaStreamBeginCapture of a stream in use")
            stream._capture, stream._capturer = [], threading.current_thread()

        @guarded(1)
        def cudaStreamEndCapture(self, stream: Stream) -> Any:
            known(stream)
            need(stream._capture is not None, "cudaStreamEndCapture without a beginning")
            need(stream._capturer is threading.current_thread(), "cudaStreamEndCapture in another thread")
            work, stream._capture = stream._capture, None
            if not machine.capture_works:
                return CudaError.cudaErrorStreamCaptureInvalidated
            assert work is not None
            graph = Graph(machine, work)
            machine.graphs.add(graph._id)
            return graph

        @guarded(1)
        def cudaGraphInstantiate(self, graph: Graph, flags: int) -> Any:
            need(isinstance(graph, Graph) and graph._id in machine.graphs and flags == 0, "no such graph")
            executable = GraphExec(machine, list(graph._work))
            machine.executables[id(executable)] = executable
            return executable

        @guarded(0)
        def cudaGraphDestroy(self, graph: Graph) -> Any:
            need(graph._id in machine.graphs, "cudaGraphDestroy of one that is not there")
            machine.graphs.discard(graph._id)

        @guarded(0)
        def cudaGraphUpload(self, graphExec: GraphExec, stream: Stream) -> Any:
            known(stream)
            need(graphExec._alive, "cudaGraphUpload of a destroyed graph")

        @guarded(0)
        def cudaGraphLaunch(self, graphExec: GraphExec, stream: Stream) -> Any:
            known(stream)
            need(isinstance(graphExec, GraphExec) and graphExec._alive, "cudaGraphLaunch of a destroyed graph")
            for step in graphExec._work:
                stream._put(step)

        @guarded(0)
        def cudaGraphExecDestroy(self, graphExec: GraphExec) -> Any:
            idle("cudaGraphExecDestroy")
            need(machine.executables.pop(id(graphExec), None) is not None, "cudaGraphExecDestroy, but it is gone")
            graphExec._alive = False

    def known(stream: Any) -> None:
        need(isinstance(stream, Stream) and machine.streams.get(int(stream)) is stream, f"no stream {stream!r}")

    return Cuda()


def make_trt(machine: Machine) -> Any:
    """The module ``tensorrt`` on this machine."""

    class Severity(enum.Enum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    def enumeration(name: str, *members: str) -> Any:
        return enum.Enum(name, {member: index for index, member in enumerate(members)})

    BuilderFlag = enumeration("BuilderFlag", "TF32", "VERSION_COMPATIBLE")
    MemoryPoolType = enumeration("MemoryPoolType", "WORKSPACE")
    HardwareCompatibilityLevel = enumeration("HardwareCompatibilityLevel", "NONE", "SAME_COMPUTE_CAPABILITY")
    DataType = enumeration("DataType", "FLOAT", "HALF", "INT32", "BOOL", "UINT8", "BF16")
    LayerType = enumeration("LayerType", "MATRIX_MULTIPLY", "CONVOLUTION", "DECONVOLUTION")
    TensorIOMode = enumeration("TensorIOMode", "NONE", "INPUT", "OUTPUT")

    def fallible(failure: Any) -> Callable[[Callable[..., Any]], Any]:
        """A method that, when it is its turn to fail, gives ``failure``, or raises it if it is an exception."""

        def wrap(function: Callable[..., Any]) -> Any:
            def call(self: Any, *args: Any) -> Any:
                if machine.fails(function.__name__):
                    if isinstance(failure, Exception):
                        raise type(failure)(*failure.args)
                    return failure
                return function(self, *args)

            call.__name__ = function.__name__
            call.__signature_of__ = function  # type: ignore[attr-defined]
            return call

        return wrap

    class ILogger(Strict):
        def __init__(self) -> None:
            self._machine = machine
            self._ready = True

    ILogger.Severity = Severity  # type: ignore[attr-defined]

    class IProgressMonitor(Strict):
        def __init__(self) -> None:
            self._machine = machine
            self._ready = True

    def ready(thing: Any, kind: type) -> None:
        if not isinstance(thing, kind):
            raise TypeError(f"{thing!r} is no {kind.__name__}")
        need(getattr(thing, "_ready", False), f"{type(thing).__name__}: the base class's __init__ was not called")

    class IHostMemory(Strict):
        def __init__(self, data: bytes) -> None:
            self._machine, self._data = machine, data

        def __bytes__(self) -> bytes:
            return self._data

    class ITensor(Strict):
        def __init__(self, node: Any) -> None:
            self._machine, self._node = machine, node

        @property
        def name(self) -> str:
            return str(self._node.name)

        @property
        def dtype(self) -> Any:
            return DataType[TYPES[self._node.type][0]]

        @property
        def shape(self) -> Any:
            return [size if isinstance(size, int) else -1 for size in self._node.shape]

    class INetworkDefinition(Strict):
        """Its layers are not known here: the real parser's are looked at elsewhere."""

        num_layers = 0

        def __init__(self) -> None:
            self._machine, self._onnx = machine, b""
            self._parser: Callable[[], Any] = lambda: None

        @property
        def num_inputs(self) -> int:
            return len(session_of(self._onnx).get_inputs())

        @property
        def num_outputs(self) -> int:
            return len(session_of(self._onnx).get_outputs())

        def get_input(self, index: int) -> ITensor:
            return ITensor(session_of(self._onnx).get_inputs()[index])

        def get_output(self, index: int) -> ITensor:
            return ITensor(session_of(self._onnx).get_outputs()[index])

    class OnnxParser(Strict):
        def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
            ready(logger, ILogger)
            need(isinstance(network, INetworkDefinition), "OnnxParser without a network")
            self._machine, self._network = machine, network
            network._parser = weakref.ref(self)

        @property
        def num_errors(self) -> int:
            return 0  # what the parser says when it refuses is asked of the real one

        def parse(self, model: bytes, path: str | None = None) -> bool:
            need(type(model) is bytes, "parse takes bytes")
            if machine.fails("parse"):
                return False
            self._network._onnx = model
            return True

    class IOptimizationProfile(Strict):
        def __init__(self) -> None:
            self._machine = machine
            self._shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

        @fallible(ValueError("inconsistent shapes"))
        def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
            for shape in (min, opt, max):
                need(type(shape) is tuple and all(type(size) is int for size in shape), f"shape {shape!r}")
            if not all(low <= best <= high for low, best, high in zip(min, opt, max, strict=True)):
                raise ValueError("shapes do not ascend")
            self._shapes[input] = (min, opt, max)

    class ITimingCache(Strict):
        def __init__(self, data: bytes) -> None:
            self._machine, self._data = machine, data

        def serialize(self) -> IHostMemory:
            return IHostMemory(self._data)

    class IBuilderConfig(Strict):
        _settable = ("progress_monitor", "builder_optimization_level", "hardware_compatibility_level")

        def __init__(self) -> None:
            self._machine = machine
            self._flags = {BuilderFlag.TF32}  # on unless cleared, as it is there
            self._profiles: list[IOptimizationProfile] = []
            self._workspace: int | None = None
            self._timing: Callable[[], ITimingCache | None] | None = None
            self.progress_monitor: Any = None
            self.builder_optimization_level = 3
            self.hardware_compatibility_level = HardwareCompatibilityLevel.NONE

        @fallible(RuntimeError("no pool"))
        def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
            need(isinstance(pool, MemoryPoolType) and type(pool_size) is int, "set_memory_pool_limit")
            self._workspace = pool_size

        @fallible(RuntimeError("no flag"))
        def set_flag(self, flag: Any) -> None:
            need(isinstance(flag, BuilderFlag), f"set_flag({flag!r})")
            self._flags.add(flag)

        @fallible(RuntimeError("no flag"))
        def clear_flag(self, flag: Any) -> None:
            need(isinstance(flag, BuilderFlag), f"clear_flag({flag!r})")
            self._flags.discard(flag)

        @fallible(-1)
        def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
            need(isinstance(profile, IOptimizationProfile), "add_optimization_profile")
            self._profiles.append(profile)
            return len(self._profiles) - 1

        @fallible(None)
        def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
            return ITimingCache(serialized_timing_cache)

        @fallible(False)
        def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
            need(isinstance(cache, ITimingCache) and type(ignore_mismatch) is bool, "set_timing_cache")
            if cache._data and not cache._data.startswith(f"timing of {machine.gpu}".encode()):
                return False
            self._timing = weakref.ref(cache)
            return True

    class Builder(Strict):
        def __init__(self, logger: ILogger) -> None:
            ready(logger, ILogger)
            if machine.fails("Builder"):
                raise TypeError("pybind11::init(): factory function returned nullptr")
            need(getattr(machine.device, "index", None) is not None, "Builder: no GPU chosen")
            self._machine, self._logger = machine, logger

        @fallible(None)
        def create_network(self, flags: int = 0) -> INetworkDefinition:
            return INetworkDefinition()

        @fallible(None)
        def create_builder_config(self) -> IBuilderConfig:
            return IBuilderConfig()

        @fallible(None)
        def create_optimization_profile(self) -> IOptimizationProfile:
            return IOptimizationProfile()

        @fallible(None)
        def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
            need(network._onnx, "build_serialized_network before anything was parsed")
            need(network._parser(), "build_serialized_network after the parser, which has the weights, is gone")
            timing = config._timing() if config._timing is not None else None
            need(config._timing is None or timing, "build_serialized_network after its timing cache is gone")
            need(config._profiles and config._workspace is not None, "build_serialized_network before set-up")
            session = session_of(network._onnx)
            names = {node.name for node in session.get_inputs()}
            for profile in config._profiles:
                if set(profile._shapes) != names:
                    self._logger.log(Severity.ERROR, "a profile lacks an input")
                    return None
            ready(config.progress_monitor, IProgressMonitor)
            machine.builds += 1
            header = {
                "version": machine.version,
                "gpu": machine.gpu,
                "capability": machine.capability,
                "travels": config.hardware_compatibility_level.name,
                "host_code": BuilderFlag.VERSION_COMPATIBLE in config._flags,
                "tf32": BuilderFlag.TF32 in config._flags,
                "profiles": [profile._shapes for profile in config._profiles],
                "nonce": machine.builds,
            }
            if timing is not None:
                timing._data = f"timing of {machine.gpu}, build {machine.builds}".encode()
            text = json.dumps(header).encode()
            return IHostMemory(MAGIC + len(text).to_bytes(4, "big") + text + network._onnx)

    class Runtime(Strict):
        _settable = ("engine_host_code_allowed",)

        def __init__(self, logger: ILogger) -> None:
            ready(logger, ILogger)
            if machine.fails("Runtime"):
                raise TypeError("pybind11::init(): factory function returned nullptr")
            self._machine, self._heard = machine, weakref.ref(logger)
            self.engine_host_code_allowed = False
            machine.objects.add(self)

        @property
        def _logger(self) -> ILogger:
            return alive(self._heard, "logger")

        @fallible(None)
        def deserialize_cuda_engine(self, serialized_engine: bytes) -> "ICudaEngine | None":
            need(type(serialized_engine) is bytes, "deserialize_cuda_engine takes bytes")
            size = int.from_bytes(serialized_engine[4:8], "big")
            try:
                header = json.loads(serialized_engine[8 : 8 + size])
                session = session_of(serialized_engine[8 + size :])
            except Exception:  # noqa: BLE001 - a file that is no plan
                return self._refuse("the plan cannot be read")
            if header["host_code"] and not self.engine_host_code_allowed:
                return self._refuse("the plan holds host code, which is not allowed")
            if header["version"] != machine.version and not header["host_code"]:
                return self._refuse(f"the plan was built with {header['version']}, this is {machine.version}")
            if header["capability"] != list(machine.capability):
                return self._refuse("the plan is of another compute capability")
            if header["gpu"] != machine.gpu and header["travels"] == "NONE":
                return self._refuse("the plan is of another GPU")
            return ICudaEngine(self, header, session)

        def _refuse(self, why: str) -> None:
            self._logger.log(Severity.ERROR, why)

    class ICudaEngine(Strict):
        def __init__(self, runtime: Runtime, header: Any, session: Any) -> None:
            self._machine, self._maker, self._session = machine, weakref.ref(runtime), session
            self._profiles = header["profiles"]
            self._nodes = [*session.get_inputs(), *session.get_outputs()]
            self._count = len(session.get_inputs())
            machine.objects.add(self)

        @property
        def _runtime(self) -> Runtime:
            return alive(self._maker, "runtime")

        @property
        def num_io_tensors(self) -> int:
            return len(self._nodes)

        @property
        def num_optimization_profiles(self) -> int:
            return len(self._profiles)

        def __del__(self) -> None:
            if self._maker() is None:
                machine.disorder.append("an engine outlived its runtime")

        def get_tensor_name(self, index: int) -> str:
            need(type(index) is int and 0 <= index < len(self._nodes), f"no tensor {index!r}")
            return str(self._nodes[index].name)

        def get_tensor_shape(self, name: str) -> Any:
            return [size if isinstance(size, int) else -1 for size in self._node(name).shape]

        def get_tensor_dtype(self, name: str) -> Any:
            return DataType[TYPES[self._node(name).type][0]]

        def get_tensor_mode(self, name: str) -> Any:
            inputs = [node.name for node in self._nodes[: self._count]]
            return TensorIOMode.INPUT if name in inputs else TensorIOMode.OUTPUT

        @fallible(None)
        def create_execution_context(self) -> "IExecutionContext":
            return IExecutionContext(self)

        def _node(self, name: str) -> Any:
            found = [node for node in self._nodes if node.name == name]
            need(found, f"no tensor {name!r}")
            return found[0]

    class IExecutionContext(Strict):
        def __init__(self, engine: ICudaEngine) -> None:
            self._machine, self._maker = machine, weakref.ref(engine)
            self._profile: int | None = None
            self._shapes: dict[str, tuple[int, ...]] = {}
            self._addresses: dict[str, int] = {}
            self._settled: dict[str, tuple[int, ...]] | None = None  # shapes that it ran with outside a capture
            machine.objects.add(self)

        @property
        def _engine(self) -> ICudaEngine:
            return alive(self._maker, "engine")

        def __del__(self) -> None:
            if self._maker() is None:
                machine.disorder.append("a context outlived its engine")

        @fallible(False)
        def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
            need(type(stream_handle) is int and stream_handle in machine.streams, "set_optimization_profile_async")
            if not 0 <= profile_index < len(self._engine._profiles):
                return False
            self._profile, self._shapes = profile_index, {}
            return True

        @fallible(False)
        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            need(type(name) is str and type(shape) is tuple, f"set_input_shape({name!r}, {shape!r})")
            need(self._profile is not None, "set_input_shape before a profile was chosen")
            spans = self._engine._profiles[self._profile].get(name)
            if spans is None or not all(
                low <= n <= high for low, n, high in zip(spans[0], shape, spans[2], strict=True)
            ):
                self._engine._runtime._logger.log(Severity.ERROR, f"{name} of {shape} is outside the profile")
                return False
            self._shapes[name] = shape
            return True

        @fallible(RuntimeError("shapes cannot be inferred"))
        def infer_shapes(self) -> list[str]:
            names = [node.name for node in self._engine._nodes[: self._engine._count]]
            return [name for name in names if name not in self._shapes]

        @fallible(RuntimeError("no such tensor"))
        def get_tensor_shape(self, name: str) -> Any:
            need(not self._lacking(), "get_tensor_shape before the inputs' shapes are known")
            rows = next(iter(self._shapes.values()))[0]
            return [size if isinstance(size, int) else rows for size in self._engine._node(name).shape]

        @fallible(False)
        def set_tensor_address(self, name: str, memory: int) -> bool:
            need(type(memory) is int and memory in machine.memories, f"set_tensor_address({name!r}): no such memory")
            self._engine._node(name)
            self._addresses[name] = memory
            return True

        @fallible(False)
        def execute_async_v3(self, stream_handle: int) -> bool:
            need(type(stream_handle) is int and stream_handle in machine.streams, "execute_async_v3: no such stream")
            need(self._profile is not None and not self._lacking(), "execute_async_v3 before profile and shapes")
            lacking = {node.name for node in self._engine._nodes} - set(self._addresses)
            need(not lacking, f"execute_async_v3 before addresses of {lacking}")
            stream, me = machine.streams[stream_handle], weakref.ref(self)
            captured = stream._capture is not None
            need(not captured or self._settled == self._shapes, "captured before it ever ran with these shapes")
            self._settled = dict(self._shapes)

            def compute() -> None:
                context = me()
                need(context is not None, "a context was destroyed and its work runs")
                assert context is not None
                context._compute(captured)

            stream._put(compute)
            return True

        def _lacking(self) -> list[str]:
            return [node.name for node in self._engine._nodes[: self._engine._count] if node.name not in self._shapes]

        def _compute(self, captured: bool) -> None:
            engine = self._engine
            inputs = {}
            for node in engine._nodes[: engine._count]:
                memory = machine.memories.get(self._addresses[node.name])
                need(memory is not None, f"memory of {node.name} was freed")
                assert memory is not None
                array = np.frombuffer(bytes(memory), TYPES[node.type][1])
                need(array.size == np.prod(self._shapes[node.name]), f"memory of {node.name} has another size")
                inputs[node.name] = array.reshape(self._shapes[node.name])
            names = [node.name for node in engine._nodes[engine._count :]]
            for name, value in zip(names, engine._session.run(names, inputs), strict=True):
                value = machine.spoil(name, value)
                if captured and machine.replay_lies:
                    value = value + 1
                need(len(machine.memories[self._addresses[name]]) == value.nbytes, f"memory of {name} has another size")
                machine.memories[self._addresses[name]][:] = value.tobytes()

    class Trt(Strict):
        def __init__(self) -> None:
            self._machine = machine

    made = dict(locals())
    public = (
        "ILogger IProgressMonitor OnnxParser Builder Runtime BuilderFlag MemoryPoolType HardwareCompatibilityLevel "
        "DataType LayerType TensorIOMode"
    )
    for name in public.split():
        setattr(Trt, name, made[name])
    Trt.__version__ = machine.version  # type: ignore[attr-defined]
    module = Trt()
    machine.classes = SimpleNamespace(  # type: ignore[attr-defined]
        **{
            name: kind
            for name, kind in made.items()
            if isinstance(kind, type) and name[0] in "IOPBRMHDT" and name != "Trt"
        }
    )
    return module


@functools.lru_cache(maxsize=32)
def session_of(onnx: bytes) -> Any:
    return ort.InferenceSession(onnx, session_options(1), providers=["CPUExecutionProvider"])
