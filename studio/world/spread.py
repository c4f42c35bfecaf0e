"""How real material is spread, and places in that spread.

Quantiles of 121 public clips of many kinds (trailers, dance, home video, games, animation), cut to 4 s and measured by
``features``, and of 261 whole tracks by librosa's defaults at 22 050 Hz. A rank in [0, 1] is a place in such a table:
0.5 is the median. Readings of a latent become ranks by tables of the readings' own spread. So their order stays,
and with it every tie, while the values become real ones.
"""

from collections.abc import Mapping
from math import erf, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

RANKS: Final = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)

# Fields of ``features.clip``; the first and the last value are a little beyond the 1st and the 99th percentile.
REAL: Final[Mapping[str, tuple[float, ...]]] = {
    "speed": (1e-6, 2e-5, 0.0004, 0.0013, 0.007, 0.0202, 0.0836, 0.1479, 0.1781, 0.3036, 0.4),
    "brightness": (0.005, 0.0082, 0.0322, 0.0611, 0.1476, 0.3355, 0.4878, 0.7607, 0.9076, 0.9298, 0.94),
    "contrast": (0.06, 0.0793, 0.1248, 0.1677, 0.2467, 0.3121, 0.41, 0.465, 0.5114, 0.8, 0.95),
    "colourfulness": (0.0, 0.0, 0.0038, 0.0444, 0.1009, 0.2388, 0.4066, 0.5865, 0.8462, 1.0, 1.0),
    "warmth": (0.22, 0.2651, 0.3816, 0.4415, 0.4984, 0.5107, 0.5554, 0.6382, 0.7312, 0.8496, 0.88),
    "rms_db": (-31.0, -29.5, -25.4, -24.5, -22.5, -18.2, -15.5, -12.9, -12.2, -11.2, -10.5),
    "centroid_hz": (420.0, 485.0, 835.0, 932.0, 1303.0, 1697.0, 2049.0, 2569.0, 2898.0, 3650.0, 4000.0),
}

# How readings of ``studio.pairs`` are spread (6,000 pairs, seed 1).
READINGS: Final[Mapping[str, tuple[float, ...]]] = {
    "motion": (-0.224, -0.123, -0.02, 0.072, 0.273, 0.516, 0.755, 0.948, 1.032, 1.14, 1.273),
    "brightness": (-0.107, 0.035, 0.137, 0.195, 0.315, 0.463, 0.618, 0.732, 0.794, 0.89, 1.003),
    "contrast": (-0.121, -0.002, 0.09, 0.15, 0.261, 0.427, 0.602, 0.74, 0.811, 0.918, 1.031),
    "warmth": (0.012, 0.084, 0.157, 0.21, 0.342, 0.5, 0.665, 0.79, 0.845, 0.919, 1.004),
    # Of mixes: their centroid in their room (200 tracks), their level before they are recorded (150).
    "centroid_hz": (420.0, 480.0, 610.0, 730.0, 1030.0, 1320.0, 1820.0, 2340.0, 2600.0, 3050.0, 3500.0),
    "rms_db": (-29.0, -27.0, -25.5, -24.3, -21.6, -18.8, -16.0, -14.2, -13.1, -12.2, -11.5),
}

# The speed to request of a film so that its measured speed is that of real clips, by the ranks of RANKS.
ASKED_SPEED: Final = (1e-6, 1e-5, 5e-5, 0.0003, 0.0065, 0.014, 0.12, 0.2, 0.22, 0.5, 0.65)

Ranks = NDArray[np.float64]


def requested_speed(rank: float | Ranks) -> Ranks:
    """The speed to request of a film, in frame widths a second, so that it measures as the real one at ``rank``."""
    return np.asarray(np.exp(np.interp(rank, RANKS, np.log(ASKED_SPEED))), np.float64)


def real(field: str, rank: float | Ranks) -> Ranks:
    """The real value of ``field`` at ``rank``."""
    return np.asarray(np.interp(rank, RANKS, REAL[field]), np.float64)


def rank_of(reading: str, value: float | Ranks) -> Ranks:
    """The rank of ``value`` among the readings of that name."""
    return np.asarray(np.interp(value, READINGS[reading], RANKS), np.float64)


def blur_rank(rank: float, noise: float, rng: np.random.Generator) -> float:
    """A rank moved by chance so that ranks stay evenly spread: their normal scores keep a share of ``1 - noise**2``.

    ``noise`` in [0, 1]: 0 leaves the rank as it is, 1 draws it anew.
    """
    return rank_of_score(sqrt(1.0 - noise**2) * normal_score(rank) + noise * float(rng.standard_normal()))


def rank_of_score(score: float) -> float:
    """The rank of a standard normal value."""
    return 0.5 * (1.0 + erf(score / sqrt(2.0)))


def normal_score(rank: float) -> float:
    """The standard normal value at a rank of 0.002 to 0.998, by the logistic approximation of Bowling et al. (2009)."""
    bounded = min(max(rank, 0.002), 0.998)
    logit = log(bounded / (1.0 - bounded))
    # logit = 0.07056 x^3 + 1.5976 x is within 0.0002 of the normal distribution; steps of Newton turn it round.
    x = logit / 1.7
    for _ in range(3):
        x = x - (0.07056 * x**3 + 1.5976 * x - logit) / (0.21168 * x**2 + 1.5976)
    return x
