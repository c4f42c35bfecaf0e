"""The log-mel spectrogram that musicnn was trained on, of the middle 3 s of a clip.

As published (Pons and Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging", 2019): mono
16 kHz, Hann windows of 512 samples, 256 apart, 96 bands of Slaney's mel scale up to 8 kHz, power, then
log10(1 + 10 000 x). There a clip is 187 such windows; here they are the middle ones of 4 s.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .filters import mel_filters
from .spec import CLIP_SAMPLES, MUSIC_RATE_HZ, TAG_MEL_FFT, TAG_MEL_HOP, TAG_MEL_SCALE, TAG_MEL_SHAPE

Floats = NDArray[np.float32]

_FRAMES, _BANDS = TAG_MEL_SHAPE
_LENGTH = (_FRAMES - 1) * TAG_MEL_HOP + TAG_MEL_FFT
_FIRST = (CLIP_SAMPLES - _LENGTH) // 2


def tag_mel(samples: Floats) -> Floats:
    """``(187, 96)`` float32 of one clip, ``(64 000,)`` float32 samples at 16 kHz."""
    bank, window = _tables()
    windows = np.lib.stride_tricks.sliding_window_view(samples[_FIRST : _FIRST + _LENGTH], TAG_MEL_FFT)[::TAG_MEL_HOP]
    power = np.square(np.abs(np.fft.rfft(windows * window, axis=1))).astype(np.float32)
    return np.asarray(np.log10(1.0 + TAG_MEL_SCALE * (power @ bank)), np.float32)


@cache
def _tables() -> tuple[Floats, Floats]:
    bank = mel_filters(MUSIC_RATE_HZ, TAG_MEL_FFT, _BANDS)
    return np.ascontiguousarray(bank.T), np.hanning(TAG_MEL_FFT + 1)[:-1].astype(np.float32)
