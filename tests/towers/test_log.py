"""The CSV file of a training, what stays of it after a break, the picture, and TensorBoard's events."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from towers.errors import RunError
from towers.log import Log, draw_curves


def tell(path: Path, epochs: list[int], append: bool = False, board: Path | None = None) -> None:
    with Log(path, append, board) as log:
        for epoch in epochs:
            log.write({"epoch": float(epoch), "loss": 1.0 / epoch})


def test_a_line_an_epoch_and_a_picture(tmp_path: Path) -> None:
    tell(tmp_path / "a.csv", [1, 2])
    assert (tmp_path / "a.csv").read_text().split() == ["epoch,loss", "1,1", "2,0.5"]
    draw_curves(tmp_path / "a.csv", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_after_a_break_no_epoch_stands_twice(tmp_path: Path) -> None:
    tell(tmp_path / "a.csv", [1, 2, 3])
    with (tmp_path / "a.csv").open("a") as file:
        file.write("4")  # the end came in the middle of a line
    tell(tmp_path / "a.csv", [3, 4], append=True)
    assert (tmp_path / "a.csv").read_text().split() == ["epoch,loss", "1,1", "2,0.5", "3,0.333333", "4,0.25"]
    tell(tmp_path / "a.csv", [1])
    assert (tmp_path / "a.csv").read_text().split() == ["epoch,loss", "1,1"]


def test_events_for_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    module = ModuleType("torch.utils.tensorboard")
    writer = SimpleNamespace(add_scalar=lambda *scalar: told.append(scalar), close=lambda: told.append("closed"))
    module.__dict__["SummaryWriter"] = lambda folder: told.append(folder) or writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    tell(tmp_path / "a.csv", [2], board=tmp_path / "board")
    assert told == [str(tmp_path / "board"), ("loss", 0.5, 2), "closed"]


def test_tensorboard_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(RunError, match="pip install tensorboard"):
        tell(tmp_path / "a.csv", [1], board=tmp_path)
