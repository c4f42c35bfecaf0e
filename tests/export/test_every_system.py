"""Every system, on the backbones of its recipe: exported, in parity, indexed with, watched with."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
from rtx_builds import HERE, check_builds

import segue
from engines.bundle import load_bundle
from export.bundle import write_bundle
from features.spec import FEATURES
from stream.driver.runtime import model_of, needs_small
from towers.backbones.registry import make_backbone
from towers.batch import Sizes
from towers.errors import RunError
from towers.recipes import RECIPES, recipe_of
from towers.run import load_run, save_run
from towers.system import make

EXTRAS = frozenset({"displacement", "colour", "motion", "pulse", "rhythm", "harmony"})


def write_run(folder: Path, system: str) -> Path:
    recipe = recipe_of(system)
    torch.manual_seed(0)
    video, music = (
        make_backbone(kind, side, "tiny") for kind, side in ((recipe.video, "video"), (recipe.music, "music"))
    )
    sizes = Sizes(video.width, music.width, 5, 3, extras=EXTRAS, video_parts=video.parts, music_parts=music.parts)
    save_run(folder, make(system, recipe.setting, sizes, "tiny"), video, music, {"seed": 0})
    return folder


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tracks of 14 s: clicks at 120 bpm over a tone."""
    folder = tmp_path_factory.mktemp("music")
    t = np.arange(14 * 16_000) / 16_000
    for number, hertz in enumerate((220.0, 330.0)):
        sound = 0.2 * np.sin(2 * np.pi * hertz * t)
        sound[::8_000] += 0.7
        soundfile.write(folder / f"{number}.wav", sound.astype(np.float32), 16_000)
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of a bar that wanders."""
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for number in range(24):
            picture = np.full((90, 160, 3), 40, np.uint8)
            picture[:, 4 * number : 4 * number + 20] = (200, 80, 30)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.mark.parametrize("system", list(RECIPES))
def test_it_becomes_a_bundle_that_suggests(
    system: str, music: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = load_run(write_run(tmp_path / "run", system))
    report = write_bundle(run, system, tmp_path / "bundle", f"tiny {system}")  # parity is checked in here
    assert all(graph.difference < 1e-4 for graph in report.graphs)
    bundle = load_bundle(report.path, FEATURES)
    if HERE:
        check_builds(bundle)
    assert bundle.features_of("video_clip") == run.video.inputs
    assert bundle.features_of("music_clip") == run.music.inputs
    assert bundle.features_of("video_sequence") == run.system.video_extras
    assert bool(needs_small(model_of(bundle))) == ("clip_frames" in run.video.inputs)
    common = ["-c", str(tmp_path / "catalogue"), "--bundle", str(report.path)]
    assert segue.main(["index", str(music), *common]) == 0
    capsys.readouterr()
    assert segue.main(["watch", str(video), *common, "--fast", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    suggested = [line for line in lines if line["type"] == "suggestions"]
    assert len(suggested) == 3
    for line in suggested:
        assert len({item["track"] for item in line["items"]}) == 2
        assert all(np.isfinite(item["score"]) for item in line["items"])


def test_stored_vectors_make_no_bundle(tmp_path: Path) -> None:
    video, music = make_backbone("stored:slowfast", "video", shape=(4,)), make_backbone("dpvm", "music", "tiny")
    system = make("emomv", "retrieval", Sizes(video.width, music.width, 0, 2), "tiny")
    save_run(tmp_path / "run", system, video, music, {})
    with pytest.raises(RunError, match="train on a backbone that runs"):
        write_bundle(load_run(tmp_path / "run"), "emomv", tmp_path / "bundle", "x")
    assert not (tmp_path / "bundle").exists()
