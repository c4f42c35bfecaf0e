"""Which engine runs a bundle here: the one that was asked for, or by ``auto`` the fastest that really works.

Working is shown, not assumed: an engine is opened, warmed up, asked for one clip whose answer must be the CPU's, and
timed. ``auto`` tries them in the order of ``ORDER`` and takes the first unless a later one is clearly faster. Why each
of the others was passed over is kept. A name is a name: an engine that was asked for by its own and cannot be had is an
error, never another engine.
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
ORDER: Final = ("tensorrt", "onnx-cuda", "triton", CPU)
NAMES: Final = (AUTO, CPU, "onnx-cuda", "tensorrt", "triton")
RUNS: Final = 10
RUNS_S: Final = 0.5  # no further run after so long
CLEARLY: Final = 0.9  # of the time of one that comes before
AGREE: Final = 0.99  # cosine with the CPU's answer; parity is export's, this finds a device that computes nonsense

log = logging.getLogger("segue.engine")

Clock = Callable[[], float]


@dataclass(frozen=True)
class EngineOptions:
    """``threads`` of the CPU; ``device`` is CUDA's number; ``triton`` a server's address, without which there is none;
    ``plans``: TensorRT's cache, None for the user's own; ``sizes``: batch sizes that CUDA is made ready for, None for
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
    """What came of one engine. ``engine``: its own name, empty where it could not be opened. ``clip_ms``: the median
    time of one clip, None where it was not timed. ``reason``: why it was passed over, or taken."""

    name: str
    engine: str
    clip_ms: float | None
    reason: str

    def line(self) -> str:
        said = self.name if self.clip_ms is None else f"{self.name} ({self.clip_ms:.2f} ms a clip)"
        return f"{said}: {self.reason}"


@dataclass(frozen=True)
class Choice:
    """``engine`` is open and warm. ``trials``: all that were tried, in order, and ``name`` is that of the one taken."""

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


def open_tensorrt(bundle: Bundle, options: EngineOptions) -> Engine:
    from .tensorrt_engine import TensorrtEngine

    return TensorrtEngine(bundle, options.device, options.plans, options.precision)


def open_triton(bundle: Bundle, options: EngineOptions) -> Engine:
    if options.triton is None:
        raise EngineUnavailable("no server was named; --triton URL names one")
    from .triton_engine import TritonEngine

    return TritonEngine(bundle, options.triton)


OPENERS: Final[Mapping[str, Opener]] = {
    "tensorrt": open_tensorrt,
    "onnx-cuda": open_cuda,
    "triton": open_triton,
    CPU: open_cpu,
}


def open_engine(
    bundle: Bundle,
    asked: str = AUTO,
    options: EngineOptions | None = None,
    openers: Mapping[str, Opener] = OPENERS,
    fallback: FallbackOptions | None = None,
) -> Engine:
    """``choose`` and ``with_reserve`` in one. Raises what they raise."""
    options = options or EngineOptions()
    return with_reserve(choose(bundle, asked, options, openers), bundle, options, openers, fallback)


def with_reserve(
    choice: Choice,
    bundle: Bundle,
    options: EngineOptions,
    openers: Mapping[str, Opener] = OPENERS,
    fallback: FallbackOptions | None = None,
) -> Engine:
    """The chosen engine, said in the log, with the CPU behind it unless it is the CPU itself."""
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
    asked: str = AUTO,
    options: EngineOptions | None = None,
    openers: Mapping[str, Opener] = OPENERS,
    clock: Clock = time.perf_counter,
) -> Choice:
    """The engine to use. Raises ``EngineError`` for a name that is none, ``EngineUnavailable`` for one that cannot be
    had here, ``BundleError`` for a bundle that cannot be run at all."""
    options = options or EngineOptions()
    if asked not in NAMES:
        raise EngineError(f"engine {asked[:40]!r} is none of {', '.join(NAMES)}; segue doctor shows what works here")
    if asked != AUTO:
        engine = opened(asked, bundle, options, openers)
        return Choice(engine, asked, (Trial(asked, engine.name, None, "taken, as asked for"),))
    return fastest(bundle, options, openers, clock)


def fastest(bundle: Bundle, options: EngineOptions, openers: Mapping[str, Opener], clock: Clock) -> Choice:
    """The first of ``ORDER`` that works here, unless a later one is clearly faster. All others are closed."""
    found: dict[str, tuple[Engine, float]] = {}
    reasons: dict[str, str] = {}
    # The CPU in float32 first: it is what others are compared with, and a bundle that it cannot open is the user's to
    # mend.
    plain = opened(CPU, bundle, replace(options, precision=FLOAT32), openers)
    try:
        inputs = clip_inputs(plain)
        expected = plain.run(timed(bundle), inputs)
        if options.precision == FLOAT32:
            found[CPU] = plain, clip_ms(plain, inputs, clock)
        for name in ORDER:
            if name in found or (name == "triton" and options.triton is None):
                continue
            try:
                found[name] = in_time(partial(tried, name, bundle, options, openers, inputs, expected, clock), options)
            except Exception as error:  # noqa: BLE001 - whatever a runtime raises, it is the reason
                reasons[name] = words(error)
        best = preferred({name: found[name][1] for name in ORDER if name in found})
        if best is None:
            raise EngineUnavailable("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
    except BaseException:
        for engine, _ in found.values():
            engine.close()
        plain.close()
        raise
    kept = found[best][0]
    for engine in (plain, *(engine for engine, _ in found.values())):
        if engine is not kept:
            engine.close()
    return Choice(kept, best, tuple(report(found, reasons, best)))


def preferred(times_ms: Mapping[str, float]) -> str | None:
    """Of engines in their order the first, unless one behind it is clearly faster; None of none."""
    best: str | None = None
    for name, ms in times_ms.items():
        if best is None or ms < CLEARLY * times_ms[best]:
            best = name
    return best


def report(found: Mapping[str, tuple[Engine, float]], reasons: Mapping[str, str], best: str) -> list[Trial]:
    """A trial for each engine that was looked at, in order."""
    trials = []
    for name in ORDER:
        if name in reasons:
            trials.append(Trial(name, "", None, f"passed over: {reasons[name]}"))
        elif name in found:
            engine, ms = found[name]
            others = len(found) > 1
            taken = "taken, the fastest that works here" if others else "taken, the only one that works here"
            why = f"passed over: not clearly faster than {best} ({found[best][1]:.2f} ms)" if name != best else taken
            trials.append(Trial(name, engine.name, ms, why))
    return trials


def opened(name: str, bundle: Bundle, options: EngineOptions, openers: Mapping[str, Opener]) -> Engine:
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
        raise EngineUnavailable(f"engine {name} opens and then fails: {words(error)}; see segue doctor") from error
    return engine


def tried(
    name: str,
    bundle: Bundle,
    options: EngineOptions,
    openers: Mapping[str, Opener],
    inputs: Arrays,
    expected: Arrays,
    clock: Clock,
) -> tuple[Engine, float]:
    """The engine, warm, after its answer for one clip was seen to be the CPU's; and the time of a clip in ms."""
    engine = opened(name, bundle, options, openers)
    try:
        likeness = alike(engine.run(timed(bundle), inputs), expected)
        if not likeness >= AGREE:
            raise EngineFailed(f"its answer for a clip is not the CPU's (cosine {likeness:.3f}); test the device")
        return engine, clip_ms(engine, inputs, clock)
    except BaseException:
        engine.close()
        raise


def in_time(trial: Callable[[], tuple[Engine, float]], options: EngineOptions) -> tuple[Engine, float]:
    """The trial's outcome; ``EngineUnavailable`` after ``open_s``. One that hangs is left to a thread of its own, and
    what it opens after all is closed there."""
    worker = TimeoutWorker("trial of an engine")
    future = worker.post(trial)
    try:
        return future.result(options.open_s)
    except TimeoutError:
        if future.done() and future.exception() is not None:  # the trial's own
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


def alike(found: Arrays, expected: Arrays) -> float:
    """The smallest cosine between the outputs of two engines, over outputs and rows; two zeros are alike."""
    least = 1.0
    for name, array in expected.items():
        one, other = array.reshape(len(array), -1).astype(float), found[name].reshape(len(array), -1).astype(float)
        norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        same = np.all(one == other, axis=1)
        least = min(least, float(np.where(same, 1.0, (one * other).sum(axis=1) / np.maximum(norms, 1e-30)).min()))
    return least


def timed(bundle: Bundle) -> str:
    """The graph that engines are compared on: each live session runs it every second."""
    return bundle.graphs.video_towers[0].name


def clip_inputs(engine: Engine) -> dict[str, NDArray[Any]]:
    """One clip that is not nothing: every number different, bytes from 0 to 255, floats from 0 to 1. Zeros for a tower
    that does not take that."""
    spec = engine.spec(timed(engine.bundle))
    inputs = ramps(spec)
    try:
        engine.run(spec.name, inputs)
    except EngineError:
        return example_inputs(spec)
    return inputs


def ramps(spec: GraphSpec) -> dict[str, NDArray[Any]]:
    made = example_inputs(spec)
    for array in made.values():
        if array.dtype == np.uint8:
            array[...] = (np.arange(array.size) * 7 % 256).reshape(array.shape)
        elif array.dtype == np.float32:
            array[...] = np.linspace(0, 1, array.size, dtype=np.float32).reshape(array.shape)
    return made


def clip_ms(engine: Engine, inputs: Arrays, clock: Clock = time.perf_counter) -> float:
    """Median time of one clip, in milliseconds, of up to ``RUNS`` runs within ``RUNS_S``."""
    graph = timed(engine.bundle)
    begun_s = clock()
    times_s: list[float] = []
    while not times_s or (len(times_s) < RUNS and clock() - begun_s < RUNS_S):
        start_s = clock()
        engine.run(graph, inputs)
        times_s.append(clock() - start_s)
    return 1000 * statistics.median(times_s)


def missing(error: ImportError) -> str:
    return f"the package {(error.name or str(error)).partition('.')[0]} is not installed"


def words(error: BaseException) -> str:
    """One line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
