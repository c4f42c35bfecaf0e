"""A precision is kept where it is right and pays, and left out with the reason where not."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from export import bundle as bundle_module
from export import variants as variants_module
from export.bundle import ExportReport, write_bundle
from export.cli import precisions_of, verdict_line
from export.errors import ExportError
from export.precision import to_float16
from export.probe import Probe, embeddings, graph_inputs, hide, thin_rows
from export.variants import VariantOptions, Verdict
from features.spec import CLIP_IMAGE_SHAPE, CLIP_MEL_SHAPE, FEATURES, MAX_CLIPS

Make = Callable[..., Any]


def probe_of(pairs: int = 20, seed: int = 0) -> Probe:
    rng = np.random.default_rng(seed)
    clips = pairs * MAX_CLIPS
    mask = np.arange(MAX_CLIPS) < rng.integers(1, MAX_CLIPS + 1, (pairs, 1))
    image = rng.integers(0, 256, (clips, 1, CLIP_IMAGE_SHAPE[1]), np.uint8)
    return Probe(
        {"clip_image": np.broadcast_to(image, (clips, *CLIP_IMAGE_SHAPE)).copy()},
        {"clip_mel": (rng.normal(size=(clips, 1, 1)) * 5 + rng.uniform(-13, 5, (clips, *CLIP_MEL_SHAPE))).astype("f4")},
        {"mask": mask, "displacement": hide(rng.random((pairs, MAX_CLIPS), np.float32), mask)},
        {"mask": mask[::-1].copy(), "rhythm": rng.random((pairs, MAX_CLIPS, 3), np.float32)},
    )


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], dict[str, bundle_module.OnnxGraph]]:
    """The small run's float32 graphs, traced once."""
    made: dict[str, bundle_module.OnnxGraph] = {}

    def once(run: Any) -> dict[str, bundle_module.OnnxGraph]:
        if not made:
            for name, graph in run.graphs().items():
                made[name] = bundle_module.export_graph(name, graph.module, graph.inputs, graph.outputs)
        return made

    return once


@pytest.fixture(autouse=True)
def instant(monkeypatch: pytest.MonkeyPatch, traced: Callable[..., Any], small_run: Make) -> None:
    graphs = traced(small_run())
    monkeypatch.setattr(bundle_module, "export_graph", lambda name, *_: graphs[name])


@pytest.fixture
def pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every int8 graph twice as fast: no test waits for a clock or believes one."""
    monkeypatch.setattr(variants_module, "speedups", lambda *_: {1: 2.0, 8: 2.0})


@pytest.fixture
def pays_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants_module, "speedups", lambda *_: {1: 2.0, 8: 1.09})


def export(run: Any, folder: Path, **wanted: Any) -> ExportReport:
    return write_bundle(run, "small", folder / "bundle", "x", options=VariantOptions(**wanted))


def test_float16_without_a_corpus(small_run: Make, tmp_path: Path) -> None:
    report = export(small_run(), tmp_path, precisions=("float16",))
    bundle = load_bundle(report.path, FEATURES)
    assert bundle.identity == report.identity
    assert [verdict.reason for verdict in report.variants] == [""] * 4
    for verdict in report.variants:
        assert bundle.precisions(verdict.graph) == ("float32", "float16")
        assert verdict.size_bytes == (report.path / f"{verdict.graph}.float16.onnx").stat().st_size
        assert 0 < verdict.difference < 0.01 and verdict.cosine > 0.9999 and verdict.shared is None
    engine = OnnxEngine(bundle, precision="float16")
    assert {engine.precision_of(graph) for graph in bundle.manifest.graphs} == {"float16"}
    engine.close()


def test_nothing_more_than_asked_for(small_run: Make, tmp_path: Path) -> None:
    report = export(small_run(), tmp_path)
    assert report.variants == () and "variants" not in (report.path / "manifest.json").read_text()


@pytest.mark.usefixtures("pays")
def test_int8_on_a_corpus(small_run: Make, tmp_path: Path) -> None:
    wanted = {"precisions": ("float16", "int8"), "probe": probe_of(), "calibration": probe_of(seed=1)}
    report = export(small_run(), tmp_path, **wanted)
    manifest = json.loads((report.path / "manifest.json").read_text())
    kept = {(verdict.graph, verdict.precision) for verdict in report.variants if not verdict.reason}
    there = {(graph, name) for graph, entry in manifest["graphs"].items() for name in entry.get("variants", {})}
    assert kept == there and {precision for _, precision in kept} == {"float16", "int8"}
    assert len(report.variants) == 8
    for verdict in report.variants:
        if not verdict.reason:
            assert verdict.cosine >= 0.999 and verdict.shared is not None and verdict.shared >= 9
    again = export(small_run(), tmp_path, **wanted)
    assert again.identity == report.identity, "the same run gives the same bundle"


@pytest.mark.usefixtures("pays_not")
def test_int8_that_does_not_pay(small_run: Make, tmp_path: Path) -> None:
    wanted = {"precisions": ("int8",), "probe": probe_of(), "calibration": probe_of(seed=1)}
    report = export(small_run(), tmp_path, **wanted)
    assert not list(report.path.glob("*.int8.onnx"))
    assert any(v.reason == "does not pay here: 2.00 at batch 1, 1.09 at batch 8 times as fast as float32, must be 1.1"
               for v in report.variants)  # fmt: skip
    kept = export(small_run(), tmp_path, **wanted, keep_slower=True)
    assert list(kept.path.glob("*.int8.onnx"))


def damaged(amount: float) -> Callable[[bytes, str], bytes]:
    """float16 with every weight of rank 2 shifted at random."""
    import onnx
    from onnx import numpy_helper

    def make(data: bytes, name: str) -> bytes:
        model = onnx.load_model_from_string(to_float16(data, name))
        rng = np.random.default_rng(0)
        for tensor in model.graph.initializer:
            if len(tensor.dims) == 2:
                value = numpy_helper.to_array(tensor)
                noise = amount * value.std() * rng.normal(size=value.shape)
                tensor.CopyFrom(numpy_helper.from_array((value + noise).astype(value.dtype), tensor.name))
        return bytes(model.SerializeToString())

    return make


@pytest.mark.parametrize("corpus", [True, False])
def test_a_precision_that_is_wrong_is_left_out(
    small_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: bool
) -> None:
    monkeypatch.setattr(variants_module, "to_float16", damaged(0.5))
    report = export(small_run(), tmp_path, precisions=("float16",), probe=probe_of() if corpus else None)
    assert not list(report.path.glob("*.float16.onnx"))
    for verdict in report.variants:
        assert "has cosine" in verdict.reason and "must have 0.999" in verdict.reason
        assert "left out: graph" in verdict_line(verdict)


def test_a_search_that_finds_others_is_left_out(
    small_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every graph alone is within .999; what a search finds is counted all the same."""
    monkeypatch.setattr(variants_module, "OVERLAP", 10.01)
    report = export(small_run(), tmp_path, precisions=("float16",), probe=probe_of())
    assert all("of the first 10, must share" in verdict.reason for verdict in report.variants)


def test_graphs_that_are_right_alone_and_not_together(
    small_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        variants_module.Judge, "_measure_shared", lambda self, candidates: 10.0 if len(candidates) < 3 else 8.0
    )
    report = export(small_run(), tmp_path, precisions=("float16",), probe=probe_of())
    dropped = [verdict for verdict in report.variants if verdict.reason]
    assert len(dropped) == 2
    assert all(v.reason == "with the others shares 8.00 of the first 10, must share 9" for v in dropped)
    kept = [verdict for verdict in report.variants if not verdict.reason]
    assert max(v.cosine for v in dropped) <= min(v.cosine for v in kept)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            {"precisions": ("int8",)},
            "precision int8: its scales are measured and judged on real clips; name a --corpus",
        ),
        ({"precisions": ("bfloat16",)}, "precision bfloat16: cannot be made; choose of float16, int8"),
    ],
)
def test_what_cannot_be_made(small_run: Make, tmp_path: Path, wanted: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ExportError, match=said):
        export(small_run(), tmp_path, **wanted)
    assert list(tmp_path.iterdir()) == []


def test_real_inputs_of_every_graph(tiny_bundle: Path) -> None:
    class Sums:
        name = "sums"

        def run(self, graph: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
            rows = len(next(iter(inputs.values())))
            assert rows <= 32
            return {"embedding": np.ones((rows, 4 if graph.endswith("clip") else 6), np.float32)}

    probe = probe_of(5)
    made = graph_inputs(probe, Sums(), load_bundle(tiny_bundle, FEATURES).graphs)
    assert set(made) == {"video_clip", "music_clip", "video_sequence", "music_sequence", "matcher", "mood"}
    assert made["video_sequence"]["clips"].shape == (5, MAX_CLIPS, 4)
    np.testing.assert_array_equal(made["video_sequence"]["clips"].any(axis=2), probe.video_windows["mask"])
    assert made["mood"]["embedding"].shape == (5, 6)
    pairs = made["matcher"]
    assert set(pairs) == {"video_clips", "video_mask", "displacement", "music_clips", "music_mask", "rhythm"}
    np.testing.assert_array_equal(pairs["displacement"][:5], pairs["displacement"][5:])
    np.testing.assert_array_equal(pairs["rhythm"][6], pairs["rhythm"][0])
    assert [len(value) for value in thin_rows(probe.video, 9).values()] == [9]


def test_real_inputs_of_two_towers(tmp_path: Path, write_tiny_bundle: Make) -> None:
    bundle = load_bundle(write_tiny_bundle(tmp_path / "two", two_towers=True), FEATURES)
    engine, probe = OnnxEngine(bundle), probe_of(5)
    made = graph_inputs(probe, engine, bundle.graphs)
    for graph, inputs in made.items():
        engine.run(graph, inputs)  # it takes all of them, and just these
    shades = engine.run("video_shades", made["video_shades"])["embedding"].reshape(5, MAX_CLIPS, 5)
    mask = probe.video_windows["mask"]
    np.testing.assert_allclose(made["video_sequence"]["shades"], shades * mask[..., None], atol=1e-6)
    found = embeddings(probe, engine, bundle.graphs, "video")
    np.testing.assert_allclose(found, engine.run("video_sequence", made["video_sequence"])["embedding"], atol=1e-6)
    engine.close()


def test_which_precisions_are_meant() -> None:
    assert precisions_of([]) == precisions_of(["float32"]) == ()
    assert precisions_of(["int8", "int8"]) == ("int8",)
    assert precisions_of(["all"]) == precisions_of(["int8", "float16"]) == ("float16", "int8")


def test_a_line_for_each() -> None:
    line = verdict_line(Verdict("video_clip", "int8", "static", 480_000, 0.1, 0.99931, 9.94, {1: 1.5, 8: 1.75}))
    assert line.split()[:3] == ["video_clip", "int8", "static"]
    assert "0.48 MB, cosine 0.99931, shares 9.94 of the first 10, 1.50 x float32 at batch 1, 1.75 x float32" in line


def test_the_clock_is_read_turn_by_turn(small_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake clock that only the runs themselves move: the ratio of what each is said to take."""
    now = {"thread": 0.0, "wall": 0.0}

    class Session:
        def __init__(self, cost_s: float) -> None:
            self.cost_s = cost_s

        def run(self, names: None, feed: Mapping[str, Any]) -> None:
            now["thread"] += self.cost_s * len(feed["x"])
            now["wall"] += 0.05

    class Timed:
        def __init__(self, cost_s: float) -> None:
            self.session = Session(cost_s)
            self.spec = type("Spec", (), {"name": "g"})

    monkeypatch.setattr(variants_module.time, "thread_time", lambda: now["thread"])
    monkeypatch.setattr(variants_module.time, "monotonic", lambda: now["wall"])
    plain: Any = Timed(0.03)
    other: Any = Timed(0.01)
    found = variants_module.speedups(plain, other, lambda graph, batch: {"x": np.zeros(batch)})
    assert found == {1: pytest.approx(3), 8: pytest.approx(3)}
