"""The tempo of a track over time: the autocorrelation of its onsets in overlapping windows of 8 s, and the path
through them with the highest peaks and the fewest changes.

A constant tempo costs nothing, a drift costs its square, and any other change costs a fixed price, which some seconds
of another beat outweigh. So a steady track is judged as a whole, and a mix piece by piece.
The tempogram is that of P. Grosche and M. Mueller ("Extracting predominant local pulse information from music
recordings", 2011), the path the Viterbi algorithm's.

Memory: 1.2 kB for each 2 s of track.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .spec import BEAT_HOP, MUSIC_RATE_HZ
from .tempo import autocorrelation, prior

MIN_BPM: Final = 50.0
MAX_BPM: Final = 210.0
ENVELOPE_HZ: Final = MUSIC_RATE_HZ / BEAT_HOP
WINDOW: Final = 512  # envelope frames: 8.2 s, 6 beats at the slowest
HOP: Final = 128

_PER_OCTAVE: Final = 48  # tempi that are distinguished: 1.5%
_STEPS: Final = 1 + int(_PER_OCTAVE * np.log2(MAX_BPM / MIN_BPM))
GRID_BPM: Final = MIN_BPM * 2.0 ** (np.arange(_STEPS) / _PER_OCTAVE)
_DRIFT: Final = 100.0  # price of a drift of an octave from one window to the next; less by its square
_JUMP: Final = 1.0  # price of any other change; a window with a perfect beat is worth 1
_SMOOTH: Final = (0.25, 0.5, 0.25)
_BLOCK: Final = 256  # windows at once


@dataclass(frozen=True, slots=True, eq=False)
class Tempogram:
    """n windows, ``HOP`` frames apart. ``heights`` (n, tempi) float32: autocorrelation at the tempi ``GRID_BPM``;
    ``peaks``: the same, 0 where it has no peak; ``weights`` (n,) in [0, 1]: how much happens in each."""

    heights: NDArray[np.float32]
    peaks: NDArray[np.float32]
    weights: NDArray[np.float64]


def tempogram(envelope: NDArray[np.float32]) -> Tempogram:
    """The tempogram of an onset envelope ``(m,)``; at least one window."""
    if len(envelope) < WINDOW:
        envelope = np.pad(envelope, (0, WINDOW - len(envelope)))
    # Smoothed, because beats do not fall on the grid of frames.
    smooth = np.convolve(envelope, _SMOOTH, mode="same").astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(smooth, WINDOW)[::HOP]
    heights = np.empty((len(windows), _STEPS), np.float32)
    peaks = np.empty_like(heights)
    spread = np.empty(len(windows))
    for start in range(0, len(windows), _BLOCK):
        block = windows[start : start + _BLOCK]
        acf = autocorrelation(block)
        heights[start : start + _BLOCK] = _sample(acf)
        peaks[start : start + _BLOCK] = np.where(_near_peak(acf), np.maximum(heights[start : start + _BLOCK], 0.0), 0.0)
        spread[start : start + _BLOCK] = block.std(axis=1)
    # Loud windows may not drown the others, silent ones must not count.
    usual = float(np.median(spread[spread > 0.0])) if (spread > 0.0).any() else 1.0
    return Tempogram(heights, peaks, np.minimum(spread / usual, 1.0))


def tempo_path(grid: Tempogram) -> NDArray[np.int64]:
    """(n,) index into ``GRID_BPM`` of each window on the best path through them."""
    gains = grid.weights[:, None] * grid.peaks * prior(GRID_BPM)
    octaves = (np.arange(_STEPS)[:, None] - np.arange(_STEPS)) / _PER_OCTAVE
    price = np.minimum(_DRIFT * np.square(octaves), _JUMP)  # (tempi, tempi), of coming to the first from the second
    total = gains[0]
    back = np.empty(gains.shape, np.int16)
    for at in range(1, len(gains)):
        options = total - price
        back[at] = np.argmax(options, axis=1)
        total = gains[at] + options[np.arange(_STEPS), back[at]]
    path = np.empty(len(gains), np.int64)
    path[-1] = np.argmax(total)
    for at in range(len(gains) - 1, 0, -1):
        path[at - 1] = back[at, path[at]]
    return path


def _near_peak(acf: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n, tempi): whether there is a local maximum at one of the two lags around a tempo, or beside them: a slope whose
    top lies outside the range is no tempo."""
    top = np.zeros(acf.shape, np.bool_)
    top[:, 1:-1] = (acf[:, 1:-1] >= acf[:, :-2]) & (acf[:, 1:-1] > acf[:, 2:])
    below = (60.0 * ENVELOPE_HZ / GRID_BPM).astype(np.int64)
    return np.asarray(top[:, below] | top[:, below + 1] | top[:, below - 1] | top[:, below + 2])


def _sample(acf: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows (n, lags) at the lags of ``GRID_BPM``, which lie between whole frames: cubics through four neighbours (a
    straight line would cut off a peak between two)."""
    lags = 60.0 * ENVELOPE_HZ / GRID_BPM
    below = lags.astype(np.int64)
    x = lags - below
    before, left, right, after = (acf[:, below + shift] for shift in (-1, 0, 1, 2))
    slope = 0.5 * (right - before)
    bend = before - 2.5 * left + 2.0 * right - 0.5 * after
    turn = 0.5 * (after - before) + 1.5 * (left - right)
    return np.asarray(left + x * (slope + x * (bend + x * turn)))
