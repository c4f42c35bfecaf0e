"""Things of a run: made by one process, whole or not at all."""

import time
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
from once import once


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[Path], object]], Path]:
    """As the worker of that name asks."""

    class Factory:
        def __init__(self, worker: str) -> None:
            self.base = tmp_path / worker
            self.base.mkdir(exist_ok=True)

        def getbasetemp(self) -> Path:
            return self.base

    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    return lambda worker, make: once(Factory(worker), "thing", make)  # type: ignore[arg-type]


def test_workers_share_what_one_of_them_made(tmp_path: Path, ask: Callable[..., Path]) -> None:
    makers: list[Path] = []

    def make(folder: Path) -> None:
        makers.append(folder)
        time.sleep(0.1)  # the others come meanwhile
        (folder / "whole").touch()

    with ThreadPool(4) as pool:
        found = pool.map(lambda number: (where := ask(f"gw{number}", make), (where / "whole").exists()), range(4))
    assert found == [(makers[0], True)] * 4 and len(makers) == 1
    assert makers[0].parent == tmp_path


def test_what_failed_is_made_anew(ask: Callable[..., Path]) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ask("gw0", fail)
    folder = ask("gw1", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_without_workers_it_lies_in_the_run_s_own_folder(
    tmp_path: Path, ask: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    assert ask("run", lambda folder: None).parent == tmp_path / "run"
