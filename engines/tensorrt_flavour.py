"""What TensorRT and TensorRT for RTX do differently, as one object that builder and engine ask; here TensorRT's side.

``tensorrt_rtx.py`` has the other side. Everything else in the ``tensorrt_*.py`` files is the same for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .bundle import Bundle
from .plan_cache import ANY_GPU, PlanCache, PlanKey
from .tensorrt_recipe import Recipe

if TYPE_CHECKING:
    import tensorrt


@dataclass(frozen=True)
class Gpu:
    """``name`` as the driver gives it, ``capability`` as in ``9.0``."""

    index: int
    name: str
    capability: str


class Flavour:
    """TensorRT for data centres: plans are built on the GPU that runs them, and CUDA graphs are ours.

    ``module`` is what Python imports, ``package`` what pip calls it, ``extra`` of ours that brings it; ``least`` the
    first version that this segue knows. ``option``: how ``segue export --plans`` is told to build for it.
    """

    name: str = "tensorrt"
    title: str = "TensorRT"
    module: str = "tensorrt"
    package: str = "tensorrt"
    extra: str = "tensorrt"
    least: tuple[int, ...] = (11,)
    option: str = ""
    captures: bool = False  # whether it records CUDA graphs itself

    @property
    def cure(self) -> str:
        return f'pip install ".[{self.extra}]" brings it'

    def cache_name(self, version: str) -> str:
        """What a plan's key says of the version."""
        return version

    def target(self, recipe: Recipe, precision: str, gpu: Gpu | None) -> tuple[str, str]:
        """For a plan's key: the GPU's name or ``any``, and the compute capability that the plan is for."""
        assert gpu is not None
        return (ANY_GPU if recipe.same_capability else gpu.name), gpu.capability

    def key_flags(self, recipe: Recipe) -> tuple[str, ...]:
        """The part of a plan's key that describes the recipe, beside the profiles."""
        return recipe.flags

    def set_up(self, trt: Any, config: "tensorrt.IBuilderConfig", recipe: Recipe, precision: str) -> None:
        """Everything in the builder's configuration but profiles and progress."""
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, recipe.workspace_bytes)
        config.builder_optimization_level = recipe.effort
        set_tf32(trt, config, recipe)
        if recipe.same_capability:
            config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY
        if recipe.version_compatible:
            config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)

    def use_timing(self, config: "tensorrt.IBuilderConfig", timing: bytes) -> "tensorrt.ITimingCache | None":
        """Start from earlier measurements, or from none where TensorRT refuses those of another version or GPU. The
        caller must keep the cache until the network is built; None where TensorRT takes none at all."""
        for measured in (timing, b""):
            cache: tensorrt.ITimingCache | None = config.create_timing_cache(measured)
            if cache is not None and config.set_timing_cache(cache, False):
                return cache
        return None

    def check_gpu(self, gpu: Gpu, chosen: Mapping[str, str]) -> None:
        """Refuse a GPU that no plan of this flavour runs on. ``chosen``: each graph's precision."""

    def bundled(self, bundle: Bundle, key: PlanKey, version: str, gpu: Gpu | None) -> bytes | None:
        """The plan that the bundle itself holds for ``key``, None where it has none that ``version`` and ``gpu`` run.
        TensorRT's plans never travel in bundles."""
        return None

    def left_behind(self, bundle: Bundle, version: str) -> str:
        """What to add to "there is no plan" where the bundle has plans that do not fit; empty where it has none."""
        return ""

    def refusal(self, trt: Any, runtime: "tensorrt.Runtime", plan: bytes, gpu: Gpu) -> str:
        """Why this plan cannot run here, found before it is loaded; empty where nothing speaks against it."""
        return ""

    def contexts(self, trt: Any, engine: "tensorrt.ICudaEngine", cache: PlanCache, key: tuple[str, ...]) -> "Contexts":
        """What makes an engine's contexts. ``key`` names what the runtime may keep of it between runs."""
        return Contexts(engine)


class Contexts:
    """Makes the contexts of one engine. It holds the engine and must be let go before it."""

    def __init__(self, engine: "tensorrt.ICudaEngine") -> None:
        self._engine: tensorrt.ICudaEngine = engine

    def make(self) -> "tensorrt.IExecutionContext | None":
        return self._engine.create_execution_context()

    def save(self) -> None:
        """Keep what the runtime compiled while the contexts ran for the first time."""


def set_tf32(trt: Any, config: "tensorrt.IBuilderConfig", recipe: Recipe) -> None:
    """TF32 is on unless it is cleared, in both flavours."""
    if recipe.tf32:
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)


PLAIN: Final = Flavour()
