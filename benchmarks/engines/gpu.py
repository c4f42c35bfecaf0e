"""What a GPU does: its limits, each graph's floor, device time without copies, and the path of many sessions.

Needs torch with CUDA, which has events and a profiler that sees every kernel of the process, also those of ONNX
Runtime and TensorRT. **Nothing in this file has run on a GPU yet**; what does not need one (floors, sums) is tested.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.harness import Row
from engines.errors import EngineError

from .batching import hop_rows
from .contenders import Contender
from .material import Twins, draw_inputs
from .timing import OwnLabels

if TYPE_CHECKING:
    from towers.system import GraphModule

SESSIONS: Final = 64  # whose hop should take 5 ms
PEAK_RUNS: Final = 20
COPY_BYTES: Final = 512 << 20
MATMUL: Final = 8192
PROFILED_RUNS: Final = 20
SMI_FIELDS: Final = "name,driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.limit,temperature.gpu"


def missing() -> str:
    """Why no GPU can be measured here; empty if there is one."""
    try:
        import torch
    except ImportError:
        return "torch is not installed; it times GPUs here"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no GPU"
    return ""


def gpu_rows(
    field: Sequence[Contender], twins: Twins | None, batches: Sequence[int], seconds: float, say: Callable[[str], None]
) -> Iterator[Row]:
    """All rows of the GPU beyond wall times. ``field``: the contenders that run on it."""
    peaks = measure_peaks()
    yield from peaks.values()
    if twins is not None:
        for graph, module in twins.modules.items():
            say(f"GPU: {graph}")
            for batch in batches:
                yield from floor_rows(graph, module, batch, peaks)
                yield from event_rows(graph, module, batch, seconds, [contender.name for contender in field])
    for contender in field:
        say(f"GPU: {contender.title}")
        yield from profiled_rows(contender, batches)
        yield from hop_rows(contender, seconds, (1, SESSIONS), largest=max(batches))


def measure_peaks() -> dict[str, Row]:
    """What a copy and a product of large matrices reach here; the floors use these, not a data sheet."""
    import torch

    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copies_ms = events_ms(lambda: target.copy_(source), PEAK_RUNS)
    rows = {"copy": Row("peak_copy_gb_s", 2 * COPY_BYTES / float(np.median(copies_ms)) / 1e6, len(copies_ms), "GB/s")}
    torch.backends.cuda.matmul.allow_tf32 = False
    for name, dtype in (("float32", torch.float32), ("float16", torch.float16)):
        a = torch.randn(MATMUL, MATMUL, device="cuda").to(dtype)
        durations_ms = events_ms(partial(torch.matmul, a, a), PEAK_RUNS)
        rows[name] = Row(
            f"peak_{name}_tflop_s", 2 * MATMUL**3 / float(np.median(durations_ms)) / 1e9, len(durations_ms), "TFLOP/s"
        )
    return rows


def events_ms(call: Callable[[], Any], runs: int) -> list[float]:
    """Each run between two CUDA events on the current stream, after one untimed."""
    import torch

    call()
    event: Any = torch.cuda.Event
    pairs = [(event(enable_timing=True), event(enable_timing=True)) for _ in range(runs)]
    for before, after in pairs:
        before.record()
        call()
        after.record()
    torch.cuda.synchronize()
    return [float(before.elapsed_time(after)) for before, after in pairs]


def floor_rows(graph: str, module: "GraphModule", batch: int, peaks: Mapping[str, Row]) -> list[Row]:
    """``floor_bytes_ms``: weights and the outputs of layers, each moved once, at the speed of a copy;
    ``floor_ops_ms``: multiplications and additions at the speed of the matrix product in float32."""
    moved, operations = demand(module, draw_tensors(module, batch))
    labels: OwnLabels = {"graph": graph, "batch": batch}
    return [
        Row("floor_bytes_ms", moved / peaks["copy"].value / 1e6, 1, "ms", labels),
        Row("floor_ops_ms", operations / peaks["float32"].value / 1e9, 1, "ms", labels),
    ]


def demand(module: "GraphModule", inputs: "Sequence[Any]") -> tuple[int, int]:
    """(bytes, operations): weights read once, inputs read, every leaf layer's output written once; the operations
    that torch counts: products and convolutions."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    moved = sum(value.nbytes for value in module.module.state_dict().values()) + sum(value.nbytes for value in inputs)

    def count(_: Any, __: Any, output: Any) -> None:
        nonlocal moved
        moved += sum(
            value.nbytes for value in (output if isinstance(output, tuple) else (output,)) if hasattr(value, "nbytes")
        )

    hooks = [part.register_forward_hook(count) for part in module.module.modules() if not list(part.children())]
    try:
        # not in inference mode, where torch counts nothing
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module.module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return moved, int(counter.get_total_flops())


def draw_tensors(module: "GraphModule", batch: int, device: str = "cpu") -> list[Any]:
    """The module's own examples, repeated up to ``batch`` rows."""
    import torch

    return [
        torch.cat([value] * (batch // len(value) + 1))[:batch].contiguous().to(device)
        for value in module.inputs.values()
    ]


def event_rows(graph: str, module: "GraphModule", batch: int, seconds: float, names: Sequence[str]) -> Iterator[Row]:
    """``device_p50_ms`` and ``device_p99_ms`` of those of torch's three modes that are among ``names``, inputs and
    outputs on the device. Compiling takes minutes, so a mode that nobody asked for is not made."""
    if not any(name.startswith("torch-cuda-") for name in names):
        return
    import copy

    import torch

    from .torch_engine import Recorded, compile_module

    inputs = draw_tensors(module, batch, "cuda")
    placed = copy.deepcopy(module.module).eval().to("cuda")
    makers: dict[str, Callable[[], Callable[..., Any]]] = {
        "torch-cuda-eager": lambda: placed,
        "torch-cuda-compile": lambda: compile_module(placed, inputs),
        "torch-cuda-graphs": lambda: Recorded(placed, inputs),
    }
    for name, make in makers.items():
        if name not in names:
            continue
        labels: OwnLabels = {"graph": graph, "engine": name, "batch": batch, "precision": "float32"}
        try:
            with torch.inference_mode():
                program = make()
                once = float(np.median(events_ms(partial(program, *inputs), 5)))
                runs = int(min(1000, max(50, seconds * 1e3 / max(once, 1e-3) / len(makers))))
                durations_ms = events_ms(partial(program, *inputs), runs)
        except Exception as error:  # noqa: BLE001 - torch, Inductor and CUDA share no narrower class; the row tells
            yield Row("failed", 1.0, 1, "", {**labels, "reason": (str(error) or type(error).__name__).splitlines()[0]})
            continue
        half, most = np.percentile(durations_ms, (50, 99))
        yield Row("device_p50_ms", float(half), runs, "ms", labels)
        yield Row("device_p99_ms", float(most), runs, "ms", labels)


def profiled_rows(contender: Contender, batches: Sequence[int]) -> Iterator[Row]:
    """``kernels_ms`` and ``copies_ms``: device time of a run by kind, means over the runs of a profile."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    for graph, spec in contender.ready.bundle.manifest.graphs.items():
        for batch in batches:
            labels: OwnLabels = {
                "graph": graph,
                "engine": contender.name,
                "precision": contender.precision,
                "batch": batch,
            }
            inputs = draw_inputs(spec, batch, np.random.default_rng(batch))
            try:
                contender.ready.run(graph, inputs)
                with profile(activities=[ProfilerActivity.CUDA]) as profiled:
                    for _ in range(PROFILED_RUNS):
                        contender.ready.run(graph, inputs)
                    torch.cuda.synchronize()
            except EngineError as error:
                yield Row("failed", 1.0, 1, "", {**labels, "reason": str(error).splitlines()[0]})
                continue
            kernels, copies = split_times((event.key, event.device_time_total) for event in profiled.key_averages())
            yield Row("kernels_ms", kernels / PROFILED_RUNS / 1e3, PROFILED_RUNS, "ms", labels)
            yield Row("copies_ms", copies / PROFILED_RUNS / 1e3, PROFILED_RUNS, "ms", labels)


def split_times(events: "Iterator[tuple[str, float]] | Sequence[tuple[str, float]]") -> tuple[float, float]:
    """(kernels, copies) of a profile's events by name, in its unit."""
    kernels = copies = 0.0
    for name, duration in events:
        if name.lower().startswith(("memcpy", "memset")):
            copies += duration
        else:
            kernels += duration
    return kernels, copies


def gpu_environment() -> dict[str, str]:
    """Name, driver and clocks as nvidia-smi reports them now, and versions of the GPU's libraries; else empty."""
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return {}
    command = [smi, f"--query-gpu={SMI_FIELDS}", "--format=csv,noheader", "--id=0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    facts = {f"gpu {field}": value for field, value in zip(SMI_FIELDS.split(","), parts(done.stdout), strict=False)}
    try:
        import torch
    except ImportError:
        return facts
    cudnn: Any = torch.backends.cudnn
    return facts | {"torch": torch.__version__, "cuda": str(torch.version.cuda), "cudnn": str(cudnn.version())}


def parts(line: str) -> list[str]:
    return [part.strip() for part in line.strip().splitlines()[0].split(",")] if line.strip() else []
