"""Films: equal for equal recipes, as fast as asked however little of the picture moves, still where they must be."""

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from features.flow import FlowMeter
from studio.errors import StudioError
from studio.world import overlays
from studio.world.course import MIN_SHOT_S, bursts, course, hand, shots
from studio.world.film import frames, render
from studio.world.grade import Look
from studio.world.recipe import FORMS, OVERLAYS, Film

LOOK = Look(0.4, 0.35, 0.25, 0.52)


def film(form: str = "moving", kind: str = "landscape", speed: float = 0.03, **more: object) -> Film:
    plain: dict[str, object] = {"accent": 0.0, "burst": 0.0, "grain": 0.0, "seed": 4}
    return Film(kind, form, "meadow", LOOK, ((0.0, speed),), **(plain | more))  # type: ignore[arg-type]


def speeds(video: NDArray[np.uint8]) -> NDArray[np.float64]:
    meter = FlowMeter()
    samples = [meter.push(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), k / 8) for k, picture in enumerate(video)]
    return np.array([sample.speed for sample in samples if sample is not None])


@pytest.mark.parametrize("form", FORMS)
def test_equal_recipes_give_equal_pictures_and_seeds_differ(form: str) -> None:
    made = film(form, cut_times_s=(0.5,), overlays=OVERLAYS, grain=2.0, shake=0.3, breath=0.3, burst=0.8, pace_hz=1.5)
    video = render(made, 1)
    assert video.shape == (8, 90, 160, 3) and video.dtype == np.uint8
    np.testing.assert_array_equal(video, render(made, 1))
    other = render(film(form, cut_times_s=(0.5,), overlays=OVERLAYS, grain=2.0, seed=5), 1)
    assert np.abs(video.astype(int) - other).mean() > 4


@pytest.mark.parametrize("form", FORMS)
def test_flow_is_near_what_was_asked(form: str) -> None:
    """Over places: within a factor of two at the median, and rising with what is asked by near as much."""
    ratios = {}
    for speed in (0.01, 0.1):
        means = [
            speeds(render(film(form, kind, speed, seed=seed), 2)).mean()
            for kind in ("landscape", "crowd", "water")
            for seed in (1, 2, 3)
        ]
        ratios[speed] = float(np.median(means)) / speed
    assert all(0.4 < ratio < 2.5 for ratio in ratios.values()), ratios


def test_a_film_that_stands_stands() -> None:
    for form in FORMS:
        video = render(film(form, speed=0.0), 1)
        assert np.abs(np.diff(video.astype(int), axis=0)).mean() < 0.05, form  # a level here and there, by rounding
    grainy = render(film("locked", speed=0.0, grain=3.0, still_grain=True), 1)
    assert np.abs(np.diff(grainy.astype(int), axis=0)).mean() < 0.05
    fresh = render(film("locked", speed=0.0, grain=3.0), 1)
    assert np.abs(np.diff(fresh.astype(int), axis=0)).mean() > 0.5


def changed(video: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(h, w): where a picture differs visibly from the one before it, at any time."""
    return np.asarray(np.abs(np.diff(video.astype(int), axis=0)).max(axis=(0, 3)) > 4)


def test_little_of_the_picture_moves_where_the_camera_stands() -> None:
    for form in ("locked", "talk", "screen"):
        assert 0.0 < changed(render(film(form, "forest", 0.05), 2)).mean() < 0.6, form
    assert changed(render(film("moving", "forest", 0.05), 2)).mean() > 0.7


def test_cuts_change_the_picture() -> None:
    video = render(film(cut_times_s=(1.0,), change=0.5), 2).astype(float)
    change = np.abs(np.diff(video, axis=0)).mean(axis=(1, 2, 3))
    assert change.argmax() == 7 and change[7] > 4 * np.median(change)


def test_a_hand_shakes_what_would_stand() -> None:
    calm, shaken = (render(film("talk", "forest", 0.08, shake=share, seed=6), 2) for share in (0.0, 0.8))
    assert changed(calm)[:20, -20:].mean() < 0.1 < 0.5 < changed(shaken)[:20, -20:].mean()
    assert 0.3 < speeds(shaken).mean() / 0.08 < 2.0
    path = hand(np.random.default_rng(1))
    assert np.hypot(*np.diff(path, axis=0).T).mean() * 64 == pytest.approx(1.0)
    assert np.abs(path).max() < 1.0


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlays_cover_a_part_and_stay_grey_over_grey(name: str) -> None:
    rng = np.random.default_rng(7)
    plain = np.full((90, 160, 3), 100, np.uint8)
    covered = plain.copy()
    patches = overlays.draw((name,), 160, 90, rng, 0.0)
    for patch in patches:
        patch.lay(covered, 0.0)
    changed = (covered != plain).any(axis=2)
    assert 0.0 < changed.mean() < 0.8
    assert np.ptp(covered.astype(int), axis=2).max() <= 1
    again = covered.copy()
    for patch in patches:
        patch.lay(again, 0.05)
    assert (again[~changed] == plain[~changed]).all()


def test_motion_comes_in_bursts_of_mean_one() -> None:
    rng = np.random.default_rng(3)
    assert np.array_equal(bursts(rng, 640, 0.0), np.ones(640))
    many = np.concatenate([bursts(rng, 28 * 64, 0.8) for _ in range(20)])
    assert many.mean() == pytest.approx(1.0, abs=0.06) and many.std() > 0.6


def test_accents_quicken_and_travel_only_grows() -> None:
    plan = course(film(accents_s=(1.0,), accent=0.5, burst=0.5), 2.0)
    assert np.all(np.diff(plan.travel) > 0)
    assert plan.at(plan.speed, 1.01) > 1.5 * plan.at(plan.speed, 0.98)


def test_shots_are_never_shorter_than_a_blink() -> None:
    starts = shots(film(cut_times_s=(0.1, 0.3, 0.35, 1.0, 9.0)), 4.0)
    assert starts == (0.0, 0.3, 1.0)
    assert all(b - a >= MIN_SHOT_S for a, b in itertools.pairwise(starts))


def test_frames_come_one_by_one_at_any_size() -> None:
    assert next(frames(film("screen", overlays=OVERLAYS), 3600.0, fps=30, width=640, height=360)).shape == (360, 640, 3)


@pytest.mark.parametrize(
    "bad",
    [
        {"form": "flat"},
        {"overlays": ("halo",)},
        {"kind": "moon"},
        {"burst": 9.0},
        {"cut_times_s": (2.0, 1.0)},
        {"shake": float("nan")},
        {"seed": -1},
        {"speed": 9.0},
    ],
)
def test_a_recipe_that_cannot_be_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(StudioError):
        film(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [{"duration_s": 0}, {"fps": 0}, {"width": 4}, {"height": 10_000}])
def test_what_cannot_be_rendered_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(StudioError, match="give"):
        frames(film(), **{"duration_s": 1.0, **bad})  # type: ignore[arg-type]
