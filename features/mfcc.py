"""DPVM's two MFCC pictures of music, cut to clips (Gu et al., section 3.1).

Content: 14.4 kHz, windows of 2048 samples end to end, so that its 192 columns are the 28 s of a window; a clip has 28.
Emotion: 16 kHz, windows of 1024 samples, 512 apart; a clip has 125. Both have 32 coefficients. The paper tiles a short
piece to length; a window of fewer clips is masked here.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .filters import mel_filters
from .low_level import resample
from .spec import (
    CONTENT_MFCC_HOP,
    CONTENT_MFCC_RATE_HZ,
    CONTENT_MFCC_SHAPE,
    EMOTION_MFCC_FFT,
    EMOTION_MFCC_HOP,
    EMOTION_MFCC_SHAPE,
    MUSIC_RATE_HZ,
)

Floats = NDArray[np.float32]

MELS = 64
_FLOOR = 1e-10  # power


def content_mfcc(samples: Floats) -> Floats:
    """``(32, 28)`` float32 of one clip, ``(64 000,)`` float32 samples at 16 kHz."""
    sound = resample(samples, CONTENT_MFCC_RATE_HZ)
    return _mfcc(sound, CONTENT_MFCC_RATE_HZ, CONTENT_MFCC_HOP, CONTENT_MFCC_HOP, CONTENT_MFCC_SHAPE)


def emotion_mfcc(samples: Floats) -> Floats:
    """``(32, 125)`` float32 of one clip, ``(64 000,)`` float32 samples at 16 kHz."""
    return _mfcc(samples, MUSIC_RATE_HZ, EMOTION_MFCC_FFT, EMOTION_MFCC_HOP, EMOTION_MFCC_SHAPE)


def _mfcc(sound: Floats, rate_hz: int, fft: int, hop: int, shape: tuple[int, int]) -> Floats:
    """Coefficients by frame; zeros behind the sound, so that the columns are always the same number."""
    coefficients, columns = shape
    mel, cosine, window = _tables(rate_hz, fft, coefficients)
    padded = np.pad(sound, (0, max(0, (columns - 1) * hop + fft - len(sound))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, fft)[: columns * hop : hop]
    power = np.square(np.abs(np.fft.rfft(windows * window, axis=1))).astype(np.float32)
    return np.asarray(cosine @ np.log(np.maximum(mel @ power.T, _FLOOR)), np.float32)


@cache
def _tables(rate_hz: int, fft: int, coefficients: int) -> tuple[Floats, Floats, Floats]:
    from scipy.fft import dct

    bank = mel_filters(rate_hz, fft, MELS)
    cosine = dct(np.eye(MELS), axis=0, norm="ortho")[:coefficients].astype(np.float32)
    return bank, cosine, np.hanning(fft + 1)[:-1].astype(np.float32)
