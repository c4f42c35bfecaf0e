"""From a graph's ONNX file to a plan: TensorRT's builder, and the cache that saves builds.

TensorRT 11 is strongly typed: the arithmetic is what the ONNX file says, so float16 is another file of the bundle, not
a flag. TF32, which rounds the factors of float32 products to ten bits, is TensorRT's default; it is off here unless
the recipe sets it, since float32 must agree with the other engines to 1e-4. Never ran on a GPU.

*Bounds*: ``Recipe.workspace_bytes`` of GPU memory for a kernel's scratch, ``Recipe.minutes`` for one graph's build (a
build that takes longer is stopped and nothing is stored).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .bundle import Bundle
from .errors import EngineError, EngineUnavailable
from .manifest import GraphSpec
from .onnx_engine import choose_precisions
from .plan_cache import ANY_GPU, PlanCache, PlanDamaged, PlanKey
from .tensorrt_runtime import Gpu, Libraries, first_line, last_error, make_logger

if TYPE_CHECKING:
    import tensorrt

# (fewest, best, most) rows of each profile: one session alone, and a batch of many. Kernels are chosen for the best.
PROFILES: Final = ((1, 1, 1), (8, 16, 32))
PRECISIONS: Final = ("float32", "float16", "bfloat16")  # int8 is made for the CPU, with operators that TensorRT lacks
PATIENCE_S: Final = 1800.0  # how long to wait for another process that builds in the same folder

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """How plans are built. All of it but ``minutes`` is part of a plan's key.

    ``same_capability``: the plan runs on every GPU of the same compute capability, without kernels of cuBLAS and
    without those tuned to one GPU only. ``version_compatible``: later versions of TensorRT run it too; it carries a
    small runtime of its own (tens of MB) whose code runs when it is loaded, and leaves out kernels. Both cost speed.
    ``effort``: 0 to 5, how long TensorRT searches; its own default is 3.
    """

    profiles: tuple[tuple[int, int, int], ...] = PROFILES
    effort: int = 3
    tf32: bool = False
    same_capability: bool = False
    version_compatible: bool = False
    workspace_bytes: int = 1 << 30
    minutes: float = 15.0

    def __post_init__(self) -> None:
        if not self.profiles or any(not 1 <= low <= best <= high for low, best, high in self.profiles):
            raise EngineError(f"profiles are {self.profiles}, must be (fewest, best, most) rows, each at least 1")
        if not 0 <= self.effort <= 5:
            raise EngineError(f"effort is {self.effort}, must be between 0 and 5")
        if self.minutes <= 0 or self.workspace_bytes < 0:
            raise EngineError(f"minutes is {self.minutes}, workspace {self.workspace_bytes}; both must be positive")

    @property
    def flags(self) -> tuple[str, ...]:
        """The part of a plan's key that describes the recipe, beside the profiles."""
        named = ("tf32", "same_capability", "version_compatible")
        return (
            *(name for name in named if getattr(self, name)),
            f"effort={self.effort}",
            f"mem={self.workspace_bytes}",
        )


@dataclass(frozen=True)
class Plan:
    """A graph's plan, ready to load. ``build_s`` is None for one from the cache."""

    graph: str
    precision: str
    data: bytes
    build_s: float | None


def plan_key(bundle: Bundle, graph: str, precision: str, recipe: Recipe, version: str, gpu: Gpu) -> PlanKey:
    """The key that the plan is stored under: wider for plans that run on other GPUs or versions too."""
    return PlanKey(
        graph=graph,
        onnx_sha256=bundle.file(graph, precision)[1],
        precision=precision,
        tensorrt=version.partition(".")[0] if recipe.version_compatible else version,
        gpu=ANY_GPU if recipe.same_capability else gpu.name,
        capability=gpu.capability,
        profiles=recipe.profiles,
        flags=recipe.flags,
    )


def plans_for(
    libraries: Libraries,
    bundle: Bundle,
    gpu: Gpu,
    cache: PlanCache,
    recipe: Recipe,
    precision: str = "float32",
    build: bool = False,
    progress: Progress = lambda step: None,
) -> dict[str, Plan]:
    """A plan for every graph of ``bundle``: from the cache, or where ``build`` is true built now and stored there.

    Graphs that the bundle lacks in ``precision`` come in float32. Raises ``EngineUnavailable`` for a plan that is
    missing or damaged and may not be built, and for one that TensorRT cannot build.
    """
    if precision not in PRECISIONS:
        raise EngineError(f"precision is {precision}; TensorRT takes {', '.join(PRECISIONS)}")
    version = str(libraries.trt.__version__)
    chosen = choose_precisions(bundle, precision)
    keys = {graph: plan_key(bundle, graph, used, recipe, version, gpu) for graph, used in chosen.items()}
    plans = {graph: cached_plan(cache, key, version, build, progress) for graph, key in keys.items()}
    missing = [graph for graph, plan in plans.items() if plan is None]
    if missing and not build:
        raise EngineUnavailable(
            f"plan folder {cache.folder}: has no plan of {', '.join(missing)} ({precision}) for TensorRT {version} on "
            f"{gpu.name}; build them with segue export --plans {bundle.path}"
        )
    if missing:
        with cache.lock(PATIENCE_S):
            for graph in missing:
                key = keys[graph]
                # Another process may have built it while this one waited.
                plans[graph] = cached_plan(cache, key, version, build, progress) or build_plan(
                    libraries, bundle, key, cache, recipe, progress
                )
    return {graph: plan for graph, plan in plans.items() if plan is not None}


def cached_plan(cache: PlanCache, key: PlanKey, version: str, build: bool, progress: Progress) -> Plan | None:
    """The plan from the cache; a damaged one counts as missing where it can be built again."""
    try:
        data = cache.load(key, version)
    except PlanDamaged as damage:
        if not build:
            raise
        progress(f"{damage}; building it now")
        return None
    return None if data is None else Plan(key.graph, key.precision, data, None)


def build_plan(
    libraries: Libraries, bundle: Bundle, key: PlanKey, cache: PlanCache, recipe: Recipe, progress: Progress
) -> Plan:
    """Build one plan and store it, with what TensorRT measured during the build."""
    version = str(libraries.trt.__version__)
    where = (version, key.gpu, key.capability)
    start_s = time.monotonic()
    progress(f"building {key.graph} ({key.precision})")
    data, timing = build(
        libraries.trt,
        bundle.spec(key.graph),
        bundle.read(key.graph, key.precision),
        recipe,
        cache.load_timing(*where),
        progress,
    )
    seconds = time.monotonic() - start_s
    cache.store(key, data, version, seconds)
    cache.store_timing(*where, timing)
    return Plan(key.graph, key.precision, data, seconds)


def build(
    trt: Any, spec: GraphSpec, onnx: bytes, recipe: Recipe, timing: bytes, progress: Progress
) -> tuple[bytes, bytes]:
    """The plan and the timing cache as it is after the build, on the current GPU.

    Raises ``EngineUnavailable`` with TensorRT's own reason when it refuses the graph or gives up, or time is over.
    """
    listener = make_logger(trt)
    monitor = make_monitor(trt, time.monotonic() + recipe.minutes * 60, spec.name, progress)
    try:
        builder = trt.Builder(listener)
        # Strongly typed without a flag, as all networks are since version 11.
        network: tensorrt.INetworkDefinition = require(builder.create_network(), "no network", listener)
        parser = read_onnx(trt, network, listener, spec, onnx)
        config: tensorrt.IBuilderConfig = require(builder.create_builder_config(), "no configuration", listener)
        config.progress_monitor = monitor
        set_up(trt, config, recipe)
        add_profiles(builder, config, spec, recipe, listener)
        cache: tensorrt.ITimingCache | None = use_timing(config, timing)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            late = f"it took longer than {recipe.minutes:g} minutes" if monitor._late else last_error(listener)
            raise EngineUnavailable(f"graph {spec.name}: TensorRT built no plan: {late}; use another engine")
        # Parser and cache must live until here: the parser holds the network's weights, the builder wrote to the cache.
        del parser
        return bytes(plan), b"" if cache is None else bytes(cache.serialize())
    except (RuntimeError, TypeError, ValueError, MemoryError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineUnavailable(
            f"graph {spec.name}: TensorRT cannot build it: {first_line(error)}; use another engine"
        ) from error


def read_onnx(
    trt: Any, network: "tensorrt.INetworkDefinition", listener: Any, spec: GraphSpec, onnx: bytes
) -> "tensorrt.OnnxParser":
    """Fill the network from the ONNX file; the caller must keep the parser until the network is built.

    ``EngineUnavailable`` with the parser's first complaint.
    """
    parser: tensorrt.OnnxParser = trt.OnnxParser(network, listener)
    if parser.parse(onnx):
        return parser
    reason = "it gave no reason"
    if parser.num_errors > 0:
        error: tensorrt.ParserError = parser.get_error(0)
        reason = f"{error.desc()} (operator {error.node_operator() or 'unknown'})"
    raise EngineUnavailable(f"graph {spec.name}: TensorRT's parser refuses {spec.file}: {reason}; use another engine")


def set_up(trt: Any, config: "tensorrt.IBuilderConfig", recipe: Recipe) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, recipe.workspace_bytes)
    config.builder_optimization_level = recipe.effort
    if recipe.tf32:
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)
    if recipe.same_capability:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY
    if recipe.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)


def add_profiles(
    builder: "tensorrt.Builder", config: "tensorrt.IBuilderConfig", spec: GraphSpec, recipe: Recipe, listener: Any
) -> None:
    """One optimisation profile a regime; only the batch axis is free."""
    for low, best, high in recipe.profiles:
        profile: tensorrt.IOptimizationProfile
        profile = require(builder.create_optimization_profile(), "no profile", listener)
        for tensor in spec.inputs:
            rest = tuple(int(size) for size in tensor.shape[1:])
            profile.set_shape(tensor.name, (low, *rest), (best, *rest), (high, *rest))
        if config.add_optimization_profile(profile) < 0:
            raise EngineUnavailable(f"graph {spec.name}: TensorRT refuses {low} to {high} rows; use another engine")


def use_timing(config: "tensorrt.IBuilderConfig", timing: bytes) -> "tensorrt.ITimingCache | None":
    """Start from earlier measurements, or from none where TensorRT refuses those of another version or GPU. The caller
    must keep the cache until the network is built; None where TensorRT takes none at all."""
    for measured in (timing, b""):
        cache: tensorrt.ITimingCache | None = config.create_timing_cache(measured)
        if cache is not None and config.set_timing_cache(cache, False):
            return cache
    return None


def require(thing: Any, complaint: str, listener: Any) -> Any:
    """The ``thing`` that TensorRT made; ``RuntimeError`` for None, which it returns when it fails."""
    if thing is None:
        raise RuntimeError(f"{complaint}: {last_error(listener)}")
    return thing


def make_monitor(trt: Any, end_s: float, graph: str, progress: Progress) -> Any:
    """A monitor that reports a build's phases and stops it at ``end_s`` (monotonic). TensorRT calls it from its own
    threads."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # known only once TensorRT is loaded
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)  # pybind11 wants this very call, not super's
            self._late = False

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if not parent_phase:
                progress(f"building {graph}: {phase_name}")

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._late = self._late or time.monotonic() > end_s
            return not self._late

        def phase_finish(self, phase_name: str) -> None:
            return

    return Monitor()
