"""A bundle appears whole or not at all, and what it says of itself is true."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engines.bundle import load_bundle
from engines.errors import BundleError
from engines.onnx_engine import OnnxEngine
from export import bundle as bundle_module
from export.bundle import ExportReport, write_bundle
from export.errors import ExportError
from features.spec import FEATURES

Make = Callable[..., Any]

FED = ("clip_image", "displacement", "clip_mel", "rhythm")  # what the small graphs take


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], ExportReport]:
    """One export of the unchanged small run, shared by the tests that only read it."""
    made: list[ExportReport] = []

    def once(run: Any) -> ExportReport:
        if not made:
            made.append(write_bundle(run, "small", tmp_path_factory.mktemp("out") / "deep" / "bundle", "a name"))
        return made[0]

    return once


@pytest.fixture
def report(export: Callable[[Any], ExportReport], small_run: Make) -> ExportReport:
    return export(small_run())


def test_the_manifest(report: ExportReport) -> None:
    manifest = json.loads((report.path / "manifest.json").read_text())
    assert (manifest["format"], manifest["name"], manifest["system"], manifest["opset"]) == (1, "a name", "small", 20)
    assert (manifest["clip_dim"], manifest["embedding_dim"], manifest["max_clips"]) == (6, 4, 7)
    assert manifest["training"] == {"corpus": "none", "pairs": 0, "seed": 0}
    assert manifest["features"] == {name: dict(FEATURES[name]) for name in FED}
    assert sorted(file.name for file in report.path.iterdir()) == sorted(
        ["manifest.json", *(f"{graph}.onnx" for graph in manifest["graphs"])]
    )
    for graph, entry in manifest["graphs"].items():
        assert entry["sha256"] == hashlib.sha256((report.path / f"{graph}.onnx").read_bytes()).hexdigest()
    assert report.path.stat().st_mode & 0o777 == 0o755


def test_the_report(report: ExportReport) -> None:
    assert report.identity == load_bundle(report.path, FEATURES).identity
    assert [graph.name for graph in report.graphs] == ["video_clip", "music_clip", "video_sequence", "music_sequence"]
    for graph in report.graphs:
        assert graph.size_bytes == (report.path / f"{graph.name}.onnx").stat().st_size
        assert 0 <= graph.difference <= 1e-4


def test_it_runs_and_says_what_torch_says(report: ExportReport, small_run: Make) -> None:
    engine = OnnxEngine(load_bundle(report.path, FEATURES))
    for name, graph in small_run().graphs().items():
        found = engine.run(name, {key: value.numpy() for key, value in graph.inputs.items()})
        with torch.inference_mode():
            np.testing.assert_allclose(found["embedding"], graph.module(*graph.inputs.values()).numpy(), atol=1e-5)
    engine.close()


@pytest.mark.usefixtures("instant_export")
def test_an_older_bundle_is_replaced(small_run: Make, tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "manifest.json").write_text("{}")
    (target / "stale.onnx").write_text("old")
    steps: list[str] = []
    report = write_bundle(small_run(), "small", target, "new", steps.append)
    assert load_bundle(target, FEATURES).identity == report.identity
    assert not (target / "stale.onnx").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["bundle"]
    assert steps == [
        "exporting video_clip",
        "exporting music_clip",
        "exporting video_sequence",
        "exporting music_sequence",
        "comparing with torch",
    ]


def test_a_folder_of_something_else_is_left_alone(small_run: Make, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("dear")
    with pytest.raises(ExportError, match="holds files that are no bundle; name a new folder"):
        write_bundle(small_run(), "small", tmp_path, "x")
    assert (tmp_path / "holiday.jpg").read_text() == "dear"


def test_a_file_in_the_way(small_run: Make, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("a file")
    with pytest.raises(ExportError, match="bundle: is a file; name a folder"):
        write_bundle(small_run(), "small", tmp_path / "bundle", "x")
    with pytest.raises(ExportError, match="has no name of its own"):
        write_bundle(small_run(), "small", Path("/"), "x")


@pytest.fixture
def instant_export(monkeypatch: pytest.MonkeyPatch, report: ExportReport) -> None:
    """The tracing itself replaced by the graphs of the shared export, for tests of what comes after."""
    spec = load_bundle(report.path, FEATURES).spec

    def cached(name: str, *_: object) -> Any:
        graph = spec(name)
        return bundle_module.OnnxGraph((report.path / graph.file).read_bytes(), graph.inputs, graph.outputs)

    monkeypatch.setattr(bundle_module, "export_graph", cached)


@pytest.mark.usefixtures("instant_export")
@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"music_dim": 9}, BundleError, r"clip_dim 6 \(video\) and 9 \(music\), embedding_dim 4"),
        ({"embedding_dim": 9}, BundleError, r"clip_dim 6 \(video\) and 6 \(music\), embedding_dim 9"),
        ({"changes": {"music_clip": None}}, BundleError, "the graph music_clip is missing"),
        ({"training": {"loss": float("nan")}}, ExportError, "training record cannot be stored"),
        ({"training": {"path": Path("x")}}, ExportError, "training record cannot be stored"),
    ],
)
def test_a_failure_leaves_everything_as_it_was(
    small_run: Make, tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "manifest.json").write_text("{}")
    with pytest.raises(error, match=said):
        write_bundle(small_run(**options), "small", target, "x")
    assert [file.name for file in tmp_path.iterdir()] == ["bundle"]
    assert (target / "manifest.json").read_text() == "{}"


def test_the_wiring_is_written(small_run: Make, graph_of: Make, tmp_path: Path) -> None:
    """Another tower for the video, and a window's graph that takes from both."""
    plain = small_run().graphs()
    first, window = plain["video_clip"], plain["video_sequence"]

    class OfTwo(torch.nn.Module):
        def forward(self, clips: Tensor, mask: Tensor, displacement: Tensor, darker: Tensor) -> Tensor:
            value: Tensor = window.module(clips + darker.flip(-1), mask, displacement)
            return value

    class Darker(torch.nn.Module):
        def forward(self, clip_image: Tensor) -> Tensor:
            value: Tensor = first.module(clip_image // 2)
            return value

    takes = {"clips": "video_clip", "darker": "video_darker"}
    changes = {
        "video_sequence": graph_of(
            OfTwo().eval(),
            {**window.inputs, "darker": window.inputs["clips"] / 2},
            features=window.features,
            takes=takes,
        ),
        "video_darker": graph_of(Darker().eval(), first.inputs, features=first.features, of="video clip"),
    }
    report = write_bundle(small_run(changes=changes), "small", tmp_path / "two", "x")
    entries = json.loads((report.path / "manifest.json").read_text())["graphs"]
    assert entries["video_darker"]["of"] == "video clip" and entries["video_sequence"]["takes"] == takes
    assert [graph for graph, entry in entries.items() if {"of", "takes"} & set(entry)] == [
        "video_sequence",
        "video_darker",
    ]
    graphs = load_bundle(report.path, FEATURES).graphs
    assert [graph.name for graph in graphs.live] == ["video_clip", "video_darker", "video_sequence"]
    assert graphs.widths["video_darker"] == 6 and graphs.query.name == "video_sequence"


@pytest.mark.usefixtures("instant_export")
def test_a_feature_that_nobody_computes(small_run: Make, tmp_path: Path) -> None:
    graph = small_run().graphs()["music_clip"]
    graph.features = ("lyrics",)
    with pytest.raises(ExportError, match="graph music_clip: is fed from the feature lyrics, there are clip_image"):
        write_bundle(small_run(changes={"music_clip": graph}), "small", tmp_path / "b", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("instant_export")
def test_other_weights_than_the_exported_ones_are_caught(small_run: Make, tmp_path: Path) -> None:
    graph = small_run().graphs()["music_clip"]
    with torch.no_grad():
        graph.module.out.bias.add_(0.01)
    with pytest.raises(ExportError, match="graph music_clip, batch 1, full: output embedding differs from torch"):
        write_bundle(small_run(changes={"music_clip": graph}), "small", tmp_path / "b", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("instant_export")
def test_the_old_bundle_comes_back_when_the_new_cannot_stand(
    small_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "manifest.json").write_text("{}")
    rename = Path.rename

    def failing(self: Path, other: Path) -> Path:
        if self.suffix == ".part":
            raise OSError("no space left")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no space left"):
        write_bundle(small_run(), "small", target, "x")
    assert (target / "manifest.json").read_text() == "{}"
    assert [file.name for file in tmp_path.iterdir()] == ["bundle"]
