"""Bar lines of rendered music, whose bars are known: few or none rather than wrong ones."""

import numpy as np
import pytest

from features.bar_lines import bar_lines
from features.music import track_features
from studio.music.groove import draw_grid
from studio.music.render import MusicRecipe, render

SECONDS = 50.0


def lines_of(recipe: MusicRecipe) -> tuple[np.ndarray, np.ndarray, int]:
    """Found, and true; beats of a bar."""
    samples = render(recipe, SECONDS, rate_hz=16_000).mean(axis=1)
    heard = track_features(samples, ())
    found = bar_lines(heard.beats.times_s, heard.course.bands, heard.chroma)
    grid = draw_grid(recipe)
    truth = np.arange(grid.bars_in(SECONDS) + 1) * grid.bar_s - grid.offset_s
    return heard.beats.times_s[found.lines], truth, found.meter


@pytest.mark.parametrize(
    ("style", "tempo_bpm", "seed", "meter", "least"),
    [
        ("rock", 118.0, 71, 4, 20),
        ("trap", 132.0, 72, 4, 20),
        ("waltz", 124.0, 73, 3, 0),
        ("synthwave", 110.0, 74, 4, 20),
    ],
)
def test_lines_that_are_told_are_bars(style: str, tempo_bpm: float, seed: int, meter: int, least: int) -> None:
    found, truth, beats = lines_of(MusicRecipe(style=style, tempo_bpm=tempo_bpm, seed=seed))
    assert len(found) >= least
    if len(found):
        assert beats == meter
        assert np.abs(found[:, None] - truth).min(axis=1).max() < 0.07


def test_even_beats_have_no_bars() -> None:
    rng = np.random.default_rng(0)
    beats_s = np.arange(0.5, 120.0, 0.5)
    bands = rng.normal(size=(7500, 16)).astype(np.float32)
    for frame in np.round(beats_s / 0.016).astype(int):
        bands[frame - 2 : frame + 4] += 3.0
    assert not bar_lines(beats_s, bands, rng.random((30, 30, 24), np.float32)).lines.any()


@pytest.mark.parametrize("beats", [0, 1, 2, 31])
def test_few_beats_have_none(beats: int) -> None:
    bands, chroma = np.zeros((1000, 16), np.float32), np.zeros((4, 30, 24), np.float32)
    assert bar_lines(0.5 * np.arange(beats), bands, chroma).lines.tolist() == [False] * beats


def test_silent_features_tell_nothing() -> None:
    bands, chroma = np.zeros((4000, 16), np.float32), np.zeros((16, 30, 24), np.float32)
    assert not bar_lines(0.5 * np.arange(100), bands, chroma).lines.any()


def test_a_phase_that_moves_is_followed() -> None:
    """A beat too many in the middle, as a tracker may hear it."""
    rng = np.random.default_rng(1)
    beats_s = np.arange(0.0, 120.0, 0.5)
    chroma = np.zeros((30, 30, 24), np.float32)
    times = (np.arange(30)[:, None] * 4 + (np.arange(30) + 1) * 0.128).ravel()
    bar = np.where(times < 60.0, times // 2.0, (times - 0.5) // 2.0).astype(int)
    chroma.reshape(-1, 24)[np.arange(900), bar % 12] = 1.0
    chroma += 0.02 * rng.random(chroma.shape, np.float32)
    lines = bar_lines(beats_s, rng.normal(size=(7500, 16)).astype(np.float32), chroma).lines
    told = beats_s[lines]
    assert (told < 50).sum() >= 20 and (told > 70).sum() >= 20
    assert (told[told < 50] % 2.0 == 0.0).all() and (told[told > 70] % 2.0 == 0.5).all()
