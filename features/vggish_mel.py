"""The log-mel spectrograms that VGGish was trained on, of a clip: four examples of .96 s, end to end.

As published (Hershey et al., "CNN architectures for large-scale audio classification", 2017, and the code that came
with its weights): mono 16 kHz, periodic Hann windows of 25 ms every 10 ms, the magnitudes (not the power) of a spectrum
of 512 points, 64 triangles between 125 and 7500 Hz, straight in mel (HTK's formula) and not in hertz, then the natural
logarithm of a band and .01.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .spec import (
    MEL_HOP,
    MEL_WINDOW,
    MUSIC_RATE_HZ,
    VGGISH_FFT,
    VGGISH_FLOOR,
    VGGISH_MAX_HZ,
    VGGISH_MEL_SHAPE,
    VGGISH_MIN_HZ,
)

Floats = NDArray[np.float32]

_EXAMPLES, _FRAMES, _BANDS = VGGISH_MEL_SHAPE


def vggish_mel(samples: Floats) -> Floats:
    """``(4, 96, 64)`` float32 of one clip, ``(64 000,)`` float32 samples at 16 kHz; its last 160 ms are not in it."""
    bank, window = _tables()
    windows = np.lib.stride_tricks.sliding_window_view(samples, MEL_WINDOW)[::MEL_HOP][: _EXAMPLES * _FRAMES]
    magnitude = np.abs(np.fft.rfft(windows * window, VGGISH_FFT, axis=1)).astype(np.float32)
    return np.asarray(np.log(magnitude @ bank + VGGISH_FLOOR), np.float32).reshape(VGGISH_MEL_SHAPE)


@cache
def _tables() -> tuple[Floats, Floats]:
    places = _mel(np.asarray(np.fft.rfftfreq(VGGISH_FFT, 1 / MUSIC_RATE_HZ), np.float64))[:, None]
    lowest, highest = _mel(np.array([VGGISH_MIN_HZ, VGGISH_MAX_HZ])).tolist()
    edges = np.linspace(lowest, highest, _BANDS + 2, dtype=np.float64)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    bank = np.minimum((places - low) / (middle - low), (high - places) / (high - middle))
    bank[0] = 0.0  # a constant is in no band
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MEL_WINDOW) / MEL_WINDOW)
    return np.maximum(bank, 0.0).astype(np.float32), window.astype(np.float32)


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log(1.0 + hertz / 700.0))
