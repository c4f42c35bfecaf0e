"""Kaldi's filter bank, which networks for speech are trained on: 80 bands of log power every 10 ms.

With Kaldi's defaults (D. Povey et al., "The Kaldi speech recognition toolkit", 2011; ``feature-window.cc``,
``mel-computations.cc``): windows of 25 ms without their mean, pre-emphasis of 0.97, Povey's window, 512 bins, triangles
at even distances on the mel scale from 20 Hz on, samples as 16-bit numbers, no dither.

The transforms are OpenCV's, a third of the time of SciPy's.
"""

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .spec import MUSIC_RATE_HZ

Floats = NDArray[np.float32]

BANDS: Final = 80
HOP: Final = 160
WINDOW: Final = 400
_FFT: Final = 512
_LOW_HZ: Final = 20.0
_EMPHASIS: Final = np.float32(0.97)
_FULL_SCALE: Final = np.float32(32768.0)
_FLOOR: Final = np.float32(1.1920929e-07)  # of power
_BLOCK: Final = 256  # frames at once: they fit a cache


def fbank(samples: Floats) -> Floats:
    """``(80, n)`` float32, natural log; frame ``i`` is of the samples (mono, 16 kHz) from ``160 i`` to ``160 i + 400``,
    so n is 0 for less than 25 ms."""
    count = max(0, 1 + (len(samples) - WINDOW) // HOP)
    out = np.empty((BANDS, count), np.float32)
    if not count:
        return out
    bank, window = _tables()
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    padded = np.zeros((_BLOCK, _FFT), np.float32)
    power = np.empty((_BLOCK, _FFT // 2 + 1), np.float32)
    for first in range(0, count, _BLOCK):
        cut = windows[first : first + _BLOCK] * _FULL_SCALE
        cut -= cut.mean(axis=1, keepdims=True)
        rows = len(cut)
        np.multiply(cut[:, 1:] - _EMPHASIS * cut[:, :-1], window[1:], out=padded[:rows, 1:WINDOW])
        padded[:rows, 0] = cut[:, 0] * ((1 - _EMPHASIS) * window[0])
        # Real and imaginary parts in turn, those at 0 Hz and at half the rate without an imaginary one.
        packed = cv2.dft(padded[:rows], flags=cv2.DFT_ROWS)
        np.square(packed, out=packed)
        np.add(packed[:, 1:-1:2], packed[:, 2:-1:2], out=power[:rows, 1:-1])
        power[:rows, 0], power[:rows, -1] = packed[:, 0], packed[:, -1]
        np.matmul(bank, power[:rows].T, out=out[:, first : first + rows])
    return np.log(np.maximum(out, _FLOOR, out=out), out=out)


@cache
def _tables() -> tuple[Floats, Floats]:
    """(80, 257) the triangles, and the window (400,)."""
    edges = np.linspace(_mel(np.array(_LOW_HZ)), _mel(np.array(MUSIC_RATE_HZ / 2)), BANDS + 2)
    bins = _mel(np.arange(_FFT // 2 + 1, dtype=np.float64) * (MUSIC_RATE_HZ / _FFT))
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    bank[:, -1] = 0.0  # Kaldi leaves the bin at half the rate out
    return bank.astype(np.float32), (np.hanning(WINDOW) ** 0.85).astype(np.float32)


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log(1.0 + hz / 700.0))
