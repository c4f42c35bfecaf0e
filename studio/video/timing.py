"""When things happen: level and speed over time, distance travelled, shots, accents.

Distance is integrated on one fine grid that does not depend on the frame rate, so a recipe is one film at any rate.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .recipe import Curve, SceneRecipe

GRID_HZ: Final = 64
SLOWEST: Final = 0.02  # frame widths per second at level 0
RANGE: Final = 24.0  # level 1 is this many times faster
ACCENT_DECAY_S: Final = 0.16
MIN_SHOT_S: Final = 0.5

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """Values on a grid of ``GRID_HZ`` from 0 s, and the shots' starts (the first is 0)."""

    times_s: Series
    travel: Series  # frame widths since the start
    speed: Series  # frame widths per second
    accent: Series  # 0..1, jumps up at each accent and decays
    starts_s: tuple[float, ...]

    def at(self, series: Series, t_s: float) -> float:
        """A series of this timeline at a time, by linear interpolation."""
        return float(np.interp(t_s, self.times_s, series))


def level_at(curve: Curve, times_s: Series) -> Series:
    """The level at each time; flat before the first breakpoint and after the last."""
    if not isinstance(curve, tuple):
        return np.full(len(times_s), float(curve))
    at_s, levels = zip(*curve, strict=True)
    return np.asarray(np.interp(times_s, at_s, levels), np.float64)


def accent_envelope(accents_s: tuple[float, ...], times_s: Series) -> Series:
    """1 at each accent, decaying exponentially; overlapping accents take the larger."""
    envelope = np.zeros(len(times_s))
    for accent_s in accents_s:
        since = times_s - accent_s
        envelope = np.maximum(envelope, np.where(since >= 0, np.exp(-np.maximum(since, 0) / ACCENT_DECAY_S), 0.0))
    return envelope


def cut_times(recipe: SceneRecipe, duration_s: float, rng: np.random.Generator) -> tuple[float, ...]:
    """The recipe's own cuts, or cuts at its rate with intervals spread by a third; none within 0.5 s of another."""
    if recipe.cut_times_s is not None:
        planned = [t for t in recipe.cut_times_s if t < duration_s]
    elif recipe.cut_rate * duration_s < 0.1:  # less than one cut in ten such videos
        planned = []
    else:
        gap = 60 / recipe.cut_rate
        count = int(duration_s / gap * 2) + 2
        gaps = gap * np.clip(rng.normal(1, 0.33, count), 0.3, 2)
        planned = [float(t) for t in np.cumsum(gaps) - gap * rng.uniform(0, 0.9) if t < duration_s]
    cuts: list[float] = []
    last = 0.0
    for cut in planned:
        if cut - last >= MIN_SHOT_S:
            cuts.append(cut)
            last = cut
    return tuple(cuts)


def timeline(recipe: SceneRecipe, duration_s: float) -> Timeline:
    """The course of a recipe over ``duration_s``."""
    rng = np.random.default_rng([recipe.seed, 1])
    times = np.arange(int(duration_s * GRID_HZ) + 2) / GRID_HZ
    speed = SLOWEST * RANGE ** level_at(recipe.motion, times)
    if recipe.pace_hz > 0:
        phase = rng.uniform(0, 2 * np.pi)
        speed = speed * (1 + 0.45 * np.cos(2 * np.pi * recipe.pace_hz * times + phase))
    accent = accent_envelope(recipe.accents_s, times)
    speed = speed * (1 + 0.9 * accent)
    travel = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2)]) / GRID_HZ
    return Timeline(times, travel, speed, accent, (0.0, *cut_times(recipe, duration_s, rng)))
