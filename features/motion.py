"""What motion does over time: its onsets, its tempo, its mean over a clip."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log1p, sqrt

import numpy as np
from numpy.typing import NDArray

from .errors import FeatureError
from .spec import MOTION_FPS, WINDOW_S
from .tempo import autocorrelation, best_tempo

MIN_BPM = 40.0
MAX_BPM = 200.0
MIN_TEMPO_S = 4.0
REPEATS_S = 16
SAME_TEMPO, OTHER_TEMPO = 0.03, 0.1  # relative distance of two tempi

_SPREAD = np.array([0.25, 0.5, 0.25])
_STILL = 0.02  # frame widths per second; slower than this is noise, and the logarithm is flat there
_MEMORY = MOTION_FPS // 2  # samples that an onset rises above: half a second


@dataclass(frozen=True, slots=True)
class VisualTempo:
    """Tempo of picture motion in beats per minute, 0 if there is none, and confidence in [0, 1]."""

    bpm: float
    confidence: float


class OnsetMeter:
    """Motion onsets: how far the log-compressed speed rises above its mean over the last half second."""

    def __init__(self) -> None:
        self._levels: deque[float] = deque(maxlen=_MEMORY)

    def push(self, speed: float) -> float:
        """Onset strength, >= 0, of a speed in frame widths per second; 0 for the first.

        Raises ``FeatureError`` for a speed that is negative or not finite.
        """
        if not isfinite(speed) or speed < 0.0:
            raise FeatureError(f"speed is {speed}: give a finite one, 0 or more, in frame widths per second")
        level = log1p(speed / _STILL)
        rise = level - sum(self._levels) / len(self._levels) if self._levels else 0.0
        self._levels.append(level)
        return max(0.0, rise)

    def hold(self, samples: int) -> None:
        """Nothing moved for so many samples: as if a speed of 0 had been pushed for each."""
        self._levels.extend([0.0] * min(samples, _MEMORY))


def visual_tempo(onsets: Sequence[float] | NDArray[np.floating]) -> VisualTempo:
    """Tempo of onset strengths at 8 a second, oldest first; the last 28 s count.

    Autocorrelation with a log-Gaussian prior around 120 bpm, 40 to 200 bpm. Confidence is the height of the peak above
    what noise of the same length reaches, 0 with less than 4 s. People do not move like a clock, so their peaks are
    low; but where both halves of at least 16 s have about that tempo, which is rare in noise, it rises up to its root.
    Raises ``FeatureError`` for values that are not finite.
    """
    series = np.asarray(onsets, dtype=np.float64)
    if series.ndim != 1 or not np.isfinite(series).all():
        raise FeatureError("onsets must be one finite number per motion sample, in one dimension")
    series = series[-WINDOW_S * MOTION_FPS :]
    whole = _tempo(series)
    if len(series) < REPEATS_S * MOTION_FPS or whole.confidence == 0.0:
        return whole
    halves = [_tempo(half).bpm for half in np.array_split(series, 2)]
    apart = max(abs(bpm / whole.bpm - 1.0) for bpm in halves)
    repeats = float(np.interp(apart, (SAME_TEMPO, OTHER_TEMPO), (1.0, 0.0)))
    return VisualTempo(whole.bpm, whole.confidence ** (1.0 - repeats / 2.0))


def _tempo(series: NDArray[np.float64]) -> VisualTempo:
    n = len(series)
    if n < MIN_TEMPO_S * MOTION_FPS:
        return VisualTempo(0.0, 0.0)
    # Beats rarely fall on the sampling grid: spread each one, so that neighbouring lags meet.
    spread = np.convolve(np.concatenate([series[:1], series, series[-1:]]), _SPREAD, mode="valid")
    bpm, height = best_tempo(autocorrelation(spread), MOTION_FPS, MIN_BPM, MAX_BPM)
    noise = 3.0 / sqrt(n)
    return VisualTempo(bpm, min(1.0, max(0.0, (height - noise) / (1.0 - noise))))


def mean_displacement(speeds: Sequence[float] | NDArray[np.floating]) -> float:
    """Mean speed of a clip in frame widths per second; 0 for none. Raises ``FeatureError`` for non-finite speeds."""
    values = np.asarray(speeds, dtype=np.float64)
    if not np.isfinite(values).all():
        raise FeatureError("speeds hold a value that is not finite")
    return float(values.mean()) if values.size else 0.0
