"""Noise is in range, periodic, and read without a seam."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from studio.video.stage import loop, scroll
from studio.video.texture import TILE, look, profile, tile


def test_tile_is_in_range_seeded_and_has_no_seam() -> None:
    noise = tile(np.random.default_rng(4))
    assert noise.shape == (TILE, TILE) and noise.dtype == np.float32
    assert noise.min() >= 0 and noise.max() <= 1 and noise.std() > 0.1
    np.testing.assert_array_equal(noise, tile(np.random.default_rng(4)))
    inside = np.abs(np.diff(noise, axis=1)).mean()
    assert np.abs(noise[:, 0] - noise[:, -1]).mean() < 2 * inside
    assert np.abs(noise[0] - noise[-1]).mean() < 2 * inside


@given(whole=st.integers(-5, 5))
def test_looking_a_whole_period_away_sees_the_same(whole: int) -> None:
    noise = tile(np.random.default_rng(1))
    u = np.linspace(0.01, 0.99, 40, dtype=np.float32)[None].repeat(3, 0)
    v = np.full_like(u, 0.37)
    np.testing.assert_allclose(look(noise, u + np.float32(whole), v), look(noise, u, v), atol=0.01)


def test_profile_spans_the_range_and_closes() -> None:
    line = profile(np.random.default_rng(2), 480)
    assert line.min() == 0 and line.max() == 1
    assert abs(line[0] - line[-1]) < 0.1


@given(shift=st.floats(-2000, 2000))
def test_scroll_equals_interpolation_round_the_strip(shift: float) -> None:
    strip = np.random.default_rng(0).random((3, 50)).astype(np.float32)
    at = (shift + np.arange(20)) % 50
    left = np.floor(at).astype(int) % 50
    part = at - np.floor(at)
    want = strip[:, left] * (1 - part) + strip[:, (left + 1) % 50] * part
    np.testing.assert_allclose(scroll(loop(strip, 20), shift, 20), want, atol=1e-4)
