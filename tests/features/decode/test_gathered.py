"""Samples gathered in memory or in a file are the same."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from features.decode import gathered
from features.decode.gathered import Gathered
from features.errors import AudioError
from features.spec import MUSIC_RATE_HZ


def piecewise() -> Iterator[np.ndarray]:
    """Four minutes, with values that no sound has."""
    generator = np.random.default_rng(3)
    for _ in range(40):
        piece = generator.standard_normal(6 * MUSIC_RATE_HZ + 7).astype(np.float32)
        piece[100], piece[101], piece[102], piece[103] = np.nan, np.inf, 20.0, -1e9
        yield piece


def whole() -> np.ndarray:
    store = Gathered(3600.0)
    for piece in piecewise():
        store.add(piece)
    return store.whole()


def test_a_file_holds_the_same_as_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    short = whole()
    monkeypatch.setattr(gathered, "MEMORY_S", 100)
    long = whole()
    assert isinstance(long, np.memmap) and not isinstance(short, np.memmap)
    assert np.array_equal(short, long)
    assert short[100:104].tolist() == [0.0, 0.0, 8.0, -8.0]


def test_without_a_place_for_files_all_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "MEMORY_S", 100)
    monkeypatch.setattr(gathered.tempfile, "TemporaryFile", refuse)
    found = whole()
    assert not isinstance(found, np.memmap) and len(found) == 40 * (6 * MUSIC_RATE_HZ + 7)


def refuse(**_: object) -> None:
    raise FileNotFoundError("no usable temporary directory")


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "MEMORY_S", 100)
    monkeypatch.setattr(gathered.tempfile, "TemporaryFile", lambda **_: Path("/dev/full").open("wb"))  # noqa: SIM115
    with pytest.raises(AudioError, match=r"no room for .*name another folder in TMPDIR"):
        whole()


def test_what_is_too_long_is_refused() -> None:
    store = Gathered(10.0)
    with pytest.raises(AudioError, match="more than"):
        store.add(np.zeros(11 * MUSIC_RATE_HZ, np.float32))
