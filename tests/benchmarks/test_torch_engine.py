"""torch gives what the exported files give, in each mode that runs here; the rest on imitations."""

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from benchmarks.engines import torch_engine
from benchmarks.engines.torch_engine import Recorded, TorchEngine, compiler, missing, probe
from engines.bundle import Bundle
from engines.errors import BundleError, EngineClosed, EngineError, EngineFailed, EngineUnavailable
from engines.onnx_engine import OnnxEngine

Draw = Callable[..., dict[str, Any]]
needs_compiler = pytest.mark.skipif(
    compiler() is None and "CI" not in os.environ, reason="torch.compile needs a C++ compiler: install g++"
)


class Mood(nn.Module):
    """The tiny bundle's mood graph in torch, with its weights."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        weights = [numpy_helper.to_array(c) for c in onnx.load(folder / "mood.onnx").graph.initializer]
        self.weight = nn.Parameter(torch.from_numpy(weights[0].copy()))
        self.bias = nn.Parameter(torch.from_numpy(weights[1].copy()))

    def forward(self, embedding: Tensor) -> Tensor:
        return torch.sigmoid(embedding @ self.weight + self.bias)


@dataclass
class Graph:
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


@pytest.fixture
def small(bundle: Bundle) -> Bundle:
    """The tiny bundle with its mood graph alone."""
    return replace(bundle, manifest=replace(bundle.manifest, graphs={"mood": bundle.spec("mood")}))


@pytest.fixture
def modules(tiny_bundle: Path) -> dict[str, Graph]:
    return {"mood": Graph(Mood(tiny_bundle).eval(), {"embedding": torch.zeros(3, 32)}, ("mood",))}


@pytest.mark.parametrize("rows", [1, 3, 40])
def test_eager_equals_the_exported_file(small: Bundle, modules: dict[str, Any], draw: Draw, rows: int) -> None:
    engine = TorchEngine(small, modules)
    inputs = draw(small, "mood", rows)
    np.testing.assert_allclose(
        engine.run("mood", inputs)["mood"], OnnxEngine(small).run("mood", inputs)["mood"], atol=1e-6
    )
    assert engine.name == "torch-cpu-eager" and engine.programs == 0


@needs_compiler
@pytest.mark.filterwarnings("ignore")  # torch's own
def test_compiled_equals_the_exported_file(small: Bundle, modules: dict[str, Any], draw: Draw) -> None:
    engine = TorchEngine(small, modules, mode="compile", sizes=(1, 2))
    reference = OnnxEngine(small)
    for rows in (1, 2, 5, 1, 3):
        inputs = draw(small, "mood", rows)
        np.testing.assert_allclose(engine.run("mood", inputs)["mood"], reference.run("mood", inputs)["mood"], atol=1e-5)
    assert engine.name == "torch-cpu-compile" and engine.programs == 2
    assert probe(mode="compile") is None
    engine.close()
    assert engine.programs == 0


def test_the_callers_module_stays_as_it_is(small: Bundle, modules: dict[str, Any], draw: Draw) -> None:
    engine = TorchEngine(small, modules)
    inputs = draw(small, "mood", 2)
    before = engine.run("mood", inputs)["mood"]
    with torch.no_grad():
        modules["mood"].module.bias.add_(5)
    modules["mood"].module.train()
    np.testing.assert_array_equal(engine.run("mood", inputs)["mood"], before)


def test_threads_are_set_and_given_back(small: Bundle, modules: dict[str, Any], draw: Draw) -> None:
    seen: list[int] = []

    class Curious(nn.Module):
        def forward(self, embedding: Tensor) -> Tensor:
            seen.append(torch.get_num_threads())
            assert torch.is_inference_mode_enabled()
            return torch.zeros(len(embedding), 3)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        modules["mood"].module = Curious()
        TorchEngine(small, modules, threads=2).run("mood", draw(small, "mood", 1))
        assert seen == [2] and torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_many_threads_get_their_own_answers(small: Bundle, modules: dict[str, Any], draw: Draw) -> None:
    engine, reference = TorchEngine(small, modules), OnnxEngine(small)

    def work(seed: int) -> None:
        inputs = draw(small, "mood", 1 + seed % 4, seed)
        np.testing.assert_allclose(engine.run("mood", inputs)["mood"], reference.run("mood", inputs)["mood"], atol=1e-6)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(40)))


def test_an_array_that_may_not_be_written(small: Bundle, modules: dict[str, Any], draw: Draw) -> None:
    inputs = draw(small, "mood", 3)
    inputs["embedding"].setflags(write=False)
    assert TorchEngine(small, modules).run("mood", inputs)["mood"].shape == (3, 3)
    backwards = {"embedding": inputs["embedding"][::-1]}
    TorchEngine(small, modules).run("mood", backwards)


def test_inputs_are_checked_and_close_is_final(small: Bundle, modules: dict[str, Any]) -> None:
    engine = TorchEngine(small, modules)
    with pytest.raises(EngineError, match=r"input embedding has shape \(1, 16\)"):
        engine.run("mood", {"embedding": np.zeros((1, 16), np.float32)})
    engine.warmup()
    engine.close()
    engine.close()
    with pytest.raises(EngineClosed, match="torch-cpu-eager is closed"):
        engine.warmup()


class Broken(nn.Module):
    def __init__(self, fault: Exception | None) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, embedding: Tensor) -> Tensor:
        if self.fault is not None:
            raise self.fault
        return torch.full((len(embedding), 3), float("nan"))


def test_faults_are_named(small: Bundle, modules: dict[str, Any], draw: Draw) -> None:
    inputs = draw(small, "mood", 2)
    modules["mood"].module = Broken(None)
    with pytest.raises(EngineFailed, match="output mood holds NaN or infinity in row 0"):
        TorchEngine(small, modules).run("mood", inputs)
    modules["mood"].module = Broken(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    with pytest.raises(EngineFailed, match="engine torch-cpu-eager: graph mood, batch 2: DefaultCPUAllocator"):
        TorchEngine(small, modules).run("mood", inputs)
    for fault, said in (
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "the GPU has no memory left"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "the GPU was lost"),
    ):
        modules["mood"].module = Broken(fault)
        engine = TorchEngine(small, modules)
        engine._device = "cuda:0"  # the words of a GPU, without one
        with pytest.raises(EngineFailed, match=said), pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch_engine, "tensor", lambda array, device: torch.from_numpy(array))
            engine.run("mood", inputs)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mode": "fast"}, "mode is fast, must be one of eager, compile, cuda-graphs"),
        ({"device": "tpu"}, "device is tpu, must be cpu or cuda:NUMBER"),
        ({"device": "cpu:1"}, "device is cpu:1"),
        ({"device": "cuda:x"}, "device is cuda:x"),
        ({"mode": "cuda-graphs"}, "which device cpu does not have"),
        ({"threads": 0}, "threads is 0"),
        ({"sizes": (4, 2)}, r"sizes are \[4, 2\]"),
    ],
)
def test_bad_settings(small: Bundle, modules: dict[str, Any], given: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        TorchEngine(small, modules, **given)


def test_modules_of_another_run(small: Bundle, modules: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="graph mood: has no module, there are none"):
        TorchEngine(small, {})
    modules["mood"].outputs = ("score",)
    with pytest.raises(BundleError, match="graph mood: outputs are mood, the module's score"):
        TorchEngine(small, modules)


def test_what_is_missing_is_said(
    small: Bundle, modules: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if torch.version.cuda is None:
        reason = missing("cuda:0", "eager")
        assert reason is not None and "is built without CUDA" in reason and probe("cuda:0") == reason
        with pytest.raises(EngineUnavailable, match=r"engine torch-cuda-0-cuda-graphs: torch .* is built without CUDA"):
            TorchEngine(small, modules, device="cuda:0", mode="cuda-graphs")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "finds no GPU; install NVIDIA's driver" in (missing("cuda:0", "eager") or "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert "there is no cuda:1, only 1 GPU(s)" in (missing("cuda:1", "eager") or "")
    assert missing("cuda:0", "eager") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert "needs a C++ compiler" in (missing("cpu", "compile") or "")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "torch is not installed" in (probe() or "")


def test_probe_computes() -> None:
    assert probe() is None


class Card:
    """``torch.cuda`` with a card whose recordings replay what was called, in the order that CUDA graphs ask for."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.recording: list[Callable[[], None]] | None = None

    def Stream(self, device: object) -> Any:
        return SimpleNamespace(wait_stream=lambda other: self.log.append("side waits"))

    def current_stream(self, device: object) -> Any:
        return SimpleNamespace(wait_stream=lambda other: self.log.append("main waits"))

    @contextmanager
    def stream(self, stream: object) -> Iterator[None]:
        self.log.append("warm")
        yield

    def CUDAGraph(self) -> Any:
        recording: list[Callable[[], None]] = []
        return SimpleNamespace(recording=recording, replay=lambda: [step() for step in recording])

    @contextmanager
    def graph(self, cuda_graph: Any) -> Iterator[None]:
        self.log.append("record")
        self.recording = cuda_graph.recording
        yield
        self.recording = None


def test_a_recording_is_replayed_over_its_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card()
    for name in ("Stream", "current_stream", "stream", "CUDAGraph", "graph"):
        assert hasattr(torch.cuda, name)
        monkeypatch.setattr(torch.cuda, name, getattr(card, name))
    runs: list[tuple[int, ...]] = []

    def module(x: Tensor, y: Tensor) -> Tensor:
        runs.append((x.data_ptr(), y.data_ptr()))
        out = x + y
        if card.recording is not None:
            card.recording.append(lambda: add(x, y, out))
        return out

    given = [torch.ones(2, 2), torch.ones(2, 2)]
    recorded = Recorded(module, given)
    assert card.log == ["side waits", "warm", "main waits", "record"] and len(runs) == 4
    assert len(set(runs)) == 1 and runs[0] != tuple(t.data_ptr() for t in given)
    found = recorded(torch.full((2, 2), 3.0), torch.full((2, 2), 4.0))
    assert found.tolist() == [[7, 7], [7, 7]] and len(runs) == 4
    assert recorded(torch.zeros(2, 2), torch.ones(2, 2)).tolist() == [[1, 1], [1, 1]]


def add(x: Tensor, y: Tensor, out: Tensor) -> None:
    out.copy_(x + y)


def test_real_names_of_torch_cuda() -> None:
    assert "cuda_graph" in inspect.signature(torch.cuda.graph.__init__).parameters
    assert hasattr(torch.cuda.CUDAGraph, "replay")
    assert {"wait_stream"} <= set(dir(torch.cuda.Stream))
