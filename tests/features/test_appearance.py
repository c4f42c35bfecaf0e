"""Thumbnails, colour and clip images against cases worked out by hand."""

import numpy as np
import pytest

from features.appearance import clip_image, colour_stats, thumbnail
from features.errors import FeatureError


def flat(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((90, 160, 3), (red, green, blue), dtype=np.uint8)


@pytest.mark.parametrize(("colour", "luma"), [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29)])
def test_thumbnail_has_the_luma_of_bt601(colour, luma):
    thumb = thumbnail(flat(*colour))
    assert thumb.shape == (64, 64)
    assert thumb.dtype == np.uint8
    assert (thumb == luma).all()


def test_thumbnail_averages_the_area_of_a_pixel():
    picture = flat(0, 0, 0)
    picture[:, ::2] = 200  # stripes one pixel wide: a thumbnail pixel covers 2.5 of them, so no extreme survives
    thumb = thumbnail(picture)
    assert 75 <= thumb.min() <= thumb.max() <= 125
    assert thumb.mean() == pytest.approx(100, abs=1)


def test_halves_stay_in_their_places():
    picture = flat(0, 0, 0)
    picture[:45, 80:] = 255
    thumb = thumbnail(picture)
    assert (thumb[:31, 33:] == 255).all()
    assert (thumb[:31, :31] == 0).all()
    assert (thumb[33:] == 0).all()


def test_black_and_white_are_neutral():
    black, white = colour_stats(flat(0, 0, 0)), colour_stats(flat(255, 255, 255))
    assert (black.brightness, black.contrast, black.colourfulness, black.warmth) == (0, 0, 0, 0.5)
    assert white.brightness == pytest.approx(1)
    assert white.contrast == pytest.approx(0, abs=1e-3)
    assert white.colourfulness == pytest.approx(0, abs=1e-3)
    assert white.warmth == pytest.approx(0.5)


def test_half_black_half_white_is_full_contrast():
    picture = flat(0, 0, 0)
    picture[:, 80:] = 255
    stats = colour_stats(picture)
    assert stats.contrast == pytest.approx(1, abs=1e-4)
    assert stats.brightness == pytest.approx(0.5, abs=1e-4)


def test_colourfulness_is_the_papers_measure():
    # Half (60, 20, 40), half (20, 60, 40): rg = +-40, yb = 0, so sigma = 40, mu = 0 and the measure is 40.
    picture = flat(60, 20, 40)
    picture[:, 80:] = (20, 60, 40)
    assert colour_stats(picture).colourfulness == pytest.approx(40 / 109, abs=1e-4)
    # A flat (60, 20, 40): rg = 40, yb = 0, sigma = 0, mu = 40: 0.3 * 40.
    assert colour_stats(flat(60, 20, 40)).colourfulness == pytest.approx(12 / 109, abs=1e-4)


def test_warmth_is_the_balance_of_red_and_blue():
    assert colour_stats(flat(200, 100, 50)).warmth == pytest.approx(0.5 + 0.5 * 150 / 266)
    warm, cold = colour_stats(flat(220, 120, 30)).warmth, colour_stats(flat(30, 120, 220)).warmth
    assert warm + cold == pytest.approx(1)
    assert warm > 0.8


def test_all_stats_stay_in_range_for_noise():
    rng = np.random.default_rng(5)
    for _ in range(20):
        low, high = sorted(rng.integers(0, 257, 2))
        stats = colour_stats(rng.integers(low, max(high, low + 1), (90, 160, 3), dtype=np.uint8))
        for value in (stats.brightness, stats.contrast, stats.colourfulness, stats.warmth):
            assert 0 <= value <= 1


@pytest.mark.parametrize("given", [1, 2, 3, 4])
def test_clip_image_repeats_the_last_thumbnail(given):
    thumbs = [np.full((64, 64), 10 * (i + 1), dtype=np.uint8) for i in range(given)]
    image = clip_image(thumbs)
    assert image.shape == (64, 256)
    assert image.dtype == np.uint8
    assert [int(image[0, 64 * i]) for i in range(4)] == [10 * (min(i, given - 1) + 1) for i in range(4)]


def test_clip_image_refuses_what_is_no_clip():
    thumb = np.zeros((64, 64), dtype=np.uint8)
    with pytest.raises(FeatureError, match="0 thumbnails"):
        clip_image([])
    with pytest.raises(FeatureError, match="5 thumbnails"):
        clip_image([thumb] * 5)
    with pytest.raises(FeatureError, match="float32"):
        clip_image([thumb.astype(np.float32)])


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((90, 160), np.uint8),
        np.zeros((160, 90, 3), np.uint8),
        np.zeros((90, 160, 3), np.float32),
        np.zeros((0, 0, 3), np.uint8),
        [[0]],
    ],
)
def test_other_pictures_are_refused(picture):
    for function in (thumbnail, colour_stats):
        with pytest.raises(FeatureError, match="canonical"):
            function(picture)
