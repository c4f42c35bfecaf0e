"""Two processes: they share the pairs, average their gradients, end with equal weights, and go on bit for bit.

This file is what the processes run, too: ``torchrun test_distributed.py OUT``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from towers.batch import Batch, Labels, Side, Sizes
from towers.checkpoint import Checkpoint
from towers.distributed import ALONE, Team, join_team
from towers.errors import RunError
from towers.fit import FitOptions, fit_system
from towers.run import load_run
from towers.system import make

ROOT = Path(__file__).parents[2]
OPTIONS = FitOptions(epochs=4, batch=8, rate=1e-2, every=1)


def pairs(count: int, seed: int) -> Batch:
    """The two sides show the same numbers and some noise."""
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn(count, 1, 6, generator=generator)
    video, music = (
        Side(latent + 0.1 * torch.randn(count, 7, 6, generator=generator), torch.ones(count, 7, dtype=torch.bool))
        for _ in range(2)
    )
    course = torch.rand(count, 7, generator=generator)
    unknown = torch.full((count,), -1)
    labels = Labels(
        torch.zeros(count, 4), torch.rand(count, 3), unknown, torch.zeros(count), torch.arange(count), course
    )
    return Batch(video, music, labels, course, course)


class KilledError(Exception):
    pass


def fitted(team: Team, folder: Path, stop: int | None = None, setting: str = "inter-intra") -> dict[str, torch.Tensor]:
    """vmnet has running statistics and dropout, which draw and keep what is each process's own."""
    torch.manual_seed(0 if team.first else 99)  # the others start from the first one's weights all the same
    system = make("vmnet", setting, Sizes(6, 6, 4, 0), "tiny")

    class Watched(Checkpoint):
        def save(self, progress):  # type: ignore[no-untyped-def]
            super().save(progress)
            if progress.epoch == stop:
                raise KilledError

    try:
        fit_system(system, pairs(37, 0), pairs(12, 1), OPTIONS, 0, checkpoint=Watched(folder, {}, team), team=team)
    except KilledError:
        return {}
    return {name: value.clone() for name, value in system.module().state_dict().items()}


def work(out: Path) -> None:
    with join_team("cpu") as team:
        found = {"share": team.share(torch.arange(7) if team.first else torch.zeros(7, dtype=torch.int64))}
        layer = torch.nn.Linear(2, 1)
        spare = torch.nn.Linear(2, 1)
        torch.nn.init.constant_(layer.weight, 0.0)
        layer(torch.full((1, 2), 1.0 + 2.0 * team.rank)).sum().backward()
        both = torch.nn.ModuleList([layer, spare])
        team.average_gradients(both)
        assert layer.weight.grad is not None and spare.weight.grad is None
        found["gradient"] = layer.weight.grad
        found["gathered"] = torch.tensor(team.gather(team.rank))
        with team.in_turn():
            (out / "order.txt").open("a").write(f"{team.rank}\n")
        whole = fitted(team, out / "whole")
        fitted(team, out / "broken", stop=2)
        resumed = fitted(team, out / "broken")
        found |= {f"whole.{name}": value for name, value in whole.items()}
        found |= {f"resumed.{name}": value for name, value in resumed.items()}
        save_file({name: value.contiguous() for name, value in found.items()}, out / f"{team.rank}.safetensors")


def torchrun(*words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, torch.Tensor]]]:
    out = tmp_path_factory.mktemp("ranks")
    torchrun(str(Path(__file__)), str(out))
    return out, [load_file(out / f"{rank}.safetensors") for rank in range(2)]


Found = tuple[Path, list[dict[str, torch.Tensor]]]


def test_pairs_are_shared_and_gradients_averaged(found: Found) -> None:
    out, (first, second) = found
    assert first["share"].tolist() == [0, 2, 4, 6] and second["share"].tolist() == [1, 3, 5, 0]
    assert first["gradient"].tolist() == second["gradient"].tolist() == [[2.0, 2.0]]
    assert first["gathered"].tolist() == [0, 1]
    assert (out / "order.txt").read_text().split() == ["0", "1"]


def test_all_end_with_the_same_weights(found: Found, tmp_path: Path) -> None:
    first, second = (part(one, "whole.") for one in found[1])
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    alone = fitted(ALONE, tmp_path)
    assert first.keys() == alone.keys()
    assert any(not torch.equal(value, alone[name]) for name, value in first.items())


def test_a_broken_team_goes_on_bit_for_bit(found: Found) -> None:
    for one in found[1]:
        whole, resumed = part(one, "whole."), part(one, "resumed.")
        assert whole and all(torch.equal(value, resumed[name]) for name, value in whole.items())


def part(one: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in one.items() if name.startswith(prefix)}


def test_the_command_under_torchrun(small_corpus: Path, tmp_path: Path) -> None:
    words = ["--system", "vmnet", "--video-backbone", "statistics", "--music-backbone", "statistics"]
    words += ["--scale", "tiny", "--epochs", "2", "--backbone-epochs", "1"]
    torchrun("-m", "segue", "train", str(small_corpus), "-o", str(tmp_path / "run"), *words)
    assert load_run(tmp_path / "run").training["processes"] == 2
    assert len((tmp_path / "run" / "system.csv").read_text().splitlines()) == 2


def test_alone_nothing_is_asked_of_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_team("cpu") as team:
        assert team is ALONE and team.first and team.device("cuda") == "cuda"
        assert team.share(torch.arange(5)).tolist() == [0, 1, 2, 3, 4]
        assert team.same("x") == "x" and team.gather(3) == [3]
    assert Team(1, 2, 1).device("cuda") == "cuda:1"


def test_progress_of_another_number_of_processes_is_refused(tmp_path: Path) -> None:
    system = make("vmnet", "inter", Sizes(6, 6, 4, 0), "tiny")
    one = Checkpoint(tmp_path, {"processes": 1})
    fit_system(system, pairs(20, 0), pairs(12, 1), OPTIONS, 0, checkpoint=one)
    with pytest.raises(RunError, match="another training"):
        fit_system(system, pairs(20, 0), pairs(12, 1), OPTIONS, 0, checkpoint=Checkpoint(tmp_path, {"processes": 2}))


if __name__ == "__main__":
    work(Path(sys.argv[1]))
