"""The whole measurement, part by part."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchError
from benchmarks.harness import Report, Row
from engines.bundle import Bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES

from .batching import batching_rows, hop_rows
from .cold import REPEATS, cold_rows
from .contenders import FLOAT32, GPU_SIZES, REFERENCE, Contender, Kind, Setting, choose_kinds, open_contenders
from .gpu import gpu_environment, gpu_rows, missing
from .material import Twins, trained_twins, untrained_twins
from .parity import parity_rows
from .speed import speed_rows
from .timing import OwnLabels, on_one_core

Say = Callable[[str], None]
QUICK_OUT = {"torch-compile": "left out by --quick: compiling takes minutes"}
NO_TWINS = "left out by --quick, unless --run names the weights"


@dataclass(frozen=True)
class EngineBenchOptions:
    """``run``: what the bundle was exported from; without it, torch runs fresh weights of the default recipe, against a
    bundle exported from those. ``seconds``: of each graph, and of each other comparison. ``threads``: of the CPU engine
    for the comparison of batches on several cores, after the measurements on one; 1 skips it. ``memory_kept``:
    whether this process keeps the memory it frees (``keep_memory``), for the report."""

    bundle: Path
    run: Path | None = None
    catalog: Path | None = None
    engines: str = "all"
    batches: tuple[int, ...] = (1, 8, 32)
    seconds: float = 10.0
    quick: bool = False
    plans: Path | None = None
    url: str | None = None
    scenes: int = 20
    threads: int = 2
    memory_kept: bool = False


def measure(options: EngineBenchOptions, say: Say) -> Report:
    """Raises ``BenchError``, and the errors of bundles, runs and catalogues."""
    kinds = choose_kinds(options.engines)
    if not options.batches or min(options.batches) < 1:
        raise BenchError(f"batches are {options.batches}, must be positive")
    bundle = load_bundle(options.bundle, FEATURES)
    with contextlib.ExitStack() as stack:
        core = stack.enter_context(on_one_core())
        one_thread()
        twins = twins_of(options, bundle, kinds, stack, say)
        setting = Setting(bundle, twins, options.plans, options.url, batch_sizes(options))
        say("opening engines")
        field = open_contenders(kinds, setting, lambda kind: skip_reason(kind, options, twins))
        stack.callback(close, field)
        rows = [available_row(contender) for contender in field]
        rows += cpu_part(options, bundle, twins, field, say)
        if missing() == "":
            on_gpu = [contender for contender in field if contender.gpu and contender.engine is not None]
            rows += gpu_rows(on_gpu, twins, batch_sizes(options), options.seconds, say)
    ready = [contender for contender in field if contender.engine is not None]
    rows += wide_rows(bundle, options, say)
    rows += cold_rows(
        [contender for contender in ready if not (options.quick and contender.torch)],
        options.run,
        REPEATS,
        say,
        options.plans,
    )
    settings: dict[str, str | int | float] = {
        "bundle": f"{bundle.manifest.name} {bundle.identity[:12]}",
        "weights in torch": "none" if twins is None else "the bundle's" if twins.trained else "untrained",
        "pinned to core": "none" if core is None else core,
        "freed memory": "kept" if options.memory_kept else "as the system has it",
        "seconds": options.seconds,
        "gpu": missing() or "see below",
    }
    return Report("engines", rows, settings | gpu_environment())


def cpu_part(
    options: EngineBenchOptions, bundle: Bundle, twins: Twins | None, field: list[Contender], say: Say
) -> list[Row]:
    """All rows that do not need a GPU: speed, batching, parity."""
    rows: list[Row] = []
    reference = OnnxEngine(bundle)
    apart = twins is not None and not twins.trained
    twin = Contender(REFERENCE, FLOAT32, OnnxEngine(twins.bundle)) if twins is not None and apart else None
    ready = [contender for contender in field if contender.engine is not None]
    present = [contender for contender in ready if contender.name == REFERENCE and contender.precision == FLOAT32]
    everyone = ready if present else [Contender(REFERENCE, FLOAT32, reference), *ready]
    for graph, graph_rows in speed_rows(everyone, twin, batch_sizes(options), options.seconds, not apart):
        say(f"speed: {graph}")
        rows += graph_rows
    for contender in everyone:
        if contender.gpu:
            continue  # its processor time means little, and its batches have rows of their own
        say(f"batching: {contender.title}")
        rows += batching_rows(contender, options.seconds / 4)
        rows += hop_rows(contender, options.seconds / 2)
    for contender in ready:
        say(f"parity: {contender.title}")
        rows += parity_rows(contender, twin.ready if twin is not None and contender.torch else reference)
    if options.catalog is not None:
        from .overlap import overlap_rows

        say(f"the tracks that engines find in {options.catalog}")
        same = [contender for contender in ready if not (apart and contender.torch)]
        rows += overlap_rows(same, reference, options.catalog, options.scenes)
    reference.close()
    if twin is not None:
        twin.ready.close()
    return rows


def wide_rows(bundle: Bundle, options: EngineBenchOptions, say: Say) -> list[Row]:
    """Batching again, with ``options.threads`` threads in the engine, on all cores that this process may use."""
    if options.threads < 2:
        return []
    say(f"batching with {options.threads} threads")
    wide = Contender(REFERENCE, FLOAT32, OnnxEngine(bundle, threads=options.threads))
    try:
        rows = batching_rows(wide, options.seconds / 4, threads=options.threads)
        return rows + hop_rows(wide, options.seconds / 2, threads=options.threads)
    finally:
        wide.ready.close()


def twins_of(
    options: EngineBenchOptions, bundle: Bundle, kinds: tuple[Kind, ...], stack: contextlib.ExitStack, say: Say
) -> Twins | None:
    """The weights in torch; None if no engine needs them or torch is not installed."""
    if not any(kind.torch for kind in kinds):
        return None
    try:
        if options.run is not None:
            say(f"loading {options.run}")
            return trained_twins(options.run, bundle)
        if options.quick:
            return None
        say("exporting the default recipe with fresh weights, for the engines that run torch")
        return stack.enter_context(untrained_twins())
    except ImportError:
        return None


def skip_reason(kind: Kind, options: EngineBenchOptions, twins: Twins | None) -> str:
    if options.quick and kind.name in QUICK_OUT:
        return QUICK_OUT[kind.name]
    return NO_TWINS if options.quick and kind.torch and twins is None else ""


def batch_sizes(options: EngineBenchOptions) -> tuple[int, ...]:
    """The sizes in the options, and with a GPU also sizes that fill one."""
    return tuple(sorted({*options.batches, *(GPU_SIZES if missing() == "" else ())}))


def available_row(contender: Contender) -> Row:
    detail = contender.reason if contender.engine is None else contender.engine.name
    labels: OwnLabels = {"engine": contender.name, "precision": contender.precision, "reason": detail}
    return Row("available", float(contender.engine is not None), 1, "", labels)


def one_thread() -> None:
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


def close(field: list[Contender]) -> None:
    for contender in field:
        if contender.engine is not None:
            contender.engine.close()
