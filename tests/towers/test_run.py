"""Runs on disk and the graphs that they offer."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from features import spec
from towers.backbones.conformer import quarter
from towers.errors import RunError
from towers.presets import PRESETS, Configuration
from towers.run import load_run, save_run
from towers.ut_cmvmr import UtCmvmr

EDGES = ((1.0, 4.0, 8.0), (0.5, 1.0, 2.0), (0.3, 0.5, 0.7))
INPUTS = {
    "video_clip": {"clip_image": ("uint8", spec.CLIP_IMAGE_SHAPE)},
    "music_clip": {"clip_mel": ("float32", spec.CLIP_MEL_SHAPE)},
    "video_sequence": {"clips": ("float32", (7, 128)), "mask": ("bool", (7,)), "displacement": ("float32", (7,))},
    "music_sequence": {"clips": ("float32", (7, 128)), "mask": ("bool", (7,)), "rhythm": ("float32", (7, 3))},
    "matcher": {
        "video_clips": ("float32", (7, 128)),
        "video_mask": ("bool", (7,)),
        "displacement": ("float32", (7,)),
        "music_clips": ("float32", (7, 128)),
        "music_mask": ("bool", (7,)),
        "rhythm": ("float32", (7, 3)),
    },
    "mood": {"embedding": ("float32", (128,))},
}
OUTPUTS = {
    "video_clip": ("embedding", (3, 128)),
    "music_clip": ("embedding", (3, 128)),
    "video_sequence": ("embedding", (3, 128)),
    "music_sequence": ("embedding", (3, 128)),
    "matcher": ("score", (3,)),
    "mood": ("mood", (3, 3)),
}


def untrained(preset: str = "small", setting: str = "se-r") -> UtCmvmr:
    torch.manual_seed(3)
    return UtCmvmr(Configuration(PRESETS[preset], setting, (0.01, 0.05, 0.1), EDGES))


def test_graphs_are_those_of_the_bundle_contract() -> None:
    graphs = untrained().graphs()
    assert list(graphs) == list(INPUTS)
    for name, graph in graphs.items():
        shapes = {k: (str(v.dtype).removeprefix("torch."), tuple(v.shape[1:])) for k, v in graph.inputs.items()}
        assert shapes == INPUTS[name]
        assert list(shapes) == list(INPUTS[name])
        assert {v.shape[0] for v in graph.inputs.values()} == {3}
        assert not graph.module.training
        assert set(graph.features) <= set(spec.FEATURES)
        with torch.inference_mode():
            out = graph.module(*graph.inputs.values())
        assert (graph.outputs[0], tuple(out.shape)) == OUTPUTS[name]
        assert out.dtype == torch.float32
        if name.endswith("sequence"):
            torch.testing.assert_close(out.norm(dim=1), torch.ones(3))
        if name in ("matcher", "mood"):
            assert ((out >= 0) & (out <= 1)).all()


def test_the_small_preset_is_small() -> None:
    system = untrained()
    for tower in (system.video_clip, system.music_clip):
        assert sum(value.numel() for value in tower.parameters()) < 1_000_000
    assert sum(value.numel() for value in system.parameters()) * 4 < 16e6


def test_convolutions_leave_a_quarter() -> None:
    assert [quarter(n) for n in (64, 256, 398, 80, 5)] == [16, 64, 100, 20, 2]


@pytest.mark.parametrize("setting", ["se-r", "ae"])
def test_save_and_load_give_the_same_numbers(tmp_path: Path, setting: str) -> None:
    system = untrained("tiny", setting)
    system.music_clip.normalise(torch.linspace(-8, -2, 80), torch.linspace(1, 3, 80))
    save_run(tmp_path, system, {"seed": 3, "corpus": "none"})
    run = load_run(tmp_path)
    assert (run.clip_dim, run.embedding_dim, run.training["seed"]) == (16, 8, 3)
    for (name, ours), theirs in zip(system.graphs().items(), run.graphs().values(), strict=True):
        with torch.inference_mode():
            a, b = (graph.module(*ours.inputs.values()).numpy() for graph in (ours, theirs))
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_broken_runs_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="segue train"):
        load_run(tmp_path)
    save_run(tmp_path, untrained("tiny"), {})
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(RunError, match="does not fit"):
        load_run(tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**record, "system": "other"}))
    with pytest.raises(RunError, match="'other' is unknown"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RunError, match="damaged"):
        load_run(tmp_path)
