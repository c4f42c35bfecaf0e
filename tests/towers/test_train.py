"""Training on a tiny corpus: it learns, repeats to the bit, shares clip towers, and evaluates."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from towers.cli import main
from towers.corpora.corpus import open_corpus
from towers.errors import RunError
from towers.pretrain import PretrainOptions
from towers.run import load_run
from towers.train import TrainOptions, train

OPTIONS = TrainOptions(
    preset="tiny", epochs=12, batch=16, rate=3e-3, pretrain=PretrainOptions(epochs=4, batch=8, rate=3e-3)
)


def nothing(stage: str, figures: Mapping[str, float]) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="module")
def trained(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "first"
    train(small_corpus, out, OPTIONS, None, nothing)
    return out


def log(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_stages_lower_their_loss(trained: Path) -> None:
    towers, sequence = log(trained / "towers.csv"), log(trained / "sequence.csv")
    assert float(towers[-1]["train_loss"]) < 0.9 * float(towers[0]["train_loss"])
    assert float(sequence[-1]["loss"]) < 0.7 * float(sequence[0]["loss"])
    assert float(sequence[-1]["mood"]) < float(sequence[0]["mood"])


def test_the_record_tells_where_the_weights_come_from(trained: Path, small_corpus: Path) -> None:
    training = load_run(trained).training
    assert (training["corpus"], training["pairs"], training["seed"]) == ("made-up", 32, 0)
    assert (training["preset"], training["setting"]) == ("tiny", "se-r")
    assert training["corpus_sha256"] == open_corpus(small_corpus).identity
    assert training["labels"] and training["commit"]
    assert training["metrics"]["validation"]["val_r10"] > 0


def test_equal_arguments_give_equal_weights(trained: Path, small_corpus: Path, tmp_path: Path) -> None:
    train(small_corpus, tmp_path / "again", OPTIONS, None, nothing)
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_clip_towers_are_shared_and_checked(trained: Path, small_corpus: Path, tmp_path: Path) -> None:
    train(small_corpus, tmp_path / "average", replace(OPTIONS, setting="a-se", epochs=2), trained, nothing)
    ours, theirs = (load_run(folder).system.module().state_dict() for folder in (tmp_path / "average", trained))
    for name, value in theirs.items():
        if name.startswith(("video_clip", "music_clip")):
            assert torch.equal(ours[name], value), name
    with pytest.raises(RunError, match="another preset"):
        train(small_corpus, tmp_path / "x", replace(OPTIONS, preset="small"), trained, nothing)
    with pytest.raises(RunError, match="holds no clip towers"):
        train(small_corpus, tmp_path / "y", OPTIONS, tmp_path, nothing)


def test_a_run_goes_on_with_the_towers_that_it_has(trained: Path, small_corpus: Path) -> None:
    before = (trained / "towers.safetensors").stat().st_mtime_ns
    stages: list[str] = []
    weights = (trained / "model.safetensors").read_bytes()
    train(small_corpus, trained, OPTIONS, None, lambda stage, _: stages.append(stage))
    assert set(stages) == {"sequence"}
    assert (trained / "towers.safetensors").stat().st_mtime_ns == before
    assert (trained / "model.safetensors").read_bytes() == weights


def test_evaluate_as_typed(
    trained: Path, small_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert main("evaluate", [str(trained), str(small_corpus), "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    rows = {(row["protocol"], row["direction"]): row for row in figures["rows"]}
    assert set(rows) == {(p, d) for p in ("dual", "matcher", "chance") for d in ("v2m", "m2v")}
    assert rows["chance", "v2m"]["r5"] == pytest.approx(100 * 5 / 12, abs=0.01)
    # Two shared numbers that both sides show plainly: far better than chance on pairs that training never saw.
    assert rows["dual", "v2m"]["r5"] > 60
    assert figures["mood_mae"]["music"]["tension"] < 0.2
    assert "median" in capsys.readouterr().out


def test_bad_options_are_the_users_to_mend(small_corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="'huge' is unknown"):
        train(small_corpus, tmp_path / "x", replace(OPTIONS, preset="huge"), None, nothing)
    with pytest.raises(RunError, match="setting 'none' is unknown"):
        train(small_corpus, tmp_path / "x", replace(OPTIONS, setting="none"), None, nothing)
    with pytest.raises(SystemExit) as left:
        main("train", [str(small_corpus)])
    assert left.value.code == 2
