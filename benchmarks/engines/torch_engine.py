"""torch runs a system's own modules: a reference for the other engines, and a check of the exported files.

Modes: ``eager``; ``compile`` (``torch.compile``, Inductor); ``cuda-graphs`` (eager's kernels, recorded once and
replayed). The latter two want fixed shapes: batches are padded to ``sizes`` and sliced, and each graph and size gets a
program of its own, made on its first use. *Bound*: graphs times sizes programs. ``torch.compile`` on one
module would keep its programs in a cache that silently stops after eight of them; so each program is compiled from its
own graph (``torch.export``), as a whole or not at all.

On the CPU eager and compile run in the tests; **cuda-graphs, and anything on a GPU, has not been run.**
"""

import copy
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.base import Arrays, check_inputs, check_outputs, example_inputs
from engines.bundle import Bundle
from engines.cuda_errors import brief, cuda_failure
from engines.errors import BundleError, EngineClosed, EngineError, EngineFailed, EngineUnavailable
from engines.manifest import GraphSpec
from engines.rows import SIZES, cut, join, pad, padded_size

if TYPE_CHECKING:
    import torch

MODES: Final = ("eager", "compile", "cuda-graphs")
COMPILERS: Final = ("g++", "clang++", "gcc", "cl")
WARM_RUNS: Final = 3  # before a recording: libraries set up handles and workspaces in their first runs

Program = Callable[..., Any]


class TorchGraph(Protocol):
    """The part of ``towers.system.GraphModule`` that an engine needs: ``inputs`` in the order of ``forward``."""

    @property
    def module(self) -> Any: ...
    @property
    def inputs(self) -> Mapping[str, Any]: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...


class TorchEngine:
    """``modules`` are the bundle's graphs in torch; they are copied, so later changes to them have no effect.

    ``device`` is torch's name, ``cpu`` or ``cuda:0``. ``threads`` is the number of torch's threads during a run (on the
    CPU); the old number is restored afterwards. It belongs to the process, so one run at a time: another call
    waits.

    Raises ``EngineUnavailable`` where torch, its compiler or the device is missing, ``BundleError`` for modules with
    other inputs or outputs than the bundle's.
    """

    def __init__(
        self,
        bundle: Bundle,
        modules: Mapping[str, TorchGraph],
        device: str = "cpu",
        mode: str = "eager",
        sizes: Sequence[int] = SIZES,
        threads: int = 1,
    ) -> None:
        if threads < 1:
            raise EngineError(f"threads is {threads}, must be at least 1")
        if not sizes or sizes[0] < 1 or any(low >= high for low, high in pairwise(sizes)):
            raise EngineError(f"sizes are {list(sizes)}, must be positive and ascend")
        check_modules(bundle, modules)
        if reason := missing(device, mode):
            raise EngineUnavailable(f"engine {engine_name(device, mode)}: {reason}")
        self._bundle = bundle
        self._device = device
        self._mode = mode
        self._sizes = tuple(sizes)
        self._threads = threads
        self._orders = {graph: tuple(modules[graph].inputs) for graph in bundle.manifest.graphs}
        self._outputs = {graph: modules[graph].outputs for graph in bundle.manifest.graphs}
        self._lock = threading.Lock()
        self._programs: dict[tuple[str, int], Program] = {}
        try:
            self._modules: dict[str, Any] | None = {
                graph: copy.deepcopy(modules[graph].module).eval().to(device) for graph in bundle.manifest.graphs
            }
        except RuntimeError as error:
            raise EngineUnavailable(str(cuda_failure(error, f"engine {self.name}"))) from error

    @property
    def name(self) -> str:
        return engine_name(self._device, self._mode)

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    @property
    def programs(self) -> int:
        """Programs compiled or recorded so far, at most graphs times sizes."""
        with self._lock:
            return len(self._programs)

    def spec(self, graph: str) -> GraphSpec:
        return self._bundle.spec(graph)

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        spec = self.spec(graph)
        rows = check_inputs(spec, inputs)
        with self._lock:
            if self._modules is None:
                raise EngineClosed(f"engine {self.name} is closed; open another")
            try:
                with thread_count(self._threads):
                    outputs = self._run(graph, inputs, rows)
            except Exception as error:  # torch, Inductor and CUDA share no narrower class
                where = f"engine {self.name}: graph {graph}, batch {rows}"
                if self._device == "cpu":
                    raise EngineFailed(f"{where}: {brief(error)}; use another mode or engine") from error
                raise cuda_failure(error, where) from error
        check_outputs(spec, outputs, rows)
        return outputs

    def _run(self, graph: str, inputs: Arrays, rows: int) -> dict[str, NDArray[Any]]:
        if self._mode == "eager":
            return self._part(graph, inputs, rows, rows)
        return join(
            [
                self._part(graph, part, count, padded_size(count, self._sizes))
                for part, count in cut(inputs, self._sizes[-1])
            ]
        )

    def _part(self, graph: str, inputs: Arrays, rows: int, size: int) -> dict[str, NDArray[Any]]:
        import torch

        with torch.inference_mode():
            tensors = [tensor(pad(inputs[name], size), self._device) for name in self._orders[graph]]
            result = self._program(graph, size, tensors)(*tensors)
            values = result if isinstance(result, tuple | list) else (result,)
            names = self._outputs[graph]
            # copy: an output of an eager module may share memory with its input, the next run overwrites a recorded one
            return {key: value.cpu().numpy()[:rows].copy() for key, value in zip(names, values, strict=True)}

    def _program(self, graph: str, size: int, tensors: "list[torch.Tensor]") -> Program:
        """The program of ``graph`` for ``size`` rows; made from these tensors on its first use."""
        assert self._modules is not None
        module: Program = self._modules[graph]
        if self._mode == "eager":
            return module
        key = (graph, size)
        if key not in self._programs:
            make = compile_module if self._mode == "compile" else Recorded
            self._programs[key] = make(module, tensors)
        return self._programs[key]

    def warmup(self) -> None:
        """Run every graph; with ``compile`` and ``cuda-graphs`` at every size, which may take minutes."""
        for graph in self._bundle.manifest.graphs:
            for size in self._sizes[:1] if self._mode == "eager" else self._sizes:
                self.run(graph, example_inputs(self.spec(graph), size))

    def close(self) -> None:
        with self._lock:
            self._modules = None
            self._programs.clear()


class Recorded:
    """A module's kernels for the shapes of ``examples``, recorded once and replayed over fixed buffers.

    The recipe is that of torch's notes on CUDA graphs: warm up on a side stream, record, copy in, replay.
    """

    def __init__(self, module: Program, examples: "list[torch.Tensor]") -> None:
        import torch

        self._inputs = [example.clone() for example in examples]
        device = self._inputs[0].device
        side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(WARM_RUNS):
                module(*self._inputs)
        torch.cuda.current_stream(device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = module(*self._inputs)

    def __call__(self, *tensors: "torch.Tensor") -> Any:
        """The recorded outputs, which the next call overwrites."""
        for buffer, value in zip(self._inputs, tensors, strict=True):
            buffer.copy_(value)
        self._graph.replay()
        return self._outputs


def compile_module(module: Program, examples: "list[torch.Tensor]") -> Program:
    """``module`` by Inductor for the shapes of ``examples`` alone, without a fallback to eager."""
    import torch

    with torch.inference_mode(False), torch.no_grad():  # tensors made in inference mode cannot be traced
        plain = tuple(example.clone() for example in examples)
        whole = torch.export.export(module, plain, strict=False).module()  # type: ignore[arg-type]
    program: Program = torch.compile(whole, dynamic=False, fullgraph=True)
    return program


def probe(device: str = "cpu", mode: str = "eager") -> str | None:
    """Why torch cannot run here in this mode, or None after it really computed something."""
    if reason := missing(device, mode):
        return reason
    import torch

    try:
        with torch.inference_mode():
            x = torch.tensor([[1.0, -2.0]], device=device)
            module = torch.nn.ReLU().to(device)
            make: Callable[[Program, list[torch.Tensor]], Program] = {
                "eager": lambda module, examples: module,
                "compile": compile_module,
                "cuda-graphs": Recorded,
            }[mode]
            result = make(module, [x])(x).cpu().tolist()
    except Exception as error:  # noqa: BLE001 - the reason is the answer
        return f"torch fails at a first sum ({brief(error)}); reinstall torch, or use another engine"
    return None if result == [[1.0, 0.0]] else f"torch computes wrong results on {device}; test its memory"


def missing(device: str, mode: str) -> str | None:
    """Why this device or mode is not available, or None; runs nothing. ``EngineError`` for unknown names."""
    if mode not in MODES:
        raise EngineError(f"mode is {mode}, must be one of {', '.join(MODES)}")
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and (kind == "cpu" or not number.isdigit())):
        raise EngineError(f"device is {device}, must be cpu or cuda:NUMBER")
    if mode == "cuda-graphs" and kind == "cpu":
        raise EngineError("mode is cuda-graphs, which device cpu does not have; use cuda:0, or compile")
    try:
        import torch
    except ImportError as error:
        return f'torch is not installed ({brief(error)}); pip install ".[train]"'
    if kind == "cuda":
        if torch.version.cuda is None:
            return f"torch {torch.__version__} here is built without CUDA; install a build with it, see pytorch.org"
        if not torch.cuda.is_available():
            return (
                f"torch {torch.__version__} finds no GPU; install NVIDIA's driver, in a container pass the GPU through"
            )
        if int(number or 0) >= torch.cuda.device_count():
            return f"there is no {device}, only {torch.cuda.device_count()} GPU(s); name another device"
    if mode == "compile":
        if kind == "cuda" and find_spec("triton") is None:
            return "torch.compile needs the compiler package triton for a GPU; pip install triton"
        if kind == "cpu" and not compiler():
            return "torch.compile needs a C++ compiler for the CPU, there is none; install g++"
    return None


def compiler() -> str | None:
    """The C++ compiler that Inductor would find: ``$CXX`` or one on the path."""
    requested = os.environ.get("CXX")
    return (
        shutil.which(requested)
        if requested
        else next((path for name in COMPILERS if (path := shutil.which(name))), None)
    )


def check_modules(bundle: Bundle, modules: Mapping[str, TorchGraph]) -> None:
    for graph, spec in bundle.manifest.graphs.items():
        where = f"bundle {bundle.path}: graph {graph}"
        if graph not in modules:
            raise BundleError(
                f"{where}: has no module, there are {', '.join(modules) or 'none'}; name the bundle's run"
            )
        for side, expected, actual in (
            ("inputs", spec.inputs, tuple(modules[graph].inputs)),
            ("outputs", spec.outputs, modules[graph].outputs),
        ):
            names = [tensor.name for tensor in expected]
            if sorted(names) != sorted(actual):
                raise BundleError(
                    f"{where}: {side} are {', '.join(names)}, the module's {', '.join(actual)}; name the bundle's run"
                )


def engine_name(device: str, mode: str) -> str:
    return f"torch-{device.replace(':', '-')}-{mode}"


def tensor(array: NDArray[Any], device: str) -> "torch.Tensor":
    """``array`` on ``device``; torch takes no read-only arrays and no negative strides."""
    import torch

    whole = np.ascontiguousarray(array)
    return torch.from_numpy(whole if whole.flags.writeable else whole.copy()).to(device)


@contextmanager
def thread_count(count: int) -> Iterator[None]:
    """torch with ``count`` threads, then with as many as before."""
    import torch

    before = torch.get_num_threads()
    if before != count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if before != count:
            torch.set_num_threads(before)
