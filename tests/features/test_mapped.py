"""Samples in a file are those in memory; what is read of them does not stay."""

from pathlib import Path

import numpy as np
import pytest

from features.mapped import extremes, let_go, pieces


@pytest.fixture
def values(tmp_path: Path) -> np.ndarray:
    path = tmp_path / "values"
    np.arange(-1000, 4_000_000, dtype=np.float32).tofile(path)
    return np.asarray(np.memmap(path, np.float32, "r"))


def resident_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile:"))


def test_pieces_are_all_of_it(values: np.ndarray) -> None:
    assert np.array_equal(np.concatenate(list(pieces(values, 700_001))), values)
    assert extremes(values) == (-1000.0, 3_999_999.0)


@pytest.mark.parametrize("given", [[], [1.0], [-2.0], [3.0, -4.0]])
def test_extremes_are_around_zero(given: list[float]) -> None:
    made = np.array(given, np.float32)
    assert extremes(made) == (min([0.0, *given]), max([0.0, *given]))


def test_what_is_no_number_shows() -> None:
    assert np.isnan(extremes(np.array([1.0, np.nan], np.float32))).any()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell")
def test_what_was_read_is_let_go_of(values: np.ndarray) -> None:
    before = resident_kb()
    assert values[100:].sum() > 0
    read = resident_kb()
    let_go(values[5:])
    assert read - before > 8_000 and resident_kb() - before < 4_000
    assert values[0] == -1000.0  # it can be read again
    let_go(np.zeros(3, np.float32))  # in memory: nothing happens
