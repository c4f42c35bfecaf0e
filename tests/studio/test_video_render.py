"""Pictures: equal for equal recipes, moving as fast as asked, with visible accents and cuts."""

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from studio.errors import StudioError
from studio.video.recipe import KINDS, PALETTES, SceneRecipe
from studio.video.render import SCENES, frames, render


def speeds(video: NDArray[np.uint8], fps: float = 8) -> NDArray[np.float64]:
    """Mean displacement between neighbours, frame widths per second, by DIS optical flow."""
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in video]
    fields = [flow.calc(before, after, None) for before, after in itertools.pairwise(greys)]
    return np.array([np.hypot(f[..., 0], f[..., 1]).mean() / video.shape[2] * fps for f in fields])


def test_every_kind_has_a_scene() -> None:
    assert set(SCENES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_have_the_asked_shape_and_something_to_see(kind: str) -> None:
    for seed in range(3):
        video = render(SceneRecipe(kind, seed=seed, detail=seed / 2, palette=PALETTES[seed]), 0.75)
        assert video.shape == (6, 90, 160, 3) and video.dtype == np.uint8
        grey = video.mean(axis=3)
        assert 15 < grey.mean() < 240
        assert grey.std(axis=(1, 2)).min() > 6


@pytest.mark.parametrize("kind", KINDS)
def test_equal_recipes_give_equal_pictures_and_seeds_differ(kind: str) -> None:
    recipe = SceneRecipe(kind, cut_rate=40, accents_s=(0.5,), pace_hz=1.5, seed=11)
    video = render(recipe, 2)
    np.testing.assert_array_equal(video, render(recipe, 2))
    other = render(SceneRecipe(kind, cut_rate=40, accents_s=(0.5,), pace_hz=1.5, seed=12), 2)
    assert np.abs(video.astype(int) - other).mean() > 4


@pytest.mark.parametrize("kind", KINDS)
def test_flow_rises_with_motion(kind: str) -> None:
    means = [
        np.median([speeds(render(SceneRecipe(kind, motion=m, seed=seed), 1.25)).mean() for seed in (1, 2, 3)])
        for m in (0.0, 0.5, 1.0)
    ]
    assert means == sorted(means)
    assert means[0] < 0.06 and means[-1] > 0.18
    assert means[-1] > 6 * means[0]


def test_flow_follows_a_curve() -> None:
    recipe = SceneRecipe("landscape", motion=((0.0, 0.1), (4.0, 0.1), (4.1, 0.8), (8.0, 0.8)), seed=5)
    flow = speeds(render(recipe, 8))
    assert flow[34:].mean() > 3 * flow[:30].mean()


@pytest.mark.parametrize("kind", KINDS)
def test_accents_are_motion_onsets(kind: str) -> None:
    accents = (1.0, 2.5)
    jumps = []
    for seed in (0, 1, 2):
        video = render(SceneRecipe(kind, motion=0.35, accents_s=accents, shake=0.0, seed=seed), 3.25)
        flow = speeds(video)
        rise = np.maximum(np.diff(np.log(flow)), 0)  # rise[k]: from the pair (k, k+1) to (k+1, k+2)
        at = [round(t * 8) - 2 for t in accents]
        jumps.append(np.mean(rise[at]) / (np.mean(np.delete(rise, at)) + 1e-3))
    assert np.median(jumps) > 4


@pytest.mark.parametrize("kind", KINDS)
def test_cuts_change_the_picture_more_than_motion_does(kind: str) -> None:
    ratios = []
    for seed in (0, 1, 2):
        video = render(SceneRecipe(kind, motion=0.3, cut_times_s=(0.75, 1.5), seed=seed), 2.25).astype(float)
        change = np.abs(np.diff(video, axis=0)).mean(axis=(1, 2, 3))
        ratios.append(min(change[[5, 11]]) / np.median(np.delete(change, [5, 11])))
    assert np.median(ratios) > 2


def test_accents_away_from_the_picture_change_nothing_else() -> None:
    plain = render(SceneRecipe("water", seed=3), 2)
    later = render(SceneRecipe("water", seed=3, accents_s=(5.0,)), 2)
    np.testing.assert_array_equal(plain, later)


@pytest.mark.parametrize("field", ["brightness", "contrast"])
def test_brightness_and_contrast_are_visible(field: str) -> None:
    low, high = [], []
    for seed, kind in enumerate(KINDS[::2]):
        for value, kept in ((0.1, low), (0.9, high)):
            grey = render(SceneRecipe(kind, seed=seed, **{field: value}), 0.125).mean(axis=3)  # type: ignore[arg-type]
            kept.append(grey.mean() if field == "brightness" else grey.std())
    assert np.mean(high) > 1.25 * np.mean(low)
    assert np.mean(np.array(high) > np.array(low)) > 0.85


def test_warmth_leans_from_blue_to_red() -> None:
    for seed, palette in enumerate(PALETTES):
        lean = []
        for warmth in (0.0, 0.5, 1.0):
            video = render(SceneRecipe("gradient", seed=seed, palette=palette, warmth=warmth), 0.125)
            lean.append(float(video[..., 0].mean() - video[..., 2].mean()))
        assert lean == sorted(lean) and lean[2] > lean[0] + 10


def test_the_film_is_one_at_any_rate_and_size() -> None:
    recipe = SceneRecipe("landscape", motion=0.6, seed=9, cut_times_s=(1.0,))
    slow, fast = render(recipe, 2, fps=8), render(recipe, 2, fps=24, width=320, height=180)
    assert fast.shape == (48, 180, 320, 3)
    for k in (2, 12):
        small = cv2.resize(fast[3 * k], (160, 90), interpolation=cv2.INTER_AREA).mean(axis=2)
        assert np.corrcoef(small.ravel(), slow[k].mean(axis=2).ravel())[0, 1] > 0.7


def test_frames_come_one_by_one() -> None:
    many = frames(SceneRecipe("cells"), 3600.0, fps=30, width=64, height=36)
    assert next(many).shape == (36, 64, 3)


@pytest.mark.parametrize("bad", [{"duration_s": 0}, {"fps": 0}, {"width": 4}, {"height": 10_000}, {"duration_s": 1e9}])
def test_refuses_what_cannot_be_rendered(bad: dict[str, float]) -> None:
    with pytest.raises(StudioError, match="give"):
        frames(SceneRecipe("water"), **{"duration_s": 1.0, **bad})  # type: ignore[arg-type]
