"""ONNX Runtime's plugin for TensorRT for RTX, by the same calls on ONNX Runtime's own device for the CPU; what is
missing on a machine without it; what ONNX Runtime's calls are called like. It never ran on a GPU."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as real
import pytest

from engines import onnx_rtx
from engines.bundle import Bundle
from engines.errors import BundleError, EngineClosed, EngineError, EngineFailed, EngineUnavailable
from engines.onnx_engine import OnnxEngine
from engines.onnx_rtx import BEST, LARGEST, MODULE, PACKAGE, PROVIDER, OnnxRtxEngine, profile, refusal, register

CPU = "CPUExecutionProvider"
Draw = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our oldest onnxruntime takes no plugins; what follows is about the rest."""
    monkeypatch.setattr(onnx_rtx.ort, "__version__", "1.24.0")


@pytest.fixture
def engine(bundle: Bundle) -> OnnxRtxEngine:
    return OnnxRtxEngine(bundle, provider=CPU)


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The package, with a library that is none, and ONNX Runtime that notes what it was given."""
    given: list[tuple[str, str]] = []
    monkeypatch.setitem(sys.modules, MODULE, SimpleNamespace(get_library_path=lambda: str(tmp_path / "plugin.so")))  # type: ignore[arg-type]
    monkeypatch.setattr(onnx_rtx, "_registered", set())
    monkeypatch.setattr(
        onnx_rtx.ort, "register_execution_provider_library", lambda name, path: given.append((name, path))
    )
    return given


@pytest.mark.parametrize("rows", [1, 7, LARGEST + 3])
def test_runs_and_slices_equal_plain_ones(engine: OnnxRtxEngine, bundle: Bundle, draw: Draw, rows: int) -> None:
    reference = OnnxEngine(bundle)
    for graph in bundle.manifest.graphs:
        inputs = draw(bundle, graph, rows)
        found, expected = engine.run(graph, inputs), reference.run(graph, inputs)
        assert set(found) == set(expected)
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, atol=1e-6)


def test_inputs_are_checked_and_close_is_final(engine: OnnxRtxEngine, bundle: Bundle) -> None:
    assert engine.name == "onnx-rtx-0" and engine.bundle is bundle
    with pytest.raises(EngineError, match=r"input embedding has shape \(1, 16\)"):
        engine.run("mood", {"embedding": np.zeros((1, 16), np.float32)})
    with pytest.raises(BundleError, match="has no graph oracle"):
        engine.run("oracle", {})
    engine.warmup()
    engine.close()
    with pytest.raises(EngineClosed, match="engine onnx-rtx-0 is closed"):
        engine.warmup()


def test_a_failure_is_that_of_a_gpu(engine: OnnxRtxEngine, draw: Draw, bundle: Bundle) -> None:
    class Lost:
        def run(self, names: object, inputs: object) -> object:
            raise RuntimeError("CUDA failure 2: out of memory ; GPU=0")

    assert engine._sessions is not None
    engine._sessions["mood"] = Lost()
    with pytest.raises(EngineFailed, match="engine onnx-rtx-0: graph mood, batch 2: the GPU has no memory left"):
        engine.run("mood", draw(bundle, "mood", 2))


def test_profiles_are_written_as_the_plugin_reads_them(bundle: Bundle) -> None:
    """Its reader splits at commas, each part at a colon, the shape at each x; a name must hold none of these."""
    for graph in bundle.manifest.graphs:
        spec = bundle.spec(graph)
        rows = {"min": 1, "opt": BEST, "max": LARGEST}
        assert set(profile(spec)) == {f"nv_profile_{end}_shapes" for end in rows}
        for end, count in rows.items():
            read = dict(part.split(":") for part in profile(spec)[f"nv_profile_{end}_shapes"].split(","))
            assert {name: tuple(map(int, shape.split("x"))) for name, shape in read.items()} == {
                tensor.name: (count, *tensor.shape[1:]) for tensor in spec.inputs
            }


def test_without_the_package(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, MODULE, None)
    with pytest.raises(EngineUnavailable, match=rf"engine onnx-rtx-0: the package {PACKAGE} is not installed; pip"):
        OnnxRtxEngine(bundle)


def test_without_a_card_that_it_takes(bundle: Bundle, plugin: Any) -> None:
    for _ in range(2):  # ONNX Runtime is given the library once
        with pytest.raises(EngineUnavailable, match=r"lists 0 cards, needed is number 0; it takes .* 8\.6, 8\.9"):
            OnnxRtxEngine(bundle)
    assert [name for name, _ in plugin] == [PROVIDER]
    with pytest.raises(EngineUnavailable, match=r"lists 1 cards, needed is number 3"):
        OnnxRtxEngine(bundle, 3, provider=CPU)
    with pytest.raises(EngineError, match="device is -1"):
        OnnxRtxEngine(bundle, -1)


def test_an_onnxruntime_without_plugins(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_rtx.ort, "__version__", "1.23.2")
    assert register() == "onnxruntime 1.23.2 here is older than 1.24, which plugins need; upgrade it"
    assert plugin == []


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("libcuda.so.1", "the NVIDIA driver is missing (libcuda.so.1: cannot open"),
        ("libnvidia-ml.so.1", "the NVIDIA driver is missing (libnvidia-ml.so.1: cannot open"),
        ("libcudart.so.13", f"reinstall {PACKAGE}"),
    ],
)
def test_what_is_missing_is_named(missing: str, said: str) -> None:
    """ONNX Runtime's own text, as it was seen."""
    text = (
        f"[ONNXRuntimeError] : 1 : FAIL : Failed to load library /x/libonnxruntime_providers.so with error: {missing}: "
    )
    reason = refusal(RuntimeError(text + "cannot open shared object file: No such file or directory"))
    assert said in reason and "/x/" not in reason


def test_a_failure_without_words_is_a_reason() -> None:
    assert refusal(OSError()) == f"ONNX Runtime cannot load the plugin (OSError); reinstall {PACKAGE}"


def test_a_package_that_does_not_load_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / f"{MODULE}.py").write_text("raise OSError('libnvinfer.so: file too short')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    assert "(libnvinfer.so: file too short)" in (register() or "")


def test_a_library_that_is_none_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "plugin.so").write_text("no library")
    monkeypatch.setitem(sys.modules, MODULE, SimpleNamespace(get_library_path=lambda: str(tmp_path / "plugin.so")))  # type: ignore[arg-type]
    reason = register()
    assert reason is not None and reason.startswith("ONNX Runtime cannot load the plugin (")


def test_onnxruntime_takes_what_is_called() -> None:
    text = real.register_execution_provider_library.__doc__
    assert re.search(r"\(arg0: str, arg1: [^,)]+\) -> None", text), text
