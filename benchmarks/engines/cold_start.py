"""One cold start, in a process of its own: ``python -m benchmarks.engines.cold_start JSON``; a line of JSON comes out.

Times in milliseconds: ``import`` (the runtime and what it needs), ``open`` (bundle read, every session opened; with
TensorRT the plans are built here, or loaded if the folder has them), ``first`` and ``steady`` run of the clip tower of
the video with one row. Nothing else may be imported before: this file's own imports are the standard library's.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEADY_RUNS = 20


def main(asked: dict[str, Any]) -> dict[str, float]:
    steps: dict[str, float] = {}
    began = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal began
        steps[name] = (time.perf_counter() - began) * 1e3
        began = time.perf_counter()

    from engines.base import example_inputs
    from engines.bundle import load_bundle
    from features.spec import FEATURES

    opener = imported(asked["engine"])
    lap("import")
    bundle = load_bundle(asked["bundle"], FEATURES)
    modules = modules_of(asked)
    began = time.perf_counter() if modules is not None else began  # loading a run is no part of an engine's start
    engine = opener(bundle, modules, asked)
    lap("open")
    graph = bundle.graphs.video_towers[0].name
    inputs = example_inputs(engine.spec(graph))
    began = time.perf_counter()
    engine.run(graph, inputs)
    lap("first")
    taken = []
    for _ in range(STEADY_RUNS):
        began = time.perf_counter()
        engine.run(graph, inputs)
        taken.append((time.perf_counter() - began) * 1e3)
    steps["steady"] = sorted(taken)[len(taken) // 2]
    engine.close()
    return steps


def imported(name: str) -> Callable[[Any, Any, dict[str, Any]], Any]:
    """Imports the runtime of the engine; returns what opens it."""
    if name == "onnx-cpu":
        from engines.onnx_engine import OnnxEngine

        return lambda bundle, modules, asked: OnnxEngine(bundle, 1, asked["precision"])
    if name == "onnx-cuda":
        from engines.onnx_cuda import OnnxCudaEngine

        return lambda bundle, modules, asked: OnnxCudaEngine(bundle, 0, asked["precision"])
    if name == "tensorrt":
        from engines.tensorrt_engine import TensorrtEngine

        return lambda bundle, modules, asked: TensorrtEngine(bundle, 0, Path(asked["plans"]), asked["precision"])
    import torch

    from .torch_engine import TorchEngine

    torch.set_num_threads(1)
    device = "cuda:0" if name.startswith("torch-cuda-") else "cpu"
    mode = {"graphs": "cuda-graphs"}.get(name.rpartition("-")[2], name.rpartition("-")[2])
    return lambda bundle, modules, asked: TorchEngine(bundle, modules, device, mode)


def modules_of(asked: dict[str, Any]) -> Any:
    if not asked["engine"].startswith("torch-"):
        return None
    from towers.run import load_run

    return load_run(asked["run"]).graphs()


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))  # noqa: T201
