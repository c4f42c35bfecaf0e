"""Autocorrelation and its best tempo."""

import numpy as np
import pytest

from features.tempo import autocorrelation, best_tempo


def test_autocorrelation_by_hand():
    # Mean removed: 1 -1 1 -1; products at lags 0 ... 3: 4, -3, 2, -1, each divided by how many there are.
    assert autocorrelation(np.array([3.0, 1.0, 3.0, 1.0])) == pytest.approx([1, -1, 1, -1])


def test_rows_are_independent_and_constants_are_zero():
    rows = np.stack([np.sin(np.arange(64.0)), np.full(64, 5.0), np.zeros(64)])
    found = autocorrelation(rows)
    assert found[0] == pytest.approx(autocorrelation(rows[0]))
    assert not found[1:].any()


@pytest.mark.parametrize("bpm", [55.3, 87.0, 101.7, 120.0, 149.9])
def test_the_tempo_of_a_cosine_lies_between_the_lags(bpm):
    lags = np.arange(160)
    found, height = best_tempo(np.cos(2 * np.pi * lags * bpm / 60 / 10), 10.0, 40.0, 200.0)
    assert found == pytest.approx(bpm, rel=0.005)
    assert height == pytest.approx(1, abs=0.05)


def test_no_peak_is_no_tempo():
    assert best_tempo(np.linspace(1, -1, 100), 8.0, 40.0, 200.0) == (0.0, 0.0)
    assert best_tempo(np.zeros(100), 8.0, 40.0, 200.0) == (0.0, 0.0)


def test_of_two_equal_peaks_the_one_nearer_to_120_wins():
    acf = np.zeros(100)
    acf[[0, 5, 10, 20]] = 1, 0.8, 0.8, 0.8
    assert best_tempo(acf, 10.0, 40.0, 200.0)[0] == pytest.approx(120)
