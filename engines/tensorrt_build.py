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

from .bundle import FLOAT32, Bundle
from .errors import EngineError, EngineUnavailable
from .manifest import GraphSpec
from .plan_cache import PlanCache, PlanDamaged, PlanKey
from .precisions import choose_precisions
from .tensorrt_flavour import PLAIN, Flavour, Gpu
from .tensorrt_network import NetworkFacts, check_network, read_network
from .tensorrt_recipe import PRECISIONS, Recipe
from .tensorrt_runtime import Libraries, first_line, last_error, make_logger

if TYPE_CHECKING:
    import tensorrt

PATIENCE_S: Final = 1800.0  # how long to wait for another process that builds in the same folder

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """A graph's plan, ready to load. ``build_s`` is None for one that was there; ``capability``: what it runs on;
    ``facts``: of the network that it was built from, None where that was not told."""

    graph: str
    precision: str
    data: bytes
    build_s: float | None
    capability: str = ""
    facts: NetworkFacts | None = None


def plan_key(
    bundle: Bundle,
    graph: str,
    precision: str,
    recipe: Recipe,
    version: str,
    gpu: Gpu | None,
    flavour: Flavour = PLAIN,
) -> PlanKey:
    """The key that the plan is stored under: wider for plans that run on other GPUs or versions too."""
    name, capability = flavour.target(recipe, precision, gpu)
    return PlanKey(
        graph=graph,
        onnx_sha256=bundle.file(graph, precision)[1],
        precision=precision,
        tensorrt=flavour.cache_name(version.partition(".")[0] if recipe.version_compatible else version),
        gpu=name,
        capability=capability,
        profiles=recipe.profiles,
        flags=flavour.key_flags(recipe),
    )


def plans_for(
    libraries: Libraries,
    bundle: Bundle,
    gpu: Gpu | None,
    cache: PlanCache,
    recipe: Recipe,
    precision: str = "float32",
    build: bool = False,
    progress: Progress = lambda step: None,
) -> dict[str, Plan]:
    """A plan for every graph of ``bundle``: from the bundle itself, from the cache, or where ``build`` is true built
    now and stored there. ``gpu``: the one that runs them; None where they are only built, for GPUs elsewhere.

    Graphs that the bundle lacks in ``precision`` come in float32. Raises ``EngineUnavailable`` for a plan that is
    missing or damaged and may not be built, for one that TensorRT cannot build, and for a GPU that runs none.
    """
    if precision not in PRECISIONS:
        raise EngineError(f"precision is {precision}; TensorRT takes {', '.join(PRECISIONS)}")
    version, flavour = str(libraries.trt.__version__), libraries.flavour
    chosen = choose_precisions(bundle, precision)
    if gpu is not None:
        flavour.check_gpu(gpu, chosen)
    keys = {graph: plan_key(bundle, graph, used, recipe, version, gpu, flavour) for graph, used in chosen.items()}

    def there(key: PlanKey) -> Plan | None:
        travelled = flavour.bundled(bundle, key, version, gpu)
        if travelled is not None:
            return Plan(key.graph, key.precision, travelled, None, key.capability)
        return cached_plan(cache, key, version, build, progress)

    plans = {graph: there(key) for graph, key in keys.items()}
    missing = [graph for graph, plan in plans.items() if plan is None]
    if missing and not build:
        where = f" on {gpu.name}" if gpu is not None else ""
        raise EngineUnavailable(
            f"plan folder {cache.folder}: has no plan of {', '.join(missing)} ({precision}) for {flavour.title} "
            f"{version}{where}{flavour.left_behind(bundle, version)}; build them with segue export --plans "
            f"{bundle.path}{flavour.option}{'' if precision == FLOAT32 else f' --precision {precision}'}"
        )
    if missing:
        with cache.lock(PATIENCE_S):
            for graph in missing:
                # Another process may have built it while this one waited.
                plans[graph] = there(keys[graph]) or build_plan(libraries, bundle, keys[graph], cache, recipe, progress)
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
    return None if data is None else Plan(key.graph, key.precision, data, None, key.capability)


def build_plan(
    libraries: Libraries, bundle: Bundle, key: PlanKey, cache: PlanCache, recipe: Recipe, progress: Progress
) -> Plan:
    """Build one plan and store it, with what TensorRT measured during the build."""
    version = str(libraries.trt.__version__)
    where = (version, key.gpu, key.capability)
    start_s = time.monotonic()
    progress(f"building {key.graph} ({key.precision})")
    data, timing, facts = build(
        libraries,
        bundle.spec(key.graph),
        bundle.read(key.graph, key.precision),
        recipe,
        key.precision,
        cache.load_timing(*where),
        progress,
    )
    seconds = time.monotonic() - start_s
    cache.store(key, data, version, seconds)
    cache.store_timing(*where, timing)
    return Plan(key.graph, key.precision, data, seconds, key.capability, facts)


def build(
    libraries: Libraries,
    spec: GraphSpec,
    onnx: bytes,
    recipe: Recipe,
    precision: str,
    timing: bytes,
    progress: Progress,
) -> tuple[bytes, bytes, NetworkFacts]:
    """The plan, the timing cache as it is after the build, and what the network looked like.

    Raises ``EngineUnavailable`` with TensorRT's own reason when it refuses the graph or gives up, or time is over; and
    for a network that is not what the manifest says.
    """
    trt, flavour = libraries.trt, libraries.flavour
    listener = make_logger(trt)
    monitor = make_monitor(trt, time.monotonic() + recipe.minutes * 60, spec.name, progress)
    try:
        builder = trt.Builder(listener)
        # Strongly typed without a flag, as all networks are since version 11.
        network: tensorrt.INetworkDefinition = require(builder.create_network(), "no network", listener)
        parser = read_onnx(libraries, network, listener, spec, onnx)
        facts = read_network(trt, network)
        check_network(facts, spec, precision)
        config: tensorrt.IBuilderConfig = require(builder.create_builder_config(), "no configuration", listener)
        config.progress_monitor = monitor
        flavour.set_up(trt, config, recipe, precision)
        add_profiles(builder, config, spec, recipe, listener)
        cache: tensorrt.ITimingCache | None = flavour.use_timing(config, timing)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            late = f"it took longer than {recipe.minutes:g} minutes" if monitor._late else last_error(listener)
            raise EngineUnavailable(f"graph {spec.name}: {flavour.title} built no plan: {late}; use another engine")
        # Parser and cache must live until here: the parser holds the network's weights, the builder wrote to the cache.
        del parser
        return bytes(plan), b"" if cache is None else bytes(cache.serialize()), facts
    except (RuntimeError, TypeError, ValueError, MemoryError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineUnavailable(
            f"graph {spec.name}: {flavour.title} cannot build it: {first_line(error)}; use another engine"
        ) from error


def network_of(libraries: Libraries, spec: GraphSpec, onnx: bytes, precision: str) -> NetworkFacts:
    """What TensorRT makes of the file, compared with the manifest; nothing is built. Raises as ``build`` does."""
    trt = libraries.trt
    listener = make_logger(trt)
    builder = trt.Builder(listener)
    network: tensorrt.INetworkDefinition = require(builder.create_network(), "no network", listener)
    parser = read_onnx(libraries, network, listener, spec, onnx)
    facts = read_network(trt, network)
    del parser  # after the network was read, whose weights it holds
    check_network(facts, spec, precision)
    return facts


def read_onnx(
    libraries: Libraries, network: "tensorrt.INetworkDefinition", listener: Any, spec: GraphSpec, onnx: bytes
) -> "tensorrt.OnnxParser":
    """Fill the network from the ONNX file; the caller must keep the parser until the network is built.

    ``EngineUnavailable`` with the parser's first complaint.
    """
    trt = libraries.trt
    parser: tensorrt.OnnxParser = trt.OnnxParser(network, listener)
    if parser.parse(onnx):
        return parser
    reason = "it gave no reason"
    if parser.num_errors > 0:
        error: tensorrt.ParserError = parser.get_error(0)
        reason = f"{error.desc()} (operator {error.node_operator() or 'unknown'})"
    raise EngineUnavailable(
        f"graph {spec.name}: {libraries.flavour.title}'s parser refuses {spec.file}: {reason}; use another engine"
    )


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
