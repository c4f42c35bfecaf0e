"""A bundle with an imported part: ours as it was, theirs beside it, and what is no such bundle refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from rtx_builds import check_builds, rtx_builds
from torch import Tensor, nn

from engines.bundle import Bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from engines.parity import draw_inputs
from export import imported
from export.errors import ExportError
from export.imported import Parts, check_base, export_parts, write_imported
from features.spec import FEATURES
from towers.imports.lite import GROUP_NAMES, TAG_NAMES, WIDTH, Lite, build_lite, read_background

SHARE = 0.3
NOTHING = Parts("lite", {}, {})


class Eyes(nn.Module):
    """In the place of EfficientNet: mean colours, and kinds by them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(12, 1000)

    def forward(self, pictures: Tensor) -> Tensor:
        kinds: Tensor = 6.0 * self.fc(nn.functional.avg_pool2d(pictures, 112).flatten(1))
        return kinds


class Ears(nn.Module):
    """In the place of musicnn: mean bands, and tags by them."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(96, 50)

    def forward(self, mel: Tensor) -> Tensor:
        tags: Tensor = self.out(mel.mean(dim=1))
        return tags


@pytest.fixture(scope="module")
def lite() -> Lite:
    torch.manual_seed(0)
    return build_lite(Eyes(), [Ears(), Ears()], read_background())  # type: ignore[arg-type,list-item]


@pytest.fixture(scope="module")
def parts(lite: Lite) -> Parts:
    return export_parts(lite)


@pytest.fixture(scope="module")
def base(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


@pytest.fixture(scope="module")
def made(parts: Parts, base: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("imported") / "lite"
    write_imported(base, parts, SHARE, folder, "mine", {"sources": ["somewhere"]}, licences="Do as you like.")
    return load_bundle(folder, FEATURES)


def test_it_is_a_bundle_of_the_same_contract(made: Bundle, base: Bundle) -> None:
    manifest = made.manifest
    assert (manifest.name, manifest.system) == ("mine", f"{base.manifest.system}+lite")
    assert manifest.video_dim == base.manifest.video_dim + len(GROUP_NAMES)
    assert manifest.music_dim == base.manifest.music_dim + len(TAG_NAMES)
    assert manifest.embedding_dim == base.manifest.embedding_dim + WIDTH
    assert set(made.features_of("video_clip")) == {*base.features_of("video_clip"), "scene"}
    assert set(made.features_of("music_clip")) == {*base.features_of("music_clip"), "tag_mel"}
    for graph in ("video_sequence", "music_sequence", "matcher"):
        assert made.features_of(graph) == base.features_of(graph)
    record = manifest.training["imported"]
    assert record["sources"] == ["somewhere"] and record["share"] == SHARE and len(record["tags"]) == len(TAG_NAMES)
    assert (record["name"], record["width"]) == ("lite", WIDTH)
    assert manifest.training["base"]["identity"] == base.identity
    assert (made.path / "LICENCES.txt").read_text() == "Do as you like."


def test_every_graph_is_the_weighted_whole_of_its_parts(made: Bundle, base: Bundle, lite: Lite) -> None:
    rng = np.random.default_rng(1)
    ours, theirs = np.sqrt(1 - SHARE), np.sqrt(SHARE)
    alone, whole = OnnxEngine(base), OnnxEngine(made)
    both: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]] = {}
    for side, words, place in (
        ("video", lite.video_clip, lite.video_place),
        ("music", lite.music_clip, lite.music_place),
    ):
        width = base.manifest.video_dim if side == "video" else base.manifest.music_dim
        inputs = draw_inputs(made.spec(f"{side}_clip"), 7, "random", rng, {})
        clips = whole.run(f"{side}_clip", inputs)["embedding"]
        feature = inputs["scene" if side == "video" else "tag_mel"]
        with torch.inference_mode():
            np.testing.assert_allclose(clips[:, width:], words(torch.from_numpy(feature)), atol=1e-3)
        kept = {name: value for name, value in inputs.items() if value is not feature}
        np.testing.assert_allclose(clips[:, :width], alone.run(f"{side}_clip", kept)["embedding"], atol=1e-5)

        window = draw_inputs(made.spec(f"{side}_sequence"), 3, "ragged", rng, {})
        found = whole.run(f"{side}_sequence", window)["embedding"]
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        small = {**window, "clips": np.ascontiguousarray(window["clips"][:, :, :width])}
        expected = ours * alone.run(f"{side}_sequence", small)["embedding"]
        np.testing.assert_allclose(found[:, : expected.shape[1]], expected, atol=1e-5)
        with torch.inference_mode():
            there = place(torch.from_numpy(window["clips"][:, :, width:]), torch.from_numpy(window["mask"])).numpy()
        np.testing.assert_allclose(found[:, expected.shape[1] :], theirs * there, atol=1e-5)
        both[side] = found, window

        mood = whole.run("mood", {"embedding": found})["mood"]
        mine = alone.run("mood", {"embedding": (expected / ours).astype(np.float32)})["mood"]
        with torch.inference_mode():
            other = lite.mood(torch.from_numpy(there)).numpy()
        np.testing.assert_allclose(mood, (1 - SHARE) * mine + SHARE * other, atol=1e-4)

    asked = {name: both[name.split("_")[0]][1][name.split("_")[1]] for name in
             ("video_clips", "video_mask", "music_clips", "music_mask")}  # fmt: skip
    for name in base.features_of("matcher"):
        asked[name] = both["music" if name == "rhythm" else "video"][1][name]
    cut = {**asked, "video_clips": np.ascontiguousarray(asked["video_clips"][:, :, : base.manifest.video_dim]),
           "music_clips": np.ascontiguousarray(asked["music_clips"][:, :, : base.manifest.music_dim])}  # fmt: skip
    score = np.clip(alone.run("matcher", cut)["score"], 1e-4, 1 - 1e-4)
    seen, heard = (both[side][0][:, base.manifest.embedding_dim :] / theirs for side in ("video", "music"))
    logit = (1 - SHARE) * np.log(score / (1 - score)) + SHARE * imported.LOGITS * (seen * heard).sum(axis=1)
    np.testing.assert_allclose(whole.run("matcher", asked)["score"], 1 / (1 + np.exp(-logit)), atol=1e-4)
    alone.close()
    whole.close()


def test_a_base_without_matcher_and_mood_stays_without_a_matcher(
    parts: Parts, tmp_path: Path, tiny_bundle: Path
) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "base")
    manifest = json.loads((folder / "manifest.json").read_text())
    for graph in ("matcher", "mood"):
        del manifest["graphs"][graph]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    report = write_imported(load_bundle(folder, FEATURES), parts, 0.5, tmp_path / "out", "x", {})
    assert [graph.name for graph in report.graphs] == [
        "video_clip", "music_clip", "video_sequence", "music_sequence", "mood",
    ]  # fmt: skip
    engine = OnnxEngine(load_bundle(tmp_path / "out", FEATURES))
    spec = engine.bundle.spec("mood")
    mood = engine.run("mood", draw_inputs(spec, 2, "random", np.random.default_rng(0), {}))["mood"]
    assert mood.shape == (2, 3) and ((mood >= 0) & (mood <= 1)).all()
    engine.close()


@pytest.mark.parametrize("share", [0.0, 0.04, 0.96, 1.0, float("nan")])
def test_a_share_that_leaves_one_part_out_is_refused(base: Bundle, tmp_path: Path, share: float) -> None:
    with pytest.raises(ExportError, match="must be from"):
        write_imported(base, NOTHING, share, tmp_path / "out", "x", {})


def test_nothing_is_imported_twice(made: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="imported part already"):
        write_imported(made, NOTHING, SHARE, tmp_path / "out", "x", {})


def test_a_full_disk_leaves_what_stood_there(
    base: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_tiny_bundle: Callable[..., Path]
) -> None:
    folder = write_tiny_bundle(tmp_path / "out")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    real, written = Path.write_bytes, []

    def full(self: Path, data: bytes) -> int:
        written.append(self.name)
        if len(written) > 2:
            raise OSError(28, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(imported, "join_graphs", lambda *_: dict.fromkeys(("a", "b", "c"), Bytes()))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ExportError, match=r"No space left on device.*make room"):
        write_imported(base, NOTHING, SHARE, folder, "x", {})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


class Bytes:
    data = b"graph"


def test_a_network_that_says_something_else_in_onnx_is_refused(lite: Lite, parts: Parts) -> None:
    torch.manual_seed(9)
    other = build_lite(Eyes(), [Ears(), Ears()], read_background())  # type: ignore[arg-type,list-item]
    mels = torch.rand(3, 187, 96)
    assert (
        imported.difference("music_clip", parts.graphs["music_clip"].graph, lite.music_clip, {"tag_mel": mels}) < 1e-4
    )
    with pytest.raises(ExportError, match="graph music_clip: differs from torch"):
        imported.difference("music_clip", parts.graphs["music_clip"].graph, other.music_clip, {"tag_mel": mels})


def test_a_base_that_changed_is_noticed(made: Bundle, tmp_path: Path, write_tiny_bundle: Callable[..., Path]) -> None:
    other = load_bundle(write_tiny_bundle(tmp_path / "other", seed=5), FEATURES)
    with pytest.raises(ExportError, match="differs by"):
        check_base(other, made, SHARE)


@rtx_builds
def test_tensorrt_for_rtx_builds_its_graphs(made: Bundle) -> None:
    assert len(check_builds(made)) == 2 * len(made.manifest.graphs)
