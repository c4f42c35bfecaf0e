"""A strict imitation of ``onnxruntime`` with a CUDA provider, as far as ``engines.onnx_binding`` uses it.

The numbers come from the real package on the CPU. What is imitated is the device: memory of its own that only
``update_inplace`` fills and only ``numpy`` reads, copies and runs that are not finished until they are waited for, CUDA
graphs that replay whatever addresses and shapes they were recorded with. Names, options and orders of calls that are
not known here raise ``Strict``, which is no ``Exception``: no handler may take it for a fault of the device.
"""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as real

OPTIONS = {"device_id", "gpu_mem_limit", "arena_extend_strategy", "enable_cuda_graph", "use_tf32"}
SESSION_ENTRIES = {"session.intra_op.allow_spinning", "session.disable_cpu_ep_fallback"}


class Strict(BaseException):
    """The code under test called what the real package would not understand, or in an order that reads old data."""


class FakeOrt:
    """Stands in for the module. ``fault`` is raised by the next run, ``open_fault`` by the next session;
    ``poison`` is written over the outputs; ``devices``: the GPUs there."""

    __version__ = real.__version__
    __file__ = real.__file__
    ExecutionMode = real.ExecutionMode

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.open_fault: Exception | None = None
        self.silent_fallback = False
        self.poison: float | None = None
        self.devices = 1
        self.captured: list[tuple[str, int]] = []
        self.replayed: list[tuple[str, int]] = []
        self.sessions: list[Session] = []
        self.running = threading.Lock()
        fake = self

        class SessionOptions(Options):
            pass

        class Run(RunOptions):
            pass

        class Value(OrtValue):
            ort = fake

        class Inference(Session):
            ort = fake

        self.SessionOptions, self.RunOptions, self.OrtValue, self.InferenceSession = (
            SessionOptions,
            Run,
            Value,
            Inference,
        )

    def __getattr__(self, name: str) -> Any:
        raise Strict(f"onnxruntime.{name} is not known here")

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        print("Failed to load libcublasLt.so.13")  # noqa: T201 - the real one prints as well, and must not be heard


class Known:
    """Refuses attributes that are not there already."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.__dict__ and not hasattr(type(self), name):
            raise Strict(f"{type(self).__name__}.{name} is not known here")
        object.__setattr__(self, name, value)


class Options(Known):
    intra_op_num_threads = inter_op_num_threads = log_severity_level = execution_mode = None

    def __init__(self) -> None:
        self.__dict__.update(entries={}, overrides={})

    def add_session_config_entry(self, key: str, value: str) -> None:
        if key not in SESSION_ENTRIES or type(value) is not str:
            raise Strict(f"session entry {key}={value!r}")
        self.entries[key] = value  # type: ignore[attr-defined]

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        self.overrides[name] = size  # type: ignore[attr-defined]


class RunOptions(Known):
    def __init__(self) -> None:
        self.__dict__.update(entries={})

    def add_run_config_entry(self, key: str, value: str) -> None:
        if key != "gpu_graph_id" or type(value) is not str:
            raise Strict(f"run entry {key}={value!r}")
        self.entries[key] = value  # type: ignore[attr-defined]


class OrtValue:
    ort: FakeOrt

    def __init__(self, shape: tuple[int, ...], dtype: Any, device: str) -> None:
        # Fresh memory of a device holds anything; 77 shows where something was read before it was written.
        self.memory = np.full(shape, 77, dtype)
        self.device, self.copying, self.computing = device, False, False

    @classmethod
    def ortvalue_from_shape_and_type(
        cls,
        shape: Any,
        element_type: Any,
        device_type: str = "cpu",
        device_id: int = 0,
    ) -> "OrtValue":
        if device_type != "cuda":
            raise Strict(f"a buffer on {device_type}")
        if device_id >= cls.ort.devices:
            raise RuntimeError("CUDA failure 101: invalid device ordinal ; GPU=0 ; hostname=box ; file=x.cc")
        return cls(shape, element_type, "cuda")

    def update_inplace(self, data: Any, /) -> None:  # by place alone: releases call it differently
        if self.device != "cuda" or data.dtype != self.memory.dtype or data.shape != self.memory.shape:
            raise Strict(f"update of {self.memory.dtype}{self.memory.shape} with {data.dtype}{data.shape}")
        self.memory[...] = data
        self.copying = True

    def numpy(self) -> Any:
        if self.computing:
            raise Strict("an output was read before synchronize_outputs")
        return self.memory.copy()

    def data_ptr(self) -> int:
        return int(self.memory.ctypes.data)


class Session:
    ort: FakeOrt

    def __init__(
        self,
        path_or_bytes: bytes,
        sess_options: Any = None,
        providers: Any = None,
        provider_options: Any = None,
        **kwargs: Any,
    ) -> None:
        (provider, options), *others = providers
        if provider != "CUDAExecutionProvider" or others or kwargs != {"enable_fallback": 0}:
            raise Strict(f"providers {providers}, {kwargs}")
        check_options(options)
        if sess_options.entries.get("session.disable_cpu_ep_fallback") != "1":
            raise Strict("a fallback to the CPU is not forbidden")
        if self.ort.open_fault is not None:
            fault, self.ort.open_fault = self.ort.open_fault, None
            raise fault
        inner = real.SessionOptions()
        inner.intra_op_num_threads = 1
        inner.log_severity_level = 4
        for name, size in sess_options.overrides.items():
            inner.add_free_dimension_override_by_name(name, size)
        self.inner = real.InferenceSession(path_or_bytes, inner, providers=["CPUExecutionProvider"])
        self.options = options
        self.recorded: dict[str, tuple[int, ...]] = {}
        self.ort.sessions.append(self)

    def get_providers(self) -> list[str]:
        return (
            ["CPUExecutionProvider"] if self.ort.silent_fallback else ["CUDAExecutionProvider", "CPUExecutionProvider"]
        )

    def get_inputs(self) -> Any:
        return self.inner.get_inputs()

    def get_outputs(self) -> Any:
        return self.inner.get_outputs()

    def io_binding(self) -> "Binding":
        return Binding(self)

    def run_with_iobinding(self, iobinding: "Binding", run_options: Any = None) -> None:
        if not self.ort.running.acquire(blocking=False):
            raise Strict("two runs at once: the one may be recording a CUDA graph")
        try:
            self._run(iobinding, run_options)
        finally:
            self.ort.running.release()

    def _run(self, binding: "Binding", run_options: Any) -> None:
        if binding.session is not self or any(value.copying for value in binding.inputs.values()):
            raise Strict("a run before synchronize_inputs, or with another session's binding")
        if self.ort.fault is not None:
            fault, self.ort.fault = self.ort.fault, None
            raise fault
        if set(binding.inputs) != {node.name for node in self.get_inputs()}:
            raise Strict(f"bound are {sorted(binding.inputs)}")
        graph = run_options.entries["gpu_graph_id"]
        addresses = tuple(value.data_ptr() for value in (*binding.inputs.values(), *binding.outputs.values()))
        label = (self.get_inputs()[0].name, int(graph))
        if graph not in self.recorded:
            self.recorded[graph] = addresses
            self.ort.captured.append(label)
        elif self.recorded[graph] != addresses:
            raise Strict("a replay with other buffers than were recorded")
        else:
            self.ort.replayed.append(label)
        names = list(binding.outputs)
        found = self.inner.run(names, {name: value.memory for name, value in binding.inputs.items()})
        for name, array in zip(names, found, strict=True):
            binding.outputs[name].memory[...] = array if self.ort.poison is None else self.ort.poison
            binding.outputs[name].computing = True


class Binding:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.inputs: dict[str, OrtValue] = {}
        self.outputs: dict[str, OrtValue] = {}

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        self.inputs[name] = ortvalue

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        self.outputs[name] = ortvalue

    def synchronize_inputs(self) -> None:
        for value in self.inputs.values():
            value.copying = False

    def synchronize_outputs(self) -> None:
        for value in self.outputs.values():
            value.computing = False


def check_options(options: Mapping[str, str]) -> None:
    if set(options) != OPTIONS or any(type(value) is not str for value in options.values()):
        raise Strict(f"provider options {dict(options)}")
    if options["enable_cuda_graph"] != "1" or options["arena_extend_strategy"] != "kSameAsRequested":
        raise Strict(f"provider options {dict(options)}")
    if int(options["gpu_mem_limit"]) <= 0:
        raise Strict("no bound on memory")
