"""From a recipe to sound."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.errors import StudioError

from .band import draw_band
from .groove import beat_times, draw_grid
from .mix import colour, duck, master, play
from .recipe import MusicRecipe
from .score import write_score
from .styles import style_of

__all__ = ["MusicRecipe", "beat_times", "render"]

MIN_RATE_HZ: Final = 8_000
MAX_DURATION_S: Final = 3_600.0
_STREAM: Final = 13


def render(recipe: MusicRecipe, duration_s: float, rate_hz: int = 32_000) -> NDArray[np.float32]:
    """Stereo samples ``(n, 2)`` float32, peak below 1; the same bytes for the same arguments.

    Raises ``StudioError`` for a duration or rate that cannot be rendered.
    """
    if not (math.isfinite(duration_s) and 0.0 < duration_s <= MAX_DURATION_S):
        raise StudioError(f"duration_s {duration_s!r}: not a length of music; give 0 < seconds <= {MAX_DURATION_S:g}")
    if rate_hz < MIN_RATE_HZ:
        raise StudioError(f"rate_hz {rate_hz!r}: too low for music; give at least {MIN_RATE_HZ}")
    style = style_of(recipe.style)
    grid = draw_grid(recipe)
    n = max(1, round(duration_s * rate_hz))
    # One stream a stage: neither the length nor the rate changes who plays or how it is mixed.
    hire, write, perform, tint, level = (np.random.default_rng((recipe.seed, _STREAM, stage)) for stage in range(5))
    band = draw_band(recipe, style, hire)
    notes = write_score(recipe, grid, duration_s, write)
    buses = play(notes, band, recipe, grid.step_s, n, rate_hz, perform)
    duck(buses.tonal, buses.kicks_s, style.duck, 0.35 * 60.0 / recipe.tempo_bpm, rate_hz)
    mix = colour(buses, recipe, style, rate_hz, tint)
    return np.ascontiguousarray(master(mix, recipe, rate_hz, level).T)
