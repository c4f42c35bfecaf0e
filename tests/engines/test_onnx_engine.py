"""ONNX Runtime gives the graphs' numbers, with the settings asked for, and refuses what the manifest does not say."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from random_inputs import random_inputs

from engines import onnx_engine
from engines.bundle import load_bundle
from engines.errors import BundleError, EngineClosed, EngineError
from engines.onnx_engine import OnnxEngine, session_options
from features.spec import FEATURES


@pytest.fixture
def engine(tiny_bundle: Path) -> Iterator[OnnxEngine]:
    engine = OnnxEngine(load_bundle(tiny_bundle, FEATURES))
    yield engine
    engine.close()


@pytest.fixture
def folder(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def replace_graph(folder: Path, graph: str, data: bytes) -> None:
    """Another file for a graph, with its hash in the manifest put right."""
    (folder / f"{graph}.onnx").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["graphs"][graph]["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_mood_graph_equals_its_formula(engine: OnnxEngine, tiny_bundle: Path) -> None:
    weights = [numpy_helper.to_array(c) for c in onnx.load(tiny_bundle / "mood.onnx").graph.initializer]
    inputs = random_inputs(engine.spec("mood"), 5)
    expected = 1 / (1 + np.exp(-(inputs["embedding"] @ weights[0] + weights[1])))
    np.testing.assert_allclose(engine.run("mood", inputs)["mood"], expected, atol=1e-6)


@pytest.mark.parametrize("graph", ["video_sequence", "music_sequence"])
def test_what_the_mask_hides_does_not_matter(engine: OnnxEngine, graph: str) -> None:
    inputs = random_inputs(engine.spec(graph), 6)
    inputs["mask"] = np.tile(np.arange(7) < 3, (6, 1))
    other = {name: array.copy() for name, array in inputs.items()}
    for name, array in other.items():
        if name != "mask":
            array[:, 3:] = 9
    one, two = (engine.run(graph, arrays)["embedding"] for arrays in (inputs, other))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
    other["clips"][:, 0] = 9
    assert np.abs(engine.run(graph, other)["embedding"] - one).max() > 1e-3


def test_ranges_and_dtypes(engine: OnnxEngine) -> None:
    for graph in engine.bundle.manifest.graphs:
        for name, array in engine.run(graph, random_inputs(engine.spec(graph), 4)).items():
            assert array.dtype == np.float32 and array.shape[0] == 4
            if name in ("score", "mood"):
                assert array.min() >= 0 and array.max() <= 1 and np.ptp(array) > 0


@pytest.mark.parametrize("graph", ["video_clip", "music_clip", "matcher"])
def test_a_batch_equals_its_rows(engine: OnnxEngine, graph: str) -> None:
    inputs = random_inputs(engine.spec(graph), 5)
    whole = engine.run(graph, inputs)
    for row in range(5):
        alone = engine.run(graph, {name: array[row : row + 1] for name, array in inputs.items()})
        for name, array in alone.items():
            np.testing.assert_allclose(array[0], whole[name][row], atol=1e-5)


def test_run_from_many_threads(engine: OnnxEngine) -> None:
    inputs = random_inputs(engine.spec("video_clip"), 2)
    expected = engine.run("video_clip", inputs)["embedding"]
    with ThreadPoolExecutor(4) as pool:
        for outputs in pool.map(lambda _: engine.run("video_clip", inputs), range(40)):
            np.testing.assert_array_equal(outputs["embedding"], expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_thread_settings(tiny_bundle: Path, threads: int) -> None:
    engine = OnnxEngine(load_bundle(tiny_bundle, FEATURES), threads=threads)
    assert engine.name == f"onnx-cpu-{threads}"
    sessions = engine._sessions
    assert sessions is not None and len(sessions) == 6
    for session in sessions.values():
        options = session.get_session_options()
        assert options.intra_op_num_threads == threads
        assert options.inter_op_num_threads == 1
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
        assert session.get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize("threads", [0, -1])
def test_a_thread_at_least(tiny_bundle: Path, threads: int) -> None:
    with pytest.raises(EngineError, match=f"threads is {threads}, must be at least 1"):
        OnnxEngine(load_bundle(tiny_bundle, FEATURES), threads=threads)


def test_a_silent_fallback_is_refused(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fallen:
        def __init__(self, *args: object, **options: object) -> None: ...

        def get_providers(self) -> list[str]:
            return ["OtherExecutionProvider"]

    monkeypatch.setattr(onnx_engine.ort, "InferenceSession", Fallen)
    with pytest.raises(EngineError, match="uses OtherExecutionProvider, was asked for CPUExecutionProvider"):
        OnnxEngine(load_bundle(tiny_bundle, FEATURES))


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"not a model", lambda data: b""])
def test_a_file_that_is_no_model(folder: Path, damage: Any) -> None:
    replace_graph(folder, "mood", damage((folder / "mood.onnx").read_bytes()))
    with pytest.raises(BundleError, match=r"ONNX Runtime cannot open mood\.onnx: .*; export the bundle again"):
        OnnxEngine(load_bundle(folder, FEATURES))


def test_a_file_with_other_names(folder: Path) -> None:
    replace_graph(folder, "mood", (folder / "video_clip.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"mood\.onnx: inputs are clip_image, manifest\.json says embedding"):
        OnnxEngine(load_bundle(folder, FEATURES))


def test_a_file_with_other_shapes(folder: Path) -> None:
    replace_graph(folder, "music_sequence", resized(folder / "music_sequence.onnx"))
    with pytest.raises(BundleError) as caught:
        OnnxEngine(load_bundle(folder, FEATURES))
    assert "input is mask bool (3, 7), manifest.json says mask bool (batch, 7)" in str(caught.value)


def resized(file: Path) -> bytes:
    model = onnx.load(file)
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = 3
    return bytes(model.SerializeToString())


def test_a_file_changed_after_the_check(folder: Path) -> None:
    bundle = load_bundle(folder, FEATURES)
    (folder / "mood.onnx").write_bytes((folder / "matcher.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"mood\.onnx .* has SHA-256"):
        OnnxEngine(bundle)


def test_inputs_are_checked(engine: OnnxEngine) -> None:
    with pytest.raises(EngineError, match=r"graph mood: input embedding has shape \(1, 16\), must be \(batch, 32\)"):
        engine.run("mood", {"embedding": np.zeros((1, 16), np.float32)})
    with pytest.raises(BundleError, match="has no graph oracle"):
        engine.run("oracle", {})


def test_warmup_and_close(engine: OnnxEngine) -> None:
    engine.warmup()
    engine.close()
    engine.close()
    with pytest.raises(EngineClosed, match="onnx-cpu-1 is closed"):
        engine.warmup()


def test_options_are_fresh_each_time() -> None:
    assert session_options(1) is not session_options(1)
