"""Travel, accents and cuts over time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.video.recipe import SceneRecipe
from studio.video.timing import MIN_SHOT_S, accent_envelope, cut_times, level_at, timeline


def test_level_is_joined_by_lines_and_flat_outside() -> None:
    times = np.array([0.0, 1.0, 2.0, 3.0, 9.0])
    assert level_at(((1.0, 0.2), (3.0, 0.8)), times) == pytest.approx([0.2, 0.2, 0.5, 0.8, 0.8])
    assert level_at(0.3, times) == pytest.approx([0.3] * 5)


@given(level=st.floats(0, 0.9), more=st.floats(0.01, 0.1), seed=st.integers(0, 1000), pace=st.floats(0, 4))
def test_travel_only_grows_and_grows_with_the_level(level: float, more: float, seed: int, pace: float) -> None:
    slow = timeline(SceneRecipe("water", motion=level, pace_hz=pace, seed=seed), 4)
    fast = timeline(SceneRecipe("water", motion=level + more, pace_hz=pace, seed=seed), 4)
    assert np.all(np.diff(slow.travel) > 0)
    assert fast.travel[-1] > slow.travel[-1]


def test_travel_is_the_integral_of_speed() -> None:
    course = timeline(SceneRecipe("water", motion=((0.0, 0.0), (10.0, 1.0))), 10)
    # speed = 0.02 * 24 ** (t / 10), so travel(10 s) = 0.02 * 10 * (24 - 1) / ln 24
    assert course.at(course.travel, 10.0) == pytest.approx(0.2 * 23 / np.log(24), rel=1e-3)


def test_pace_makes_speed_periodic() -> None:
    course = timeline(SceneRecipe("water", pace_hz=2.0), 16)
    spectrum = np.abs(np.fft.rfft(course.speed - course.speed.mean(), n=1024))
    assert np.argmax(spectrum) * 64 / 1024 == pytest.approx(2.0, abs=0.1)


def test_an_accent_jumps_up_and_decays() -> None:
    times = np.arange(0, 3, 0.125)
    envelope = accent_envelope((1.0,), times)
    assert np.all(envelope[times < 1] == 0)
    assert envelope[8] == 1
    assert np.all(np.diff(envelope[8:]) < 0)


@given(rate=st.floats(0, 120), seed=st.integers(0, 500))
def test_cuts_keep_their_distance_and_stay_inside(rate: float, seed: int) -> None:
    cuts = cut_times(SceneRecipe("water", cut_rate=rate), 28.0, np.random.default_rng(seed))
    assert all(0 < cut < 28 for cut in cuts)
    assert np.all(np.diff([0.0, *cuts]) >= MIN_SHOT_S)


def test_cut_rate_is_kept_on_average() -> None:
    counts = [len(cut_times(SceneRecipe("water", cut_rate=12), 60.0, np.random.default_rng(s))) for s in range(200)]
    assert np.mean(counts) == pytest.approx(12, abs=1.0)


def test_explicit_cuts_win_over_the_rate() -> None:
    recipe = SceneRecipe("water", cut_rate=60, cut_times_s=(2.0, 5.0, 5.1, 90.0))
    assert cut_times(recipe, 28.0, np.random.default_rng(0)) == (2.0, 5.0)
    assert timeline(recipe, 28.0).starts_s == (0.0, 2.0, 5.0)
