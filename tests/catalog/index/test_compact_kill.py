"""kill -9 of the process that makes generations, at every step that matters and at random: the old one or the new one
counts, whole."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from catalog.index.base import IndexOptions
from catalog.index.compact import CompactIndex
from catalog.index.compact_files import current, read_manifest

SCRIPT = Path(__file__).with_name("kill_merges.py")
ROOT = Path(__file__).parents[3]
D = 24

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL")


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), str(folder), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def whole(folder: Path, versions: range) -> int:
    """Checks that one of these versions is there, all of it; returns it."""
    counts = current(folder / "index")
    assert counts is not None
    read_manifest(counts, thorough=True)
    index = CompactIndex(IndexOptions(folder, D))
    [stamp] = set(index.stamps().values())
    v = int(stamp[1:])
    assert v in versions and len(index) == 120
    for vectors in index.vectors([f"{i:04}" for i in range(60)]):
        np.testing.assert_array_equal(vectors[:, 0], v)
    return v


def test_killed_at_every_step(tmp_path: Path) -> None:
    """Several at once, as most of the time is the processes' start."""
    steps = range(1, 17)
    under_way = {step: start(tmp_path / str(step), "at", str(step)) for step in steps}
    seen = set()
    for step, process in under_way.items():
        process.communicate(timeout=120)
        assert process.returncode == -9
        seen.add(whole(tmp_path / str(step), range(1, 4)))
    assert {1, 2} <= seen  # some of the steps are before the moment from which on the new one counts, some behind it


def test_killed_at_random(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    reached = 0
    for _ in range(4):
        process = start(tmp_path, "on")
        assert process.stdout is not None
        for _ in range(int(rng.integers(1, 4))):
            reached = max(reached, int(process.stdout.readline()))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(float(rng.uniform(0.0, 0.2)))
        process.kill()
        printed = process.communicate()[0].split()
        reached = max([reached, *map(int, printed)])
        assert whole(tmp_path, range(reached, reached + 2)) >= reached
