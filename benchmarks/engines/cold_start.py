"""One cold start, in a process of its own: ``python -m benchmarks.engines.cold_start JSON``; a line of JSON comes out.

Times in milliseconds: ``import`` (the runtime and what it needs), ``open`` (bundle read, every session opened; plans
are loaded, not built), ``first`` and ``steady`` run of the clip tower of
the video with one row. Nothing else may be imported before: this file itself imports only the standard library.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEADY_RUNS = 20
RUNTIMES = {  # engine -> its module, which imports what it runs on
    "onnx-cpu": "onnx_engine",
    "onnx-cuda": "onnx_cuda",
    "onnx-rtx": "onnx_rtx",
    "tensorrt": "tensorrt_engine",
    "tensorrt-rtx": "tensorrt_engine",
}


def main(options: dict[str, Any]) -> dict[str, float]:
    steps: dict[str, float] = {}
    began = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal began
        steps[name] = (time.perf_counter() - began) * 1e3
        began = time.perf_counter()

    from engines.base import example_inputs
    from engines.bundle import load_bundle
    from features.spec import FEATURES

    opener = load_opener(options["engine"])
    lap("import")
    bundle = load_bundle(options["bundle"], FEATURES)
    modules = modules_of(options)
    began = time.perf_counter() if modules is not None else began  # loading a run is not part of an engine's start
    engine = opener(bundle, modules, options)
    lap("open")
    graph = bundle.graphs.video_towers[0].name
    inputs = example_inputs(engine.spec(graph))
    began = time.perf_counter()
    engine.run(graph, inputs)
    lap("first")
    durations_ms = []
    for _ in range(STEADY_RUNS):
        began = time.perf_counter()
        engine.run(graph, inputs)
        durations_ms.append((time.perf_counter() - began) * 1e3)
    steps["steady"] = sorted(durations_ms)[len(durations_ms) // 2]
    engine.close()
    return steps


def load_opener(name: str) -> Callable[[Any, Any, dict[str, Any]], Any]:
    """Import the engine's runtime; return a function that opens it from (bundle, modules, options)."""
    if not name.startswith("torch-"):
        from engines.choose import OPENERS, EngineOptions

        importlib.import_module(f"engines.{RUNTIMES[name]}")

        def open_named(bundle: Any, modules: Any, options: dict[str, Any]) -> Any:
            plans = Path(options["plans"]) if options.get("plans") else None
            return OPENERS[name](bundle, EngineOptions(precision=options["precision"], plans=plans))

        return open_named
    import torch

    from .torch_engine import TorchEngine

    torch.set_num_threads(1)
    device = "cuda:0" if name.startswith("torch-cuda-") else "cpu"
    mode = {"graphs": "cuda-graphs"}.get(name.rpartition("-")[2], name.rpartition("-")[2])
    return lambda bundle, modules, options: TorchEngine(bundle, modules, device, mode)


def modules_of(options: dict[str, Any]) -> Any:
    if not options["engine"].startswith("torch-"):
        return None
    from towers.run import load_run

    return load_run(options["run"]).graphs()


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))  # noqa: T201
