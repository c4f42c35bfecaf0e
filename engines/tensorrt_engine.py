"""TensorRT 11 as an engine: a plan a graph, a slot a batch size, one stream for all of them.

Plans come from the cache alone (``plan_cache.py``); they are built by ``segue export --plans BUNDLE``, or here with
``build=True``. A request is cut into slices of at most the largest size, each padded to the next size.

**This engine never ran on a GPU.** A test compares every name and call in these files with the signatures of TensorRT
11.4 and cuda-python, and tests run the logic on a strict stand-in. Only a GPU can show the speed, and whether TensorRT
accepts the graphs: ``benchmarks/gpu.sh`` does build, parity and benchmark in one run.
"""

import threading
from contextlib import ExitStack
from pathlib import Path
from traceback import clear_frames
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from .base import Arrays, check_inputs, check_outputs, example_inputs
from .bundle import FLOAT32, Bundle
from .errors import EngineClosed, EngineError, EngineFailed, EngineUnavailable
from .manifest import BATCH, GraphSpec, TensorSpec, shape_text
from .plan_cache import PlanCache, default_folder
from .rows import join, padded_size
from .tensorrt_build import Plan, Progress, Recipe, plans_for
from .tensorrt_runtime import (
    CudaFault,
    Gpu,
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


class TensorrtEngine:
    """``plans`` is the cache's folder, the user's own by default; ``sizes``, ascending, are the batch sizes that are
    made ready, each within a profile of ``recipe``.

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
    ) -> None:
        recipe = recipe or Recipe()
        self._bundle = bundle
        self._device = device
        self._precision = precision
        self._sizes = sizes
        self._profiles = {size: profile_for(recipe, size) for size in sizes}
        if not sizes or list(sizes) != sorted(set(sizes)):
            raise EngineError(f"sizes are {list(sizes)}, must be positive and ascend")
        self._libraries = libraries or load_libraries()
        self._lock = threading.Lock()
        self._lost: str = ""  # why the device is lost; empty while it works
        self._slots: dict[str, dict[int, Slot]] | None = {}
        self._owner = ExitStack()
        self._stream: cudart.cudaStream_t | None = None
        self._gpu: Gpu = find_gpu(self._libraries, device)
        graph_plans = plans_for(
            self._libraries, bundle, self._gpu, PlanCache(plans or default_folder()), recipe, precision, build, progress
        )
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
        name = f"tensorrt-{self._device}"
        return name if self._precision == FLOAT32 else f"{name}-{self._precision}"

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    def spec(self, graph: str) -> GraphSpec:
        return self._bundle.spec(graph)

    def precision_of(self, graph: str) -> str:
        """The arithmetic that ``graph`` really runs in."""
        self.spec(graph)
        return self._precisions[graph]

    def facts(self) -> dict[str, str]:
        """What a report says of this engine: GPU, versions, and how many of its slots replay a CUDA graph."""
        trt, cuda = self._libraries.trt, self._libraries.cuda
        slots = [slot for sizes in (self._slots or {}).values() for slot in sizes.values()]
        return {
            "gpu": self._gpu.name,
            "capability": self._gpu.capability,
            "tensorrt": str(trt.__version__),
            "cuda_driver": str(unwrap(cuda, cuda.cudaDriverGetVersion(), "asking for the driver's version")),
            "cuda_runtime": str(unwrap(cuda, cuda.cudaRuntimeGetVersion(), "asking for the runtime's version")),
            "sizes": ", ".join(map(str, self._sizes)),
            "captured": f"{sum(slot.captured for slot in slots)} of {len(slots)}",
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
            engine: tensorrt.ICudaEngine | None = runtime.deserialize_cuda_engine(plan.data)
            if engine is None:
                raise EngineUnavailable(
                    f"graph {graph}: TensorRT does not load its plan: {last_error(listener)}; remove it from the plan "
                    f"folder and build it again with segue export --plans {self._bundle.path}"
                )
            keep(own, engine)
            check_engine(trt, engine, spec, len(recipe.profiles))
            slots = self._slots[graph] = {}
            for (
                size,
                profile,
            ) in self._profiles.items():  # no comprehension: after a fault its closure would keep engine
                slots[size] = Slot(self._libraries, engine, spec, profile, size, stream, listener, own)

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
) -> str | None:
    """Why TensorRT cannot run ``bundle`` here; None where every graph ran at every size. Builds nothing."""
    try:
        engine = TensorrtEngine(bundle, device, plans, precision, libraries=libraries)
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
    dtypes = {trt.DataType.FLOAT: "float32", trt.DataType.UINT8: "uint8", trt.DataType.BOOL: "bool"}
    by_direction: dict[bool, list[TensorSpec]] = {True: [], False: []}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        shape = tuple(engine.get_tensor_shape(name))
        dtype = engine.get_tensor_dtype(name)
        free = (BATCH, *shape[1:]) if shape and shape[0] == -1 else shape
        tensor = TensorSpec(name, dtypes.get(dtype, str(dtype)), free)
        by_direction[engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT].append(tensor)
    for side, expected, actual in (
        ("inputs", spec.inputs, by_direction[True]),
        ("outputs", spec.outputs, by_direction[False]),
    ):
        if sorted(map(str, expected)) != sorted(map(str, actual)):
            ours, theirs = (", ".join(sorted(map(str, tensors))) or shape_text(()) for tensors in (expected, actual))
            raise EngineUnavailable(
                f"graph {spec.name}: the plan's {side} are {theirs}, manifest.json says {ours}; build the plan again"
            )
    if engine.num_optimization_profiles != profiles:
        raise EngineUnavailable(
            f"graph {spec.name}: the plan has {engine.num_optimization_profiles} profiles, {profiles} were asked for; "
            "build the plan again"
        )
