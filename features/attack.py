"""When exactly the sound of a beat starts: from the samples around beats that are known to a few hundredths of a
second."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .fourier import spectra
from .mapped import let_go
from .spec import MUSIC_RATE_HZ

_FFT: Final = 128  # 8 ms
_HOP: Final = 16  # 1 ms
_REACH: Final = 640  # samples looked at to either side: 40 ms
_APART: Final = 8  # hops between the two windows that are compared: one window's length
_NEAR_S: Final = 0.012  # standard deviation of how far off the beats are
_BANDS: Final = (0, 2, 4, 8, 16, 32, 65)  # edges in bins of 125 Hz
_FLOOR: Final = 1e-3  # of the mean power around the beat
_CLEAR: Final = 2.0  # a rise counts if it is this many times the median one
_LATE_S: Final = 0.0015  # how much later than the steepest rise the sound starts: for clicks and for studio music
_BLOCK: Final = 64  # beats at once


def attacks(samples: NDArray[np.float32], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """``times_s`` (n,), each moved to the steepest rise of power in six bands within some 25 ms; a time without a
    clear rise stays. ``samples`` (m,) at 16 kHz. Exact to 2 ms for sounds that start at once."""
    moved = times_s.copy()
    padded_front = _REACH + _FFT
    for start in range(0, len(times_s), _BLOCK):
        part = times_s[start : start + _BLOCK]
        places = np.round(part * MUSIC_RATE_HZ).astype(np.int64)
        index = places[:, None] + np.arange(-padded_front, padded_front)
        inside = (index >= 0) & (index < len(samples))
        around = np.where(inside, samples[np.clip(index, 0, len(samples) - 1)], np.float32(0.0))
        moved[start : start + _BLOCK] = places / MUSIC_RATE_HZ + _shifts(around)
        let_go(samples)
    return moved


def _shifts(around: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) seconds from the middle of each row to its attack."""
    from scipy.ndimage import convolve1d

    windows = np.lib.stride_tricks.sliding_window_view(around, _FFT, axis=1)[:, ::_HOP]
    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    spectrum = spectra(windows.reshape(-1, _FFT), window).reshape(*windows.shape[:2], -1)
    power = np.add.reduceat(np.square(np.abs(spectrum)), _BANDS[:-1], axis=2)
    floor = _FLOOR * power.mean(axis=1, keepdims=True) + 1e-12
    level = np.log(power + floor)
    rise = np.maximum(level[:, _APART:] - level[:, :-_APART], 0.0).mean(axis=2)
    rise = convolve1d(rise, np.hanning(_APART + 3)[1:-1], axis=1, mode="constant")
    # The middle between the two windows that are compared, from the middle of the row.
    offsets = (np.arange(rise.shape[1]) * _HOP + (_FFT + _APART * _HOP) / 2 - around.shape[1] / 2) / MUSIC_RATE_HZ
    near = np.exp(-0.5 * np.square(offsets / _NEAR_S))
    at = np.clip(np.argmax(rise * near, axis=1), 1, rise.shape[1] - 2)
    rows = np.arange(len(rise))
    left, top, right = rise[rows, at - 1], rise[rows, at], rise[rows, at + 1]
    bend = left - 2.0 * top + right
    shift = np.where(bend < 0.0, 0.5 * (left - right) / np.where(bend < 0.0, bend, -1.0), 0.0)
    clear = top > _CLEAR * np.median(rise, axis=1) + 1e-9
    return np.where(clear, offsets[at] + shift * _HOP / MUSIC_RATE_HZ + _LATE_S, 0.0)
