"""TensorRT 11, or TensorRT for RTX, as an engine: a plan a graph, a slot a batch size, one stream for all of them.

Plans come from the cache (``plan_cache.py``), those of TensorRT for RTX also from the bundle; they are built by ``segue
export --plans BUNDLE``, or here with ``build=True``. A request is cut into slices of at most the largest size, each
padded to the next size.

**This engine never ran on a GPU.** A test compares every name and call in these files with the signatures of TensorRT
11.4, TensorRT for RTX 1.7 and cuda-python, and tests run the logic on a strict stand-in. The graphs are built in CI by
TensorRT for RTX alone. Only a GPU can show the speed, and whether TensorRT itself accepts them: ``benchmarks/gpu.sh``
does build, parity and benchmark in one run.
"""

import hashlib
import threading
from contextlib import ExitStack
from pathlib import Path
from traceback import clear_frames
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from .base import Arrays, check_inputs, check_outputs, example_inputs
from .bundle import FLOAT32, Bundle
from .errors import EngineClosed, EngineError, EngineFailed, EngineUnavailable
from .manifest import GraphSpec, TensorSpec
from .plan_cache import PlanCache, default_folder
from .precisions import OfBundle
from .rows import join, padded_size
from .tensorrt_build import Plan, Progress, plans_for
from .tensorrt_flavour import PLAIN, Flavour, Gpu
from .tensorrt_network import check_sides, tensor_spec, type_names
from .tensorrt_recipe import Recipe
from .tensorrt_runtime import (
    CudaFault,
    Libraries,
    find_gpu,
    first_line,
    last_error,
    load_libraries,
    make_logger,
    release,
    unwrap,
)
from .tensorrt_slot import Slot

if TYPE_CHECKING:
    import tensorrt
    from cuda.bindings import runtime as cudart

SIZES: Final = (1, 8, 16, 32)


class TensorrtEngine(OfBundle):
    """``plans`` is the cache's folder, the user's own by default; ``sizes``, ascending, are the batch sizes that are
    made ready, each within a profile of ``recipe``. ``flavour``: which TensorRT, where ``libraries`` do not say it.

    Raises ``EngineUnavailable`` where TensorRT, a GPU, the plans or enough memory are missing.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: int = 0,
        plans: Path | None = None,
        precision: str = FLOAT32,
        recipe: Recipe | None = None,
        sizes: tuple[int, ...] = SIZES,
        build: bool = False,
        libraries: Libraries | None = None,
        progress: Progress = lambda step: None,
        flavour: Flavour = PLAIN,
    ) -> None:
        recipe = recipe or Recipe()
        self._bundle = bundle
        self._device = device
        self._precision = precision
        self._sizes = sizes
        self._profiles = {size: profile_for(recipe, size) for size in sizes}
        if not sizes or list(sizes) != sorted(set(sizes)):
            raise EngineError(f"sizes are {list(sizes)}, must be positive and ascend")
        self._libraries = libraries or load_libraries(flavour)
        self._flavour = self._libraries.flavour
        self._lock = threading.Lock()
        self._lost: str = ""  # why the device is lost; empty while it works
        self._slots: dict[str, dict[int, Slot]] | None = {}
        self._owner = ExitStack()
        self._stream: cudart.cudaStream_t | None = None
        self._gpu: Gpu = find_gpu(self._libraries, device)
        self._cache = PlanCache(plans or default_folder())
        graph_plans = plans_for(self._libraries, bundle, self._gpu, self._cache, recipe, precision, build, progress)
        self._precisions = {graph: plan.precision for graph, plan in graph_plans.items()}
        try:
            self._open(graph_plans, recipe)
        except BaseException as error:
            clear_frames(error.__traceback__)  # they hold engines and contexts, which must be freed before the stream
            self._give_back()
            if isinstance(error, EngineFailed):
                raise EngineUnavailable(f"engine {self.name}: {error}") from error
            if isinstance(error, RuntimeError | TypeError | MemoryError):  # what pybind11 makes of TensorRT's own
                raise EngineUnavailable(f"engine {self.name}: {first_line(error)}; use another engine") from error
            raise

    @property
    def name(self) -> str:
        return self._named(f"{self._flavour.name}-{self._device}")

    def facts(self) -> dict[str, str]:
        """What a report says of this engine: GPU, versions, and how many of its slots replay a CUDA graph."""
        trt, cuda = self._libraries.trt, self._libraries.cuda
        slots = [slot for sizes in (self._slots or {}).values() for slot in sizes.values()]
        captured = sum(slot.captured for slot in slots)
        return {
            "gpu": self._gpu.name,
            "capability": self._gpu.capability,
            self._flavour.name: str(trt.__version__),
            "cuda_driver": str(unwrap(cuda, cuda.cudaDriverGetVersion(), "asking for the driver's version")),
            "cuda_runtime": str(unwrap(cuda, cuda.cudaRuntimeGetVersion(), "asking for the runtime's version")),
            "sizes": ", ".join(map(str, self._sizes)),
            "captured": "by the runtime" if self._flavour.captures else f"{captured} of {len(slots)}",
        }

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        spec = self.spec(graph)
        rows = check_inputs(spec, inputs)
        with self._lock:  # one stream and one set of buffers: runs take turns
            if self._slots is None:
                raise EngineClosed(f"engine {self.name} is closed; open another")
            if self._lost:
                raise EngineFailed(f"engine {self.name}: the GPU was lost ({self._lost}); open another engine")
            outputs = self._slices(self._slots[graph], inputs, rows)
        check_outputs(spec, outputs, rows)
        return outputs

    def warmup(self) -> None:
        for graph in self._bundle.manifest.graphs:
            for size in self._sizes:
                self.run(graph, example_inputs(self.spec(graph), size))

    def close(self) -> None:
        with self._lock:
            if self._slots is None:
                return
            self._slots = None
            self._give_back()

    def _slices(self, slots: dict[int, Slot], inputs: Arrays, rows: int) -> dict[str, NDArray[Any]]:
        cuda, largest = self._libraries.cuda, self._sizes[-1]
        parts = []
        try:
            # In CUDA each thread chooses its device, and any thread may call.
            unwrap(cuda, cuda.cudaSetDevice(self._device), f"choosing GPU {self._device}")
            for start in range(0, rows, largest):
                count = min(largest, rows - start)
                parts.append(slots[padded_size(count, self._sizes)].run(inputs, start, count))
        except CudaFault as fault:
            self._lost = fault.code if fault.lasting else ""
            raise EngineFailed(f"engine {self.name}: {fault}") from fault
        except RuntimeError as error:  # pybind11's, for what TensorRT throws
            raise EngineFailed(f"engine {self.name}: {first_line(error)}; use another engine") from error
        return join(parts)

    def _open(self, plans: dict[str, Plan], recipe: Recipe) -> None:
        """Open stream, runtime, engines and slots; the owner gives them back in reverse order."""
        trt, cuda, own = self._libraries.trt, self._libraries.cuda, self._owner
        title, version = self._flavour.title, str(trt.__version__)
        unwrap(cuda, cuda.cudaSetDevice(self._device), f"choosing GPU {self._device}")
        stream = unwrap(cuda, cuda.cudaStreamCreateWithFlags(cuda.cudaStreamNonBlocking), "making a stream")
        own.callback(lambda: release(cuda, cuda.cudaStreamDestroy(stream), "destroying a stream"))
        self._stream = stream
        listener = make_logger(trt)
        runtime = trt.Runtime(listener)
        keep(own, listener, runtime)
        # A version-compatible plan carries code for the host too: allowed only where the recipe asks for such plans.
        runtime.engine_host_code_allowed = recipe.version_compatible
        assert self._slots is not None
        for graph, plan in plans.items():
            spec = self.spec(graph)
            if refusal := self._flavour.refusal(trt, runtime, plan.data, self._gpu):
                raise EngineUnavailable(f"graph {graph}: {title} refuses its plan: {refusal}")
            engine: tensorrt.ICudaEngine | None = runtime.deserialize_cuda_engine(plan.data)
            if engine is None:
                raise EngineUnavailable(
                    f"graph {graph}: {title} does not load its plan: {last_error(listener)}; remove it from the plan "
                    f"folder and build it again with segue export --plans {self._bundle.path}{self._flavour.option}"
                )
            keep(own, engine)
            check_engine(trt, engine, spec, len(recipe.profiles))
            kept = (version, self._gpu.name, self._gpu.capability, hashlib.sha256(plan.data).hexdigest())
            contexts = self._flavour.contexts(trt, engine, self._cache, kept)
            keep(own, contexts)
            slots = self._slots[graph] = {}
            for (
                size,
                profile,
            ) in self._profiles.items():  # no comprehension: after a fault its closure would keep engine
                slots[size] = Slot(self._libraries, contexts, spec, profile, size, stream, listener, own)
            contexts.save()

    def _give_back(self) -> None:
        """Wait for the GPU, since nothing may be freed while work is under way, then give back all, in reverse
        order."""
        if self._stream is not None:
            cuda = self._libraries.cuda
            release(cuda, cuda.cudaSetDevice(self._device), f"choosing GPU {self._device}")
            release(cuda, cuda.cudaStreamSynchronize(self._stream), "waiting for the GPU")
        self._stream = None
        self._owner.close()


def probe(
    bundle: Bundle,
    device: int = 0,
    plans: Path | None = None,
    precision: str = FLOAT32,
    libraries: Libraries | None = None,
    flavour: Flavour = PLAIN,
) -> str | None:
    """Why TensorRT cannot run ``bundle`` here; None where every graph ran at every size. Builds nothing."""
    try:
        engine = TensorrtEngine(bundle, device, plans, precision, libraries=libraries, flavour=flavour)
    except EngineUnavailable as error:
        return str(error)
    try:
        engine.warmup()
    except EngineFailed as error:
        return str(error)
    finally:
        engine.close()
    return None


def keep(own: ExitStack, *things: Any) -> None:
    """Hold these until ``own`` frees them: TensorRT's objects must be freed before the objects that made them."""
    for thing in things:
        own.callback([thing].clear)


def profile_for(recipe: Recipe, size: int) -> int:
    """The profile that holds a batch of ``size``."""
    for index, (low, _, high) in enumerate(recipe.profiles):
        if low <= size <= high:
            return index
    spans = ", ".join(f"{low} to {high}" for low, _, high in recipe.profiles)
    raise EngineError(f"size {size} is in no profile ({spans} rows); choose sizes within them")


def check_engine(trt: Any, engine: "tensorrt.ICudaEngine", spec: GraphSpec, profiles: int) -> None:
    """Compare the plan's inputs, outputs and profiles with the manifest's; ``EngineUnavailable`` names both sides."""
    names = type_names(trt)
    sides: tuple[list[TensorSpec], list[TensorSpec]] = ([], [])
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        shape, dtype = tuple(engine.get_tensor_shape(name)), engine.get_tensor_dtype(name)
        is_output = engine.get_tensor_mode(name) != trt.TensorIOMode.INPUT
        sides[is_output].append(tensor_spec(name, dtype, shape, names))
    check_sides(spec, tuple(sides[0]), tuple(sides[1]), "the plan's")
    if engine.num_optimization_profiles != profiles:
        raise EngineUnavailable(
            f"graph {spec.name}: the plan has {engine.num_optimization_profiles} profiles, {profiles} were asked for; "
            "build the plan again"
        )
