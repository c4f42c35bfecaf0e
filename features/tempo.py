"""Tempo from an autocorrelation: shared by picture motion and music."""

import numpy as np
from numpy.typing import NDArray

PRIOR_BPM = 120.0
PRIOR_OCTAVES = 1.0  # standard deviation of the log-Gaussian prior
_REFINE_ABOVE = 0.2  # share of the first peak's height that a later multiple needs to refine it


def autocorrelation(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """The autocorrelation of each row of ``(..., n)``, mean removed, divided by its value at lag 0; zeros for a
    constant row."""
    n = series.shape[-1]
    centred = series - np.add.reduce(series, axis=-1, keepdims=True) / n
    spectrum = np.fft.rfft(centred, 2 * n)
    result = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, 2 * n)[..., :n]
    # A longer lag sums fewer products; without this, short periods would win.
    result *= n / np.arange(n, 0, -1)
    zero = result[..., :1].copy()
    flat = zero <= 1e-12 * n * (1.0 + np.square(series).max(axis=-1, keepdims=True, initial=0.0))
    if not flat.any():
        return np.asarray(result / zero)
    return np.asarray(np.where(flat, 0.0, result / np.where(flat, 1.0, zero)))


def prior(bpm: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely a tempo is before any measurement, 1 at 120 bpm."""
    return np.asarray(np.exp(-0.5 * np.square(np.log2(bpm / PRIOR_BPM) / PRIOR_OCTAVES)))


def best_tempo(acf: NDArray[np.float64], rate_hz: float, min_bpm: float, max_bpm: float) -> tuple[float, float]:
    """The most likely tempo of an autocorrelation ``(n,)`` taken at ``rate_hz``: ``(bpm, height of its peak)``.

    Peaks are weighed by a log-Gaussian prior around 120 bpm, the winner's place is interpolated by a parabola, then
    refined at its multiples, whose places are k times as exact. ``(0, 0)`` where there is no positive peak.
    """
    first = max(1, int(60.0 * rate_hz / max_bpm))
    last = min(len(acf) - 2, int(np.ceil(60.0 * rate_hz / min_bpm)))
    peaks: list[tuple[float, float, float]] = []  # bpm, height, place
    heights: list[float] = acf.tolist()
    for lag in range(first, last + 1):
        if heights[lag] > 0.0 and heights[lag] >= heights[lag - 1] and heights[lag] > heights[lag + 1]:
            place, height = _parabola(heights, lag)
            bpm = 60.0 * rate_hz / place
            if min_bpm <= bpm <= max_bpm:
                peaks.append((bpm, height, place))
    if not peaks:
        return 0.0, 0.0
    likely = prior(np.array([bpm for bpm, *_ in peaks])).tolist()
    _, height, place = max(
        (height * share, height, place) for share, (_, height, place) in zip(likely, peaks, strict=True)
    )
    refined = _refine(heights, place, height)
    return min(max(60.0 * rate_hz / refined, min_bpm), max_bpm), min(height, 1.0)


def _refine(acf: list[float], place: float, height: float) -> float:
    for k in range(2, 9):
        near = round(k * place)
        if near + 2 >= len(acf) // 2:
            break
        lag = max(range(near - 1, near + 2), key=acf.__getitem__)
        if acf[lag] < _REFINE_ABOVE * height or not acf[lag - 1] <= acf[lag] >= acf[lag + 1]:
            break
        place = _parabola(acf, lag)[0] / k
    return place


def _parabola(values: list[float], at: int) -> tuple[float, float]:
    """Place and height of the top of the parabola through a local maximum and its neighbours."""
    left, top, right = values[at - 1], values[at], values[at + 1]
    bend = left - 2.0 * top + right
    shift = 0.0 if bend >= 0.0 else 0.5 * (left - right) / bend
    return at + shift, top - 0.25 * (left - right) * shift
