"""Runs on disk and the graphs that they offer."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from features import spec
from towers.backbones.registry import make_backbone
from towers.batch import Sizes
from towers.errors import RunError
from towers.run import Run, load_run, save_run
from towers.system import make

EXTRAS = frozenset({"displacement", "colour", "rhythm", "harmony"})


def saved(folder: Path, system: str = "segue", setting: str = "full", kinds: tuple[str, str] = ("dpvm", "dpvm")) -> Run:
    torch.manual_seed(3)
    video, music = (make_backbone(kind, side, "tiny") for kind, side in zip(kinds, ("video", "music"), strict=True))
    sizes = Sizes(video.width, music.width, 6, 3, extras=EXTRAS, video_parts=video.parts, music_parts=music.parts)
    save_run(folder, make(system, setting, sizes, "tiny"), video, music, {"seed": 3, "corpus": "none"})
    return load_run(folder)


def test_graphs_are_those_of_the_bundle_contract(tmp_path: Path) -> None:
    run = saved(tmp_path)
    graphs = run.graphs()
    assert list(graphs) == ["video_clip", "music_clip", "video_sequence", "music_sequence", "matcher", "mood"]
    assert list(graphs["video_clip"].inputs) == ["clip_frames", "key_frames"]
    assert list(graphs["music_sequence"].inputs) == ["clips", "mask", "rhythm", "harmony"]
    for name, graph in graphs.items():
        assert {value.shape[0] for value in graph.inputs.values()} == {3}
        assert not graph.module.training
        assert set(graph.features) <= set(spec.FEATURES)
        with torch.inference_mode():
            out = graph.module(*graph.inputs.values())
        assert out.dtype == torch.float32
        if name.endswith("sequence"):
            torch.testing.assert_close(out.norm(dim=1), torch.ones(3))
        if name in ("matcher", "mood"):
            assert ((out >= 0) & (out <= 1)).all()


@pytest.mark.parametrize(
    ("system", "setting", "kinds"),
    [
        ("segue", "full", ("dpvm", "dpvm")),
        ("ut-cmvmr", "ae", ("statistics", "statistics")),
        ("ut-cmvmr", "se-r", ("conformer", "conformer")),
        ("vmnet", "inter", ("conformer", "low-level")),
        ("emomv", "retrieval", ("slowfast", "vggish")),
    ],
)
def test_save_and_load_give_the_same_numbers(tmp_path: Path, system: str, setting: str, kinds: tuple[str, str]) -> None:
    run = saved(tmp_path, system, setting, kinds)
    again = load_run(tmp_path)
    assert (again.system.name, again.system.setting, again.training["seed"]) == (system, setting, 3)
    for (name, ours), theirs in zip(run.graphs().items(), again.graphs().values(), strict=True):
        with torch.inference_mode():
            a, b = (graph.module(*ours.inputs.values()).numpy() for graph in (ours, theirs))
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_broken_runs_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="segue train"):
        load_run(tmp_path)
    saved(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(RunError, match="does not fit"):
        load_run(tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    for change, said in (({"system": "other"}, "'other' is unknown"), ({"format": 1}, "has format 1")):
        (tmp_path / "run.json").write_text(json.dumps({**record, **change}))
        with pytest.raises(RunError, match=said):
            load_run(tmp_path)
    for damage in (b"{}", b"[]", b"{", b"\xff\xfe", json.dumps({**record, "backbones": {"video": 3}}).encode()):
        (tmp_path / "run.json").write_bytes(damage)
        with pytest.raises(RunError, match="damaged"):
            load_run(tmp_path)


def test_a_run_that_is_cut_off_while_it_replaces_another_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = saved(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("towers.run.json.dumps", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            save_run(tmp_path, run.system, run.video, run.music, {})
    with pytest.raises(RunError, match="holds no finished run"):
        load_run(tmp_path)


def test_a_run_on_stored_vectors_makes_no_graphs(tmp_path: Path) -> None:
    video = make_backbone("stored:slowfast", "video", shape=(5,))
    music = make_backbone("dpvm", "music", "tiny")
    system = make("vmnet", "inter", Sizes(video.width, music.width, 0, 0), "tiny")
    save_run(tmp_path, system, video, music, {})
    with pytest.raises(RunError, match="stored column slowfast"):
        load_run(tmp_path).graphs()
