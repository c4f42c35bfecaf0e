"""Energy: louder and denser is more, on one scale for all tracks."""

import numpy as np
import pytest

from catalog.energy import energy_curve, energy_of
from catalog.records import Outline


def outline(lufs: np.ndarray, onsets: np.ndarray, music: tuple[tuple[float, float], ...] | None = None) -> Outline:
    none = np.zeros(0, np.float32)
    spans = ((0.0, float(len(lufs))),) if music is None else music
    return Outline(-14.0, 5.0, -1.0, lufs.astype(np.float32), np.zeros(0, np.uint8), spans, 0.0, 0.0, none, none, (),
                   onsets=onsets.astype(np.uint8))  # fmt: skip


def test_louder_and_denser_is_more() -> None:
    soft, loud = np.full(20, -30.0), np.full(20, -9.0)
    few, many = np.zeros(20), np.full(20, 7)
    values = [energy_of(outline(a, b)) for a in (soft, loud) for b in (few, many)]
    assert values == sorted(values) and values[0] < 0.1 and values[-1] > 0.85
    assert values[1] < values[2]  # loudness counts more


def test_the_curve_follows_and_silence_does_not_count() -> None:
    lufs = np.concatenate([np.full(10, -120.0), np.full(10, -20.0), np.full(10, -8.0)])
    it = outline(lufs, np.full(30, 4), ((10.0, 30.0),))
    curve = energy_curve(it)
    assert curve.shape == (30,) and curve.dtype == np.float32 and curve.min() >= 0.0 and curve.max() <= 1.0
    assert curve[5] < curve[15] < curve[25]
    assert energy_of(it) == pytest.approx(curve[10:].mean())


def test_nothing_known() -> None:
    empty = outline(np.zeros(0), np.zeros(0))
    assert energy_of(None) is None and energy_of(empty) is None and not len(energy_curve(empty))
    assert energy_curve(outline(np.full(3, -14.0), np.zeros(0))).shape == (3,)
