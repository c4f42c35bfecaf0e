"""Where steps and beats fall in time.

The render starts at a place inside a bar that the seed draws, so that the phase of the beat carries no information. A
beat is a quarter note at the recipe's tempo; a step is a sixteenth.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .recipe import MusicRecipe
from .styles import Style, style_of

STEPS_PER_BEAT: Final = 4
_STREAM: Final = 11  # this module's own random stream of the seed


@dataclass(frozen=True, slots=True)
class Grid:
    """The bars of one render; step 0 lies at or before time 0."""

    step_s: float
    steps_per_bar: int
    swing: float
    swing_unit: int
    offset_s: float

    @property
    def bar_s(self) -> float:
        """Length of a bar in seconds."""
        return self.step_s * self.steps_per_bar

    def at_s(self, step: int) -> float:
        """The time of a step, swung."""
        late = 0.0
        place = step % (2 * self.swing_unit)
        if place >= self.swing_unit:
            late = self.swing * 0.5 * (2 * self.swing_unit - place)
        return (step + late) * self.step_s - self.offset_s

    def bars_in(self, duration_s: float) -> int:
        """How many bars begin before ``duration_s``."""
        return int(np.ceil((duration_s + self.offset_s) / self.bar_s))


def draw_grid(recipe: MusicRecipe) -> Grid:
    """The recipe's grid: its tempo, its style's swing, and a drawn place in the bar to start from."""
    style: Style = style_of(recipe.style)
    rng = np.random.default_rng((recipe.seed, _STREAM))
    step_s = 60.0 / recipe.tempo_bpm / STEPS_PER_BEAT
    steps = style.beats_per_bar * STEPS_PER_BEAT
    return Grid(
        step_s=step_s,
        steps_per_bar=steps,
        swing=float(rng.uniform(*style.swing)),
        swing_unit=style.swing_unit,
        offset_s=float(rng.uniform(0.0, steps * step_s)),
    )


def beat_times(recipe: MusicRecipe, duration_s: float) -> NDArray[np.float64]:
    """The beats of the render of ``recipe``, in seconds, rising, in [0, ``duration_s``)."""
    grid = draw_grid(recipe)
    beat_s = grid.step_s * STEPS_PER_BEAT
    count = int(np.ceil((duration_s + grid.offset_s) / beat_s)) + 1
    times = np.arange(count) * beat_s - grid.offset_s
    return np.asarray(times[(times >= 0.0) & (times < duration_s)])
