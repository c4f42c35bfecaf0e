"""A shot takes the look that it was asked for, as features measure it."""

import dataclasses

import numpy as np
import pytest

from features.appearance import colour_stats
from studio.errors import StudioError
from studio.video.palette import ramps
from studio.world.film import render
from studio.world.grade import Look, colour_of_warmth, grade_ramps, measure, possible
from studio.world.recipe import Film

STILL = ((0.0, 0.01),)


def shown(look: Look, kind: str = "landscape", seed: int = 3) -> Look:
    film = Film(kind, "moving", "meadow", look, STILL, grain=0.0, accent=0.0, soft=0.0, seed=seed)
    return Look(*dataclasses.astuple(colour_stats(render(film, 0.125)[0])))


@pytest.mark.parametrize("brightness", [0.08, 0.35, 0.75])
@pytest.mark.parametrize("contrast", [0.12, 0.3])
def test_brightness_and_contrast_are_reached(brightness: float, contrast: float) -> None:
    got = [shown(Look(brightness, contrast, 0.2, 0.5), kind, 5) for kind in ("landscape", "crowd", "city")]
    for look in got:
        assert look.brightness == pytest.approx(brightness, abs=0.04)
        assert look.contrast == pytest.approx(contrast, abs=0.06)


def test_colour_and_warmth_are_reached() -> None:
    for colourfulness, warmth in ((0.0, 0.5), (0.3, 0.4), (0.5, 0.6)):
        look = shown(Look(0.4, 0.3, colourfulness, warmth))
        assert look.colourfulness == pytest.approx(colourfulness, abs=0.06)
        assert look.warmth == pytest.approx(warmth, abs=0.03)


def test_the_measure_is_that_of_features() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    here = measure(np.asarray(picture.reshape(-1, 3) / 255, np.float32))
    assert dataclasses.astuple(here) == pytest.approx(dataclasses.astuple(colour_stats(picture)), abs=1e-3)


def test_what_no_picture_can_be_is_brought_to_what_one_can() -> None:
    assert possible(Look(0.03, 0.5, 0.3, 0.5)).contrast < 0.3
    assert possible(Look(0.4, 0.3, 0.0, 0.8)).warmth == pytest.approx(0.5)
    mild = Look(0.4, 0.3, 0.5, 0.55)
    assert possible(mild) == mild
    assert colour_of_warmth(0.4, 0.3, 0.5) == 0.0 < colour_of_warmth(0.4, 0.3, 0.7)


def test_a_flat_painting_does_not_break_the_grade() -> None:
    plain = ramps("mono", 0.5, 0.5, 1.0, np.random.default_rng(0))
    tone, tint = np.full(400, 128, np.uint8), np.zeros(400, np.float32)
    made = grade_ramps(plain, tone, tint, np.ones(400, np.float32), Look(0.9, 0.9, 1.0, 0.9))
    assert all(np.isfinite(ramp).all() and ramp.shape == (256, 3) for ramp in made)


def test_a_look_out_of_range_is_refused() -> None:
    with pytest.raises(StudioError, match=r"warmth 1.5.*give 0 to 1"):
        Film("water", "moving", "ocean", Look(0.5, 0.5, 0.5, 1.5), STILL)
