"""TensorRT for RTX: the TensorRT of graphics cards. What it does differently from TensorRT, in one place.

- Plans are built without a GPU or a driver, for named compute capabilities, several in one plan; where the plan runs,
  the runtime compiles it for the card. So plans are small, need no measurements, and may travel in a bundle.
- Turing (RTX 20) has no float32 products, so float32 plans leave it out. There is none for data-centre Hopper and
  Blackwell.
- The runtime records CUDA graphs itself, and keeps what it compiled in a cache that we store between runs.

Builder and parser run in CI with the real package. **The runtime half never ran on a GPU.**
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from .bundle import Bundle
from .errors import EngineUnavailable
from .plan_cache import ANY_GPU, CURE, RTX_KEY, PlanCache, PlanKey
from .tensorrt_flavour import Contexts, Flavour, Gpu, set_tf32
from .tensorrt_recipe import Recipe

if TYPE_CHECKING:
    import tensorrt_rtx_bindings

CAPABILITIES: Final = ("8.0", "8.6", "8.9", "12.0", "12.1")  # A100, RTX 30, RTX 40, RTX 50, GB10
HALF_ONLY: Final = ("7.5",)  # RTX 20: "FP32 GEMM is not supported"
DATA_CENTRE: Final = ("9.0", "10.0", "10.3", "11.0")

log = logging.getLogger("segue.engines")


class RtxFlavour(Flavour):
    """TensorRT for RTX: plans are portable, CUDA graphs and compiled kernels are the runtime's own."""

    name = "tensorrt-rtx"
    title = "TensorRT for RTX"
    module = "tensorrt_rtx_bindings"
    package = "tensorrt-rtx-cu13-bindings"
    extra = "rtx"
    least = (1, 7)
    option = " --rtx"
    captures = True

    def cache_name(self, version: str) -> str:
        return f"{RTX_KEY}{version}"

    def target(self, recipe: Recipe, precision: str, gpu: Gpu | None) -> tuple[str, str]:
        return ANY_GPU, " ".join(capabilities_of(precision))

    def key_flags(self, recipe: Recipe) -> tuple[str, ...]:
        return ("tf32",) if recipe.tf32 else ()

    def set_up(self, trt: Any, config: "tensorrt_rtx_bindings.IBuilderConfig", recipe: Recipe, precision: str) -> None:
        set_tf32(trt, config, recipe)
        wanted = capabilities_of(precision)
        config.num_compute_capabilities = len(wanted)
        for index, capability in enumerate(wanted):
            if not config.set_compute_capability(getattr(trt.ComputeCapability, sm(capability)), index):
                raise RuntimeError(f"it takes no compute capability {capability}")

    def use_timing(self, config: "tensorrt_rtx_bindings.IBuilderConfig", timing: bytes) -> None:
        """Nothing is measured: there is no GPU."""

    def check_gpu(self, gpu: Gpu, chosen: Mapping[str, str]) -> None:
        singles = [graph for graph, precision in chosen.items() if gpu.capability not in capabilities_of(precision)]
        if not singles:
            return
        card = f"{gpu.name} has compute capability {gpu.capability}"
        if gpu.capability in HALF_ONLY:
            raise EngineUnavailable(
                f"{card}, which {self.title} runs in float16 alone, and {', '.join(singles)} would run in "
                f"{chosen[singles[0]]}; make a bundle with segue export RUN --precision float16 and choose "
                "--precision float16, or use engine onnx-cuda"
            )
        if gpu.capability in DATA_CENTRE:
            raise EngineUnavailable(
                f"{card}, a data-centre card, for which {self.title} has no code; use engine tensorrt"
            )
        if tuple(map(int, gpu.capability.split("."))) < (7, 5):
            raise EngineUnavailable(
                f"{card}, too old for {self.title}, which begins at 7.5 (RTX 20, in float16) and runs float32 from 8.0 "
                "on; use engine onnx-cuda or onnx-cpu"
            )
        raise EngineUnavailable(
            f"{card}, for which this segue builds no plans with {self.title} (it builds for "
            f"{', '.join((*HALF_ONLY, *CAPABILITIES))}); use engine tensorrt or onnx-cuda"
        )

    def bundled(self, bundle: Bundle, key: PlanKey, version: str, gpu: Gpu | None) -> bytes | None:
        for plan in bundle.spec(key.graph).plans:
            here = capabilities_of(key.precision) if gpu is None else (gpu.capability,)
            fits = set(here) <= set(plan.capabilities)
            same = (plan.engine, plan.version, plan.precision, plan.profiles) == (
                self.name,
                version,
                key.precision,
                key.profiles,
            )
            if same and fits and not key.flags:
                return bundle.read_plan(key.graph, plan)
        return None

    def left_behind(self, bundle: Bundle, version: str) -> str:
        plans = [plan for spec in bundle.manifest.graphs.values() for plan in spec.plans if plan.engine == self.name]
        others = sorted({plan.version for plan in plans} - {version})
        return f" (the bundle's own plans are of version {', '.join(others)})" if others else ""

    def refusal(self, trt: Any, runtime: "tensorrt_rtx_bindings.Runtime", plan: bytes, gpu: Gpu) -> str:
        validity, found = runtime.get_engine_validity(plan)
        if validity != trt.EngineValidity.INVALID:
            return ""
        kinds = trt.EngineInvalidityDiagnostics
        causes = (
            (kinds.OLD_CUDA_DRIVER, "the driver is too old for it; install a driver for CUDA 13"),
            (kinds.OLD_CUDA_RUNTIME, f"CUDA's libraries are too old for it; {self.cure}"),
            (
                kinds.CUDA_ERROR,
                "CUDA does not work here; install a driver for CUDA 13 and see that nvidia-smi lists it",
            ),
            (kinds.VERSION_MISMATCH, f"another version built it; {REBUILD}"),
            (kinds.UNSUPPORTED_CC, f"it was not built for compute capability {gpu.capability} ({gpu.name}); {REBUILD}"),
            (kinds.INSUFFICIENT_GPU_MEMORY, "the GPU's memory is too small for it; end other programs"),
            (kinds.MALFORMED_ENGINE, f"it is no plan; {REBUILD}"),
        )
        return next((text for kind, text in causes if int(found) & int(kind)), "")

    def contexts(
        self, trt: Any, engine: "tensorrt_rtx_bindings.ICudaEngine", cache: PlanCache, key: tuple[str, ...]
    ) -> Contexts:
        return RtxContexts(trt, engine, cache, key)


class RtxContexts(Contexts):
    """Contexts that record CUDA graphs themselves and share a cache of compiled kernels, kept in the plan folder."""

    def __init__(
        self, trt: Any, engine: "tensorrt_rtx_bindings.ICudaEngine", cache: PlanCache, key: tuple[str, ...]
    ) -> None:
        super().__init__(engine)
        self._rtx_engine: tensorrt_rtx_bindings.ICudaEngine = engine
        self._cache, self._key = cache, key
        config: tensorrt_rtx_bindings.IRuntimeConfig = made(engine.create_runtime_config(), "no runtime configuration")
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        # Each context runs one shape: its own kernels are worth waiting for, before the first session comes.
        config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
        compiled: tensorrt_rtx_bindings.IRuntimeCache = made(config.create_runtime_cache(), "no runtime cache")
        self._before = cache.load_runtime(*key)
        if self._before and not taken(compiled, self._before):
            log.info("what was compiled before is of another card or version; compiling anew")
            self._before = b""
            compiled = made(config.create_runtime_cache(), "no runtime cache")
        if not config.set_runtime_cache(compiled):
            log.warning("TensorRT for RTX takes no runtime cache; it will compile again at each start")
        self._config: tensorrt_rtx_bindings.IRuntimeConfig = config
        self._compiled: tensorrt_rtx_bindings.IRuntimeCache = compiled

    def make(self) -> "tensorrt_rtx_bindings.IExecutionContext | None":
        return self._rtx_engine.create_execution_context(self._config)

    def save(self) -> None:
        memory: tensorrt_rtx_bindings.IHostMemory | None = self._compiled.serialize()
        data = b"" if memory is None else bytes(memory)
        if not data or data == self._before:
            return
        try:
            self._cache.store_runtime(data, *self._key)
        except EngineUnavailable as error:
            log.warning("what was compiled is not kept, the next start compiles again: %s", error)


REBUILD: Final = f"{CURE} --rtx"
RTX: Final = RtxFlavour()


def taken(compiled: "tensorrt_rtx_bindings.IRuntimeCache", before: bytes) -> bool:
    """Whether the cache takes what was compiled before. It only saves time, so a refusal by exception is one too."""
    try:
        return bool(compiled.deserialize(before))
    except RuntimeError:
        return False


def capabilities_of(precision: str) -> tuple[str, ...]:
    """The compute capabilities that a plan in ``precision`` is built for, in ascending order."""
    return (*HALF_ONLY, *CAPABILITIES) if precision == "float16" else CAPABILITIES


def is_consumer(capability: str) -> bool:
    """Whether it is a graphics card's: Turing, Ampere but for its data-centre half, Ada, Blackwell's RTX."""
    return capability in ("7.5", "8.6", "8.9") or capability.startswith("12.")


def sm(capability: str) -> str:
    """``8.9`` -> ``SM89``"""
    return f"SM{capability.replace('.', '')}"


def made(thing: Any, complaint: str) -> Any:
    """The ``thing`` that TensorRT made; ``RuntimeError`` for None, which it returns when it fails."""
    if thing is None:
        raise RuntimeError(complaint)
    return thing
