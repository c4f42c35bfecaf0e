"""Every engine and precision there is, opened if it runs here, else with the reason. None is left out silently: the
program's own engines are those of its list.

The runtimes are imported when they are opened: a machine without torch or CUDA can still run the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.errors import BenchError
from engines.base import Engine
from engines.bundle import Bundle
from engines.choose import AUTO, CPU, NAMES, OPENERS, EngineOptions
from engines.errors import EngineError
from engines.manifest import PRECISIONS

from .material import Twins

REFERENCE: Final = CPU
FLOAT32: Final = PRECISIONS[0]
GPU_SIZES: Final = (1, 8, 32, 128)
TRITON: Final = "triton"  # the server knows the precision
FOR_GPUS: Final = (FLOAT32, "float16")
NO_RUN: Final = "needs the weights in torch; name the run with --run"


@dataclass(frozen=True)
class Setting:
    """What engines need to open. ``twins``: the modules in torch, and their bundle; ``plans``: where TensorRT keeps
    its plans; ``url``: of a Triton server."""

    bundle: Bundle
    twins: Twins | None = None
    plans: Path | None = None
    url: str | None = None
    sizes: Sequence[int] = (1, 2, 4, 8, 16, 32)


Opener = Callable[[Setting, str], Engine]


@dataclass(frozen=True)
class Kind:
    """``precisions``: those it can run in, if the bundle has them. ``gpu``: it needs one. ``torch``: it runs the
    modules, not the bundle's files."""

    name: str
    open: Opener
    precisions: tuple[str, ...] = (FLOAT32,)
    gpu: bool = False
    torch: bool = False


@dataclass(frozen=True)
class Contender:
    """``engine``: None if it cannot run here; then ``reason`` says why."""

    name: str
    precision: str
    engine: Engine | None
    reason: str = ""
    gpu: bool = False
    torch: bool = False

    @property
    def ready(self) -> Engine:
        assert self.engine is not None
        return self.engine

    def runs(self, graph: str) -> bool:
        """Whether ``graph`` really runs in this precision; where the bundle has no such file it runs in float32."""
        used = getattr(self.engine, "precision_of", None)
        return used is None or used(graph) == self.precision

    @property
    def title(self) -> str:
        return self.name if self.precision == FLOAT32 else f"{self.name} {self.precision}"


def named(name: str) -> Opener:
    """The program's own engine of that name, opened as the program opens it."""

    def open_engine(setting: Setting, precision: str) -> Engine:
        options = EngineOptions(
            precision=precision, triton=setting.url, plans=setting.plans, sizes=tuple(setting.sizes)
        )
        return OPENERS[name](setting.bundle, options)

    return open_engine


def torch_opener(device: str, mode: str) -> Opener:
    def open_engine(setting: Setting, precision: str) -> Engine:
        from .torch_engine import TorchEngine

        if setting.twins is None:
            raise BenchError(NO_RUN)
        return TorchEngine(setting.twins.bundle, setting.twins.modules, device, mode, setting.sizes)

    return open_engine


EXPORTED: Final = tuple(name for name in NAMES if name not in (AUTO, REFERENCE))  # on a GPU, or a server that has one
KINDS: Final = (
    Kind(REFERENCE, named(REFERENCE), PRECISIONS),
    Kind("torch-eager", torch_opener("cpu", "eager"), torch=True),
    Kind("torch-compile", torch_opener("cpu", "compile"), torch=True),
    *(Kind(name, named(name), (FLOAT32,) if name == TRITON else FOR_GPUS, gpu=True) for name in EXPORTED),
    Kind("torch-cuda-eager", torch_opener("cuda:0", "eager"), gpu=True, torch=True),
    Kind("torch-cuda-compile", torch_opener("cuda:0", "compile"), gpu=True, torch=True),
    Kind("torch-cuda-graphs", torch_opener("cuda:0", "cuda-graphs"), gpu=True, torch=True),
)


def choose_kinds(names: str) -> tuple[Kind, ...]:
    """``all``, or names with commas between. ``BenchError`` for an unknown name."""
    if names == "all":
        return KINDS
    requested = [name.strip() for name in names.split(",") if name.strip()]
    known = {kind.name: kind for kind in KINDS}
    if unknown := [name for name in requested if name not in known]:
        raise BenchError(f"--engines {names}: no engine {', '.join(unknown)}; there are {', '.join(known)} and all")
    return tuple(known[name] for name in dict.fromkeys(requested))


def open_contenders(
    kinds: Sequence[Kind], setting: Setting, skip_reason: Callable[[Kind], str] = lambda kind: ""
) -> list[Contender]:
    """Each kind in each of its precisions, warm. ``skip_reason`` may return a reason not to try one."""
    contenders: list[Contender] = []
    for kind in kinds:
        for precision in kind.precisions:
            reason, engine = skip_reason(kind), None
            if not reason:
                engine, reason = attempt(kind, setting, precision)
            contenders.append(Contender(kind.name, precision, engine, reason, kind.gpu, kind.torch))
            if engine is None and precision == FLOAT32:
                break  # the other precisions would fail for the same reason
    return contenders


def attempt(kind: Kind, setting: Setting, precision: str) -> tuple[Any, str]:
    """(engine, "") or (None, the reason)."""
    try:
        engine = kind.open(setting, precision)
    except (EngineError, BenchError) as error:
        return None, str(error).splitlines()[0]
    except ImportError as error:
        return None, f"{error.name or error} cannot be imported; install what this engine needs"
    try:
        for graph in engine.bundle.manifest.graphs:
            engine.spec(graph)
    except EngineError as error:
        engine.close()
        return None, str(error).splitlines()[0]
    return engine, ""
