"""What the music must be: style, tempo, key, energy, brightness and tension.

Everything that a recipe does not name (instrument variants, progression, pan, humanisation, where in the bar the render
starts) is drawn from its seed, so that it carries no information about the rest.

Conventions: times in seconds from the start of the render; levels in [0, 1]; the tonic in semitones above C.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studio.errors import StudioError

STYLES: Final = (
    "ambient",
    "chiptune",
    "cinematic",
    "drum_and_bass",
    "folk",
    "funk",
    "house",
    "jazz",
    "lofi",
    "rock",
    "synthwave",
    "techno",
    "trap",
    "waltz",
)

# Semitones above the tonic.
MODES: Final[Mapping[str, tuple[int, ...]]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
}

MIN_TEMPO_BPM: Final = 60.0
MAX_TEMPO_BPM: Final = 180.0


@dataclass(frozen=True, slots=True)
class MusicRecipe:
    """What one piece of music must be; equal recipes give equal bytes.

    ``energy`` is one level, or breakpoints ``(time_s, level)`` in rising time, joined by straight lines and constant
    beyond both ends. Raises ``StudioError`` for any value outside its range.
    """

    style: str
    tempo_bpm: float
    tonic: int = 0
    mode: str = "major"
    energy: float | tuple[tuple[float, float], ...] = 0.5
    brightness: float = 0.5
    tension: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise StudioError(f"style {self.style!r}: no such style; use one of {', '.join(STYLES)}")
        if self.mode not in MODES:
            raise StudioError(f"mode {self.mode!r}: no such mode; use one of {', '.join(MODES)}")
        if not MIN_TEMPO_BPM <= self.tempo_bpm <= MAX_TEMPO_BPM:
            raise StudioError(
                f"tempo_bpm {self.tempo_bpm!r}: outside {MIN_TEMPO_BPM:g}-{MAX_TEMPO_BPM:g}; halve or double it"
            )
        if not (isinstance(self.tonic, int | np.integer) and 0 <= self.tonic <= 11):
            raise StudioError(f"tonic {self.tonic!r}: not a pitch class; give whole semitones above C, 0 to 11")
        if not (isinstance(self.seed, int | np.integer) and self.seed >= 0):
            raise StudioError(f"seed {self.seed!r}: not a whole number from 0 up; give one")
        _check_level("brightness", self.brightness)
        _check_level("tension", self.tension)
        _check_energy(self.energy)

    def energy_at(self, times_s: ArrayLike) -> NDArray[np.float64]:
        """Energy, in [0, 1], at each of ``times_s``; same shape."""
        times = np.asarray(times_s, dtype=np.float64)
        if not isinstance(self.energy, tuple):
            return np.full(times.shape, float(self.energy))
        at_s, levels = np.array(self.energy, dtype=np.float64).T
        return np.asarray(np.interp(times, at_s, levels), dtype=np.float64)


def _check_level(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:  # false for NaN too
        raise StudioError(f"{name} {value!r}: not a level; give a number from 0 to 1")


def _check_energy(energy: float | tuple[tuple[float, float], ...]) -> None:
    if not isinstance(energy, tuple):
        _check_level("energy", energy)
        return
    if not energy or any(not isinstance(point, tuple) or len(point) != 2 for point in energy):
        raise StudioError(f"energy {energy!r}: not breakpoints; give a level, or a tuple of (time_s, level) pairs")
    for time_s, level in energy:
        if not math.isfinite(time_s):
            raise StudioError(f"energy breakpoint at {time_s!r} s: not a time; give finite seconds")
        _check_level(f"energy at {time_s:g} s:", level)
    if any(after[0] <= before[0] for before, after in itertools.pairwise(energy)):
        raise StudioError(f"energy {energy!r}: times do not rise; sort the breakpoints and drop repeated times")
