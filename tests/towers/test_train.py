"""Training on a tiny corpus: it learns, repeats to the bit, goes on after a break, shares backbones, and evaluates."""

import csv
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from towers import train as training
from towers.cli import Stages, main
from towers.corpora.corpus import open_corpus
from towers.errors import RunError, TowersError
from towers.eta import Pace, duration_text
from towers.fit import FitOptions
from towers.run import load_run
from towers.train import TrainOptions, train

FIT = FitOptions(epochs=8, batch=16, rate=3e-3, noise=0.0)
OPTIONS = TrainOptions("segue", "full", "dpvm", "dpvm", scale="tiny", fit=FIT, backbone_epochs=3)


@pytest.fixture(scope="module")
def trained(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "first"
    train(small_corpus, out, OPTIONS, None, False)
    return out


def log(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def weights(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


def test_both_stages_lower_their_loss(trained: Path) -> None:
    backbone, system = log(trained / "backbones" / "video-dpvm.csv"), log(trained / "system.csv")
    assert float(backbone[-1]["train_loss"]) < float(backbone[0]["train_loss"])
    assert float(system[-1]["loss"]) < 0.8 * float(system[0]["loss"])
    assert (trained / "system.png").stat().st_size > 1000


def test_the_record_tells_where_the_weights_come_from(trained: Path, small_corpus: Path) -> None:
    record = load_run(trained).training
    assert (record["corpus"], record["pairs"], record["seed"]) == ("made-up", 32, 0)
    assert (record["scale"], record["setting"]) == ("tiny", "full")
    assert record["corpus_sha256"] == open_corpus(small_corpus).identity
    assert record["backbones"]["video"]["figures"]["val_loss"] > 0
    assert record["metrics"]["validation"]["val_r10"] > 0


def test_equal_arguments_give_equal_weights(trained: Path, small_corpus: Path, tmp_path: Path) -> None:
    train(small_corpus, tmp_path / "again", OPTIONS, None, False)
    assert weights(tmp_path / "again") == weights(trained)


class StoppedError(Exception):
    """Somebody pulled the plug."""


def test_a_broken_training_goes_on_bit_for_bit(trained: Path, small_corpus: Path, tmp_path: Path) -> None:
    epochs: list[float] = []

    def stop(stage: str, figures: Mapping[str, float]) -> None:
        if stage == "segue":
            epochs.append(figures["epoch"])
            if len(epochs) == 2:
                raise StoppedError

    out = tmp_path / "broken"
    with pytest.raises(StoppedError):
        train(small_corpus, out, OPTIONS, None, False, stop)
    assert (out / "checkpoint.json").is_file() and not (out / "run.json").exists()
    train(small_corpus, out, OPTIONS, None, True)
    assert weights(out) == weights(trained)
    assert not list(out.glob("checkpoint*"))
    # The epoch that was told of but not saved is told of once.
    assert (out / "system.csv").read_bytes() == (trained / "system.csv").read_bytes()


def test_a_broken_backbone_goes_on_bit_for_bit(trained: Path, small_corpus: Path, tmp_path: Path) -> None:
    def stop(stage: str, figures: Mapping[str, float]) -> None:
        if stage == "video-dpvm" and figures["epoch"] == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(small_corpus, tmp_path, OPTIONS, None, False, stop)
    assert (tmp_path / "backbones" / "video-dpvm.part" / "checkpoint-2.safetensors").is_file()
    seen: list[float] = []

    def watch(stage: str, figures: Mapping[str, float]) -> None:
        if stage == "video-dpvm":
            seen.append(figures["epoch"])

    train(small_corpus, tmp_path, OPTIONS, None, False, watch)
    assert seen == [3.0]
    assert weights(tmp_path) == weights(trained)
    curves = Path("backbones") / "video-dpvm.csv"
    assert (tmp_path / curves).read_bytes() == (trained / curves).read_bytes()
    assert not (tmp_path / "backbones" / "video-dpvm.part").exists()


def test_progress_of_another_training_is_refused(small_corpus: Path, tmp_path: Path) -> None:
    def stop(stage: str, figures: Mapping[str, float]) -> None:
        if stage == "segue" and figures["epoch"] == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(small_corpus, tmp_path, OPTIONS, None, False, stop)
    with pytest.raises(RunError, match="another training"):
        train(small_corpus, tmp_path, replace(OPTIONS, setting="no-colour"), None, True)
    (state,) = tmp_path.glob("checkpoint-*.safetensors")
    state.write_bytes(b"0")
    with pytest.raises(RunError, match="do not belong together"):
        train(small_corpus, tmp_path, OPTIONS, None, True)


def test_backbones_are_shared_and_checked(trained: Path, small_corpus: Path, tmp_path: Path) -> None:
    other = replace(OPTIONS, system="emomv", setting="retrieval", fit=replace(FIT, epochs=2))
    train(small_corpus, tmp_path / "other", other, trained / "backbones", False)
    ours, theirs = (load_run(run).video.state_dict() for run in (tmp_path / "other", trained))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    with pytest.raises(RunError, match="is of another backbone"):
        train(small_corpus, tmp_path / "x", replace(OPTIONS, scale="small"), trained / "backbones", False)
    with pytest.raises(RunError, match="holds no slowfast of the video"):
        train(small_corpus, tmp_path / "y", replace(OPTIONS, video="slowfast"), trained / "backbones", False)


def test_a_corpus_without_labels_stands_on_backbones_of_another(
    trained: Path, small_corpus: Path, tmp_path: Path
) -> None:
    corpus = shutil.copytree(small_corpus, tmp_path / "c")
    for path in corpus.glob("*/pairs.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        rows = [{**row, "tags": [], "mood": None, "emotion": None} for row in rows]
        path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    manifest = json.loads((corpus / "manifest.json").read_text())
    (corpus / "manifest.json").write_text(json.dumps({**manifest, "name": "unlabelled"}))
    options = replace(OPTIONS, fit=replace(FIT, epochs=2))
    with pytest.raises(RunError, match="nothing to learn"):
        train(corpus, tmp_path / "x", options, None, False)
    train(corpus, tmp_path / "y", options, trained / "backbones", False)
    record = json.loads((tmp_path / "y" / "run.json").read_text())["training"]
    assert record["corpus"] == "unlabelled" and record["backbones"]["video"]["corpus"] == "made-up"


def test_a_run_goes_on_with_the_backbones_that_it_has(
    trained: Path, small_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[str] = []
    before = weights(trained)

    def refuse(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("towers.backbone_cache.pretrain", refuse)
    train(small_corpus, trained, OPTIONS, None, False, lambda stage, _: stages.append(stage))
    assert set(stages) == {"segue"} and weights(trained) == before
    assert training.BACKBONES == "backbones"


def test_the_commands(small_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    common = ["--scale", "tiny", "--epochs", "2", "--backbone-epochs", "1", "--threads", "1"]
    assert main("train", [str(small_corpus), "-o", out, "--system", "dpvm", *common]) == 0
    assert main("evaluate", [out, str(small_corpus), "--json", str(tmp_path / "rows.json")]) == 0
    printed, progress = capsys.readouterr()
    assert "12 pairs of made-up, test" in printed and "chance" in printed
    assert "video-dpvm  epoch 1 of 1  " in progress
    assert "s  dpvm  epoch 2 of 2  " in progress
    assert (tmp_path / "rows.json").is_file()
    with pytest.raises(RunError, match="no setting 'x'; choose one of full"):
        main("train", [str(small_corpus), "-o", str(tmp_path / "z"), "--setting", "x", *common])
    with pytest.raises(RunError, match="system 'x' is unknown"):
        main("train", [str(small_corpus), "-o", str(tmp_path / "z"), "--system", "x", *common])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--setting", "foo"], "segue has no setting 'foo'; choose one of full"),
        (["--music-backbone", "foo"], "music has no backbone 'foo'"),
        (["--music-backbone", "onnx:/nowhere.onnx"], "nowhere.onnx"),
        (["--music-backbone", "stored:nothing"], "has no such column"),
        (["--device", "foo"], "device 'foo' cannot be used"),
        pytest.param(
            ["--device", "cuda"],
            "device 'cuda' cannot be used .*--device cpu",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_backbones(
    small_corpus: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    with pytest.raises(TowersError, match=says):
        main("train", [str(small_corpus), "-o", str(tmp_path / "run"), "--scale", "tiny", *words])
    assert not (tmp_path / "run").exists()
    device = words[1] if words[0] == "--device" else "cpu"
    setting = words[1] if words[0] == "--setting" else "full"
    music = words[1] if words[0] == "--music-backbone" else "dpvm"
    options = replace(OPTIONS, setting=setting, music=music, fit=replace(FIT, device=device))
    with pytest.raises(TowersError, match=says):
        train(small_corpus, tmp_path / "run", options, None, False)
    assert not (tmp_path / "run").exists()


def test_what_is_left_is_told_by_the_steps_of_this_run() -> None:
    pace = Pace(began_s=100.0, before=4)
    assert pace.left(4, 10, 100.0) == ""
    assert pace.left(6, 10, 120.0) == "40 s left"
    assert pace.left(10, 10, 200.0) == ""
    assert [duration_text(seconds) for seconds in (40, 720, 12_600)] == ["40 s", "12 min", "3.5 h"]


def test_a_line_of_progress_tells_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = iter((0.0, 10.0, 20.0, 50.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(now_s))
    stages = Stages(OPTIONS)
    stages("video-dpvm", {"epoch": 1.0, "val_loss": 2.0})
    stages("video-dpvm", {"epoch": 2.0, "val_loss": 1.5})
    stages("segue", {"epoch": 5.0, "loss": 1.0})  # resumed there
    assert capsys.readouterr().err.splitlines() == [
        "    10 s  video-dpvm  epoch 1 of 3, 20 s left  val_loss 2",
        "    20 s  video-dpvm  epoch 2 of 3, 10 s left  val_loss 1.5",
        "    50 s  segue  epoch 5 of 8, 2 min left  loss 1",
    ]
