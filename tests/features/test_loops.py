"""Loops of made-up beats, and sections of made-up bands."""

import numpy as np
import pytest

from features.loops import LEAST_S, MOST_S, loops
from features.sections import borders, change, settle

BEATS = 0.5 * np.arange(200)
EVERY_FOURTH = np.arange(200) % 4 == 0


def test_bars_that_come_again_are_found() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 20))
    features[120:160] = features[40:80]  # 20 to 40 s again from 60 s on
    found = loops(BEATS, features, 4, EVERY_FOURTH, 0.0, 100.0)
    assert len(found) >= 1
    assert found[0].to_s - found[0].from_s == 40.0 and 20.0 <= found[0].from_s <= 36.0
    assert found[0].likeness == pytest.approx(1.0)
    assert all(place % 2.0 == 0.0 for loop in found for place in (loop.from_s, loop.to_s))


def test_nothing_is_like_noise() -> None:
    assert loops(BEATS, np.random.default_rng(0).normal(size=(200, 20)), 4, EVERY_FOURTH, 0.0, 100.0) == []


def test_loops_are_bounded_and_differ() -> None:
    bar = np.random.default_rng(0).normal(size=(8, 20))
    found = loops(BEATS, np.tile(bar, (25, 1)), 4, EVERY_FOURTH, 10.0, 90.0)
    assert 1 <= len(found) <= 3
    for i, one in enumerate(found):
        assert LEAST_S <= one.to_s - one.from_s <= MOST_S and one.from_s >= 10.0 and one.to_s < 90.0
        for other in found[:i]:
            assert abs(one.from_s - other.from_s) >= 8.0 or abs(one.to_s - other.to_s) >= 8.0


def test_a_gap_in_the_beats_is_no_loop() -> None:
    beats = np.concatenate([0.5 * np.arange(60), 200.0 + 0.5 * np.arange(60)])
    features = np.tile(np.random.default_rng(0).normal(size=(60, 20)), (2, 1))
    assert all(
        loop.to_s < 100 or loop.from_s > 100 for loop in loops(beats, features, 4, np.arange(120) % 4 == 0, 0, 300)
    )


def bands(*levels: tuple[float, float]) -> np.ndarray:
    """(seconds, level) in turn, with noise."""
    rng = np.random.default_rng(0)
    parts = [np.full((round(seconds / 0.016), 16), level) for seconds, level in levels]
    whole = np.concatenate(parts)
    return (whole + 0.3 * rng.normal(size=whole.shape)).astype(np.float32)


def test_a_change_is_a_border_and_noise_is_none() -> None:
    course = bands((40.0, 0.0), (30.0, 1.5), (50.0, -0.5))
    times, strengths = borders(course, 0.0, 120.0)
    assert times == pytest.approx([40.0, 70.0], abs=0.6)
    assert strengths[1] > strengths[0] > 0.3
    assert len(borders(bands((120.0, 0.0)), 0.0, 120.0)[0]) == 0
    assert len(borders(course, 0.0, 20.0)[0]) == 0


def test_a_border_settles_on_the_beat_where_the_change_is() -> None:
    course = bands((40.0, 0.0), (40.0, 1.5))
    grid = np.arange(0.1, 80.0, 0.7)
    nearest = grid[np.argmin(np.abs(grid - 40.0))]
    assert settle(course, 40.5, grid, 2.0) == pytest.approx(nearest)
    assert settle(course, 40.5, np.zeros(0), 2.0) == pytest.approx(40.0, abs=0.15)
    assert change(course, np.array([40.0, 20.0]), 2.0) == pytest.approx([6.5, 0.0], abs=0.6)
