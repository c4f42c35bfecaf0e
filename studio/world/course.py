"""When things happen in a film: speed and distance travelled, shots, accents, the tremor of a hand.

All on one fine grid that does not depend on the frame rate, so a recipe is one film at any rate.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.video.timing import GRID_HZ, Series, Timeline, accent_envelope

from .recipe import Film

MIN_SHOT_S: Final = 0.2
SLOWEST: Final = 1e-6  # frame widths per second; keeps the logarithm finite
HAND_HZ: Final = (0.4, 3.5)
HAND_PATHS_S: Final = 64  # a hand's path is this long, then it begins again


@dataclass(frozen=True)
class Course(Timeline):
    """Speed has pace, bursts and accents in it. Series on the grid, as the others."""

    calm: Series  # speed over two seconds
    light: Series  # factors of light and of contrast, about 1
    stretch: Series


def course(film: Film, duration_s: float) -> Course:
    """The course of a film over ``duration_s``."""
    rng = np.random.default_rng([film.seed, 1])
    times = np.arange(int(duration_s * GRID_HZ) + 2) / GRID_HZ
    at_s, requested = np.array(film.speeds, np.float64).T
    speed = np.exp(np.interp(times, at_s, np.log(np.maximum(requested, SLOWEST))))
    speed = speed * bursts(rng, len(times), film.burst)
    if film.pace_hz > 0:
        speed = speed * (1 + 0.45 * np.cos(2 * np.pi * film.pace_hz * times + rng.uniform(0, 2 * np.pi)))
    accent = accent_envelope(film.accents_s, times) * film.accent
    speed = speed * (1 + 2.5 * accent)
    travel = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2)]) / GRID_HZ
    around = 2 * GRID_HZ + 1
    calm = np.convolve(np.pad(speed, GRID_HZ, mode="edge"), np.ones(around) / around, "valid")
    light, stretch = (np.exp(film.breath * share * wander(rng, len(times), 0.1, 0.6)) for share in (0.4, 1.0))
    return Course(times, travel, speed, accent, shots(film, duration_s), calm, light, stretch)


def shots(film: Film, duration_s: float) -> tuple[float, ...]:
    """The starts of shots, the first 0, none sooner than ``MIN_SHOT_S`` after another."""
    starts = [0.0]
    for cut in film.cut_times_s:
        if cut < duration_s and cut - starts[-1] >= MIN_SHOT_S:
            starts.append(cut)
    return tuple(starts)


def bursts(rng: np.random.Generator, count: int, deviation: float) -> Series:
    """A factor of mean 1 that rises and falls as real motion does, over parts of a second to seconds."""
    return np.asarray(np.exp(deviation * wander(rng, count, 0.5, 4.0) - deviation**2 / 2), np.float64)


def wander(rng: np.random.Generator, count: int, from_hz: float, to_hz: float) -> Series:
    """Noise of mean 0 and deviation 1 on the grid, level up to ``from_hz``, falling to ``to_hz``, nothing above."""
    frequency = np.fft.rfftfreq(count, 1 / GRID_HZ)
    weight = (frequency < to_hz) / np.maximum(frequency, from_hz)
    weight[0] = 0.0
    noise = np.fft.irfft(weight * (rng.normal(size=len(weight)) + 1j * rng.normal(size=len(weight))), count)
    return np.asarray(noise / (noise.std() + 1e-12), np.float64)


def hand(rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, 2): the camera's places in a hand that trembles at a mean speed of 1 a second, on the grid, periodic.

    Amplitude falls with frequency, as physiological tremor and sway together do.
    """
    count = HAND_PATHS_S * GRID_HZ
    frequency = np.fft.rfftfreq(count, 1 / GRID_HZ)
    inside = (frequency >= HAND_HZ[0]) & (frequency <= HAND_HZ[1])
    weight = np.where(inside, 1 / np.maximum(frequency, HAND_HZ[0]), 0.0)
    shape = (2, len(weight))
    path = np.fft.irfft(weight * (rng.normal(size=shape) + 1j * rng.normal(size=shape)), count, axis=1)
    speed = np.hypot(*np.diff(path, axis=1)).mean() * GRID_HZ
    return np.asarray((path / speed).T, np.float64)
