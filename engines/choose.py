"""Which engine runs a bundle here: the one that is named, or by ``auto`` the fastest that really works.

That an engine works is tested: it is opened and warmed up, its output for one clip is compared with the CPU's, and it
is timed. ``auto`` tries them in the order of ``ORDER``, on graphics cards of ``CONSUMER_ORDER``, and takes the first
unless a later one is clearly faster. It keeps the reason why each of the others was passed over. A named engine that
cannot be opened is an error; no other engine takes its place.
"""

import logging
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import Arrays, Engine, example_inputs
from .bundle import FLOAT32, Bundle
from .errors import EngineError, EngineFailed, EngineUnavailable
from .fallback import FallbackEngine, FallbackOptions
from .manifest import GraphSpec
from .rows import SIZES
from .timeout_worker import TimeoutWorker

AUTO: Final = "auto"
CPU: Final = "onnx-cpu"
ORDER: Final = ("tensorrt", "tensorrt-rtx", "onnx-cuda", "triton", CPU)
CONSUMER_ORDER: Final = ("tensorrt-rtx", "tensorrt", "onnx-cuda", "triton", CPU)  # where the GPU is a graphics card
BY_NAME: Final = ("onnx-rtx",)  # compiles every graph at each start, so only where it is asked for
NAMES: Final = (AUTO, CPU, "onnx-cuda", *BY_NAME, "tensorrt", "tensorrt-rtx", "triton")
RUNS: Final = 10
RUNS_S: Final = 0.5  # no further run after so long
CLEARLY: Final = 0.9  # of the time of an earlier engine
AGREE: Final = 0.99  # cosine with the CPU's answer; export checks parity, this detects devices that compute nonsense

log = logging.getLogger("segue.engine")

Clock = Callable[[], float]


@dataclass(frozen=True)
class EngineOptions:
    """``threads`` of the CPU; ``device`` is CUDA's number; ``triton`` a server's address, None for no server;
    ``plans``: TensorRT's cache, None for the user's own; ``sizes``: batch sizes that CUDA prepares for, None for
    its own. ``fallback``: whether the CPU stands behind another engine.
    ``open_s``: how long ``auto`` waits for each to open; a name waits as long as it takes."""

    threads: int = 1
    device: int = 0
    precision: str = FLOAT32
    triton: str | None = None
    plans: Path | None = None
    sizes: tuple[int, ...] | None = None
    fallback: bool = True
    open_s: float = 60.0


@dataclass(frozen=True)
class Trial:
    """The result of one engine's trial. ``engine``: its own name, empty where it could not be opened. ``clip_ms``: the
    median time of one clip, None where it was not timed. ``reason``: why it was passed over or taken."""

    name: str
    engine: str
    clip_ms: float | None
    reason: str

    def line(self) -> str:
        label = self.name if self.clip_ms is None else f"{self.name} ({self.clip_ms:.2f} ms a clip)"
        return f"{label}: {self.reason}"


@dataclass(frozen=True)
class Choice:
    """``engine`` is open and warm. ``trials``: of all engines that were tried, in order; ``name``: of the chosen
    one."""

    engine: Engine
    name: str
    trials: tuple[Trial, ...]


Opener = Callable[[Bundle, EngineOptions], Engine]


def open_cpu(bundle: Bundle, options: EngineOptions) -> Engine:
    from .onnx_engine import OnnxEngine

    return OnnxEngine(bundle, options.threads, options.precision)


def open_cuda(bundle: Bundle, options: EngineOptions) -> Engine:
    from .onnx_cuda import OnnxCudaEngine

    return OnnxCudaEngine(bundle, options.device, options.precision, options.sizes or SIZES)


def open_rtx_plugin(bundle: Bundle, options: EngineOptions) -> Engine:
    from .onnx_rtx import OnnxRtxEngine

    return OnnxRtxEngine(bundle, options.device, options.precision)


def open_tensorrt(bundle: Bundle, options: EngineOptions) -> Engine:
    from .tensorrt_engine import TensorrtEngine

    return TensorrtEngine(bundle, options.device, options.plans, options.precision)


def open_tensorrt_rtx(bundle: Bundle, options: EngineOptions) -> Engine:
    from .tensorrt_engine import TensorrtEngine
    from .tensorrt_rtx import RTX

    return TensorrtEngine(bundle, options.device, options.plans, options.precision, flavour=RTX)


def open_triton(bundle: Bundle, options: EngineOptions) -> Engine:
    if options.triton is None:
        raise EngineUnavailable("no server was named; --triton URL names one")
    from .triton_engine import TritonEngine

    return TritonEngine(bundle, options.triton)


OPENERS: Final[Mapping[str, Opener]] = {
    "tensorrt": open_tensorrt,
    "tensorrt-rtx": open_tensorrt_rtx,
    "onnx-cuda": open_cuda,
    "onnx-rtx": open_rtx_plugin,
    "triton": open_triton,
    CPU: open_cpu,
}


@dataclass(frozen=True)
class Preference:
    """The order in which ``auto`` tries engines, and why."""

    order: tuple[str, ...]
    reason: str


def preference(device: int = 0) -> Preference:
    """TensorRT for RTX before TensorRT on graphics cards, the other way round on data-centre cards and where no GPU can
    be asked."""
    from .graphics_card import graphics_card

    is_card, reason = graphics_card(device)
    return Preference(CONSUMER_ORDER if is_card else ORDER, reason)


def open_engine(
    bundle: Bundle,
    name: str = AUTO,
    options: EngineOptions | None = None,
    openers: Mapping[str, Opener] = OPENERS,
    fallback: FallbackOptions | None = None,
) -> Engine:
    """``choose`` and ``with_reserve`` in one. Raises what they raise."""
    options = options or EngineOptions()
    return with_reserve(choose(bundle, name, options, openers), bundle, options, openers, fallback)


def with_reserve(
    choice: Choice,
    bundle: Bundle,
    options: EngineOptions,
    openers: Mapping[str, Opener] = OPENERS,
    fallback: FallbackOptions | None = None,
) -> Engine:
    """The chosen engine, named in the log, with the CPU behind it unless it is the CPU itself."""
    for trial in choice.trials:
        log.info("engine %s", trial.line())
    if choice.name == CPU or not options.fallback:
        return choice.engine
    try:
        reserve = openers[CPU](bundle, EngineOptions(threads=options.threads))
        reserve.warmup()
    except BaseException:
        choice.engine.close()
        raise
    return FallbackEngine(choice.engine, reserve, fallback, lambda: openers[choice.name](bundle, options))


def choose(
    bundle: Bundle,
    name: str = AUTO,
    options: EngineOptions | None = None,
    openers: Mapping[str, Opener] = OPENERS,
    clock: Clock = time.perf_counter,
    prefer: Callable[[int], Preference] = preference,
) -> Choice:
    """The engine to use. Raises ``EngineError`` for an unknown name, ``EngineUnavailable`` for an engine that cannot
    be opened here, ``BundleError`` for a bundle that cannot be run at all."""
    options = options or EngineOptions()
    if name not in NAMES:
        raise EngineError(f"engine {name[:40]!r} is none of {', '.join(NAMES)}; segue doctor shows what works here")
    if name != AUTO:
        engine = open_warm(name, bundle, options, openers)
        return Choice(engine, name, (Trial(name, engine.name, None, "taken, as asked for"),))
    return fastest(bundle, options, openers, clock, prefer(options.device).order)


def fastest(
    bundle: Bundle, options: EngineOptions, openers: Mapping[str, Opener], clock: Clock, order: tuple[str, ...]
) -> Choice:
    """The first of ``order`` that works here, unless a later one is clearly faster. All others are closed."""
    working: dict[str, tuple[Engine, float]] = {}
    reasons: dict[str, str] = {}
    # The CPU in float32 first: others are compared with it, and a bundle that it cannot open is for the user to mend.
    plain = open_warm(CPU, bundle, replace(options, precision=FLOAT32), openers)
    try:
        inputs = clip_inputs(plain)
        expected = plain.run(timed_graph(bundle), inputs)
        if options.precision == FLOAT32:
            working[CPU] = plain, clip_ms(plain, inputs, clock)
        for name in order:
            if name in working or (name == "triton" and options.triton is None):
                continue
            try:
                working[name] = in_time(
                    partial(try_engine, name, bundle, options, openers, inputs, expected, clock), options
                )
            except Exception as error:  # noqa: BLE001 - whatever a runtime raises, it is the reason
                reasons[name] = first_line(error)
        best = preferred({name: working[name][1] for name in order if name in working})
        if best is None:
            raise EngineUnavailable("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
    except BaseException:
        for engine, _ in working.values():
            engine.close()
        plain.close()
        raise
    chosen = working[best][0]
    for engine in (plain, *(engine for engine, _ in working.values())):
        if engine is not chosen:
            engine.close()
    return Choice(chosen, best, tuple(report(working, reasons, best, order)))


def preferred(times_ms: Mapping[str, float]) -> str | None:
    """The first of the engines, unless a later one is clearly faster; None where there are none."""
    best: str | None = None
    for name, ms in times_ms.items():
        if best is None or ms < CLEARLY * times_ms[best]:
            best = name
    return best


def report(
    working: Mapping[str, tuple[Engine, float]], reasons: Mapping[str, str], best: str, order: tuple[str, ...]
) -> list[Trial]:
    """A trial for each engine that was tried, in order."""
    trials = []
    for name in order:
        if name in reasons:
            trials.append(Trial(name, "", None, f"passed over: {reasons[name]}"))
        elif name in working:
            engine, ms = working[name]
            if name != best:
                reason = f"passed over: not clearly faster than {best} ({working[best][1]:.2f} ms)"
            elif len(working) > 1:
                reason = "taken, the fastest that works here"
            else:
                reason = "taken, the only one that works here"
            trials.append(Trial(name, engine.name, ms, reason))
    return trials


def open_warm(name: str, bundle: Bundle, options: EngineOptions, openers: Mapping[str, Opener]) -> Engine:
    """The engine, warm. Raises ``EngineUnavailable`` where it cannot be opened or does not run the bundle's graphs."""
    try:
        engine = openers[name](bundle, options)
    except ImportError as error:
        if name == CPU:
            raise  # the command says which extra brings it
        raise EngineUnavailable(f"engine {name}: {missing(error)}") from error
    try:
        engine.warmup()
    except BaseException as error:
        engine.close()
        if isinstance(error, EngineError) or not isinstance(error, Exception):
            raise
        raise EngineUnavailable(f"engine {name} opens and then fails: {first_line(error)}; see segue doctor") from error
    return engine


def try_engine(
    name: str,
    bundle: Bundle,
    options: EngineOptions,
    openers: Mapping[str, Opener],
    inputs: Arrays,
    expected: Arrays,
    clock: Clock,
) -> tuple[Engine, float]:
    """The engine, warm, and the time of a clip in ms. Raises ``EngineFailed`` where its output for one clip is not the
    CPU's."""
    engine = open_warm(name, bundle, options, openers)
    try:
        likeness = least_cosine(engine.run(timed_graph(bundle), inputs), expected)
        if not likeness >= AGREE:
            raise EngineFailed(f"its answer for a clip is not the CPU's (cosine {likeness:.3f}); test the device")
        return engine, clip_ms(engine, inputs, clock)
    except BaseException:
        engine.close()
        raise


def in_time(trial: Callable[[], tuple[Engine, float]], options: EngineOptions) -> tuple[Engine, float]:
    """The trial's outcome; ``EngineUnavailable`` after ``open_s``. A trial that hangs stays in a thread of its own; an
    engine that it opens later is closed there."""
    worker = TimeoutWorker("trial of an engine")
    future = worker.post(trial)
    try:
        return future.result(options.open_s)
    except TimeoutError:
        if future.done() and future.exception() is not None:  # raised by the trial itself
            raise
        future.add_done_callback(close_late)
        raise EngineUnavailable(
            f"not ready within {options.open_s:g} s; --engine with its name waits as long as it takes"
        ) from None
    finally:
        worker.close(lambda: None, 0.0)


def close_late(future: "Future[tuple[Engine, float]]") -> None:
    if not future.cancelled() and future.exception() is None:
        future.result()[0].close()


def least_cosine(outputs: Arrays, expected: Arrays) -> float:
    """The smallest cosine between the outputs of two engines, over outputs and rows; two zeros are alike."""
    least = 1.0
    for name, array in expected.items():
        left, right = array.reshape(len(array), -1).astype(float), outputs[name].reshape(len(array), -1).astype(float)
        norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
        same = np.all(left == right, axis=1)
        least = min(least, float(np.where(same, 1.0, (left * right).sum(axis=1) / np.maximum(norms, 1e-30)).min()))
    return least


def timed_graph(bundle: Bundle) -> str:
    """The graph that engines are compared by: each live session runs it every second."""
    return bundle.graphs.video_towers[0].name


def clip_inputs(engine: Engine) -> dict[str, NDArray[Any]]:
    """One clip in which every number differs: bytes from 0 to 255, floats from 0 to 1. Zeros for a tower that does not
    take that."""
    spec = engine.spec(timed_graph(engine.bundle))
    inputs = ramps(spec)
    try:
        engine.run(spec.name, inputs)
    except EngineError:
        return example_inputs(spec)
    return inputs


def ramps(spec: GraphSpec) -> dict[str, NDArray[Any]]:
    inputs = example_inputs(spec)
    for array in inputs.values():
        if array.dtype == np.uint8:
            array[...] = (np.arange(array.size) * 7 % 256).reshape(array.shape)
        elif array.dtype == np.float32:
            array[...] = np.linspace(0, 1, array.size, dtype=np.float32).reshape(array.shape)
    return inputs


def clip_ms(engine: Engine, inputs: Arrays, clock: Clock = time.perf_counter) -> float:
    """Median time of one clip, in milliseconds, of up to ``RUNS`` runs within ``RUNS_S``."""
    graph = timed_graph(engine.bundle)
    begun_s = clock()
    times_s: list[float] = []
    while not times_s or (len(times_s) < RUNS and clock() - begun_s < RUNS_S):
        start_s = clock()
        engine.run(graph, inputs)
        times_s.append(clock() - start_s)
    return 1000 * statistics.median(times_s)


def missing(error: ImportError) -> str:
    return f"the package {(error.name or str(error)).partition('.')[0]} is not installed"


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its class."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
