"""The log-mel spectrogram that LAION's CLAP was trained on, of a clip that is repeated.

As published (Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption
augmentation", 2023): mono 48 kHz, Hann windows of 1024 samples, 480 apart, 64 bands of Slaney's mel scale from 50 Hz to
14 kHz, decibels of power. Ours is 16 kHz, so the bands above 8 kHz are silent, as for any recording of little
bandwidth. CLAP repeats a shorter sound as often as it fits into 10 s; here the windows at a clip's ends already reach
round into its other end, so that a graph need only repeat the clip.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .filters import mel_filters
from .spec import (
    CLAP_MEL_FFT,
    CLAP_MEL_FLOOR_DB,
    CLAP_MEL_HOP,
    CLAP_MEL_RANGE_HZ,
    CLAP_MEL_RATE_HZ,
    CLAP_MEL_SHAPE,
    MUSIC_RATE_HZ,
)

Floats = NDArray[np.float32]

_FRAMES, _BANDS = CLAP_MEL_SHAPE
_HALF = CLAP_MEL_FFT // 2
_FLOOR = np.float32(10.0 ** (CLAP_MEL_FLOOR_DB / 10.0))


def clap_mel(samples: Floats) -> Floats:
    """``(400, 64)`` float32 dB of one clip, ``(64 000,)`` float32 samples at 16 kHz; -100 dB is silence."""
    from scipy.signal import resample_poly

    bank, window = _tables()
    raised = resample_poly(samples, CLAP_MEL_RATE_HZ // MUSIC_RATE_HZ, 1, padtype="wrap").astype(np.float32)
    round_ = np.pad(raised, _HALF, mode="wrap")
    windows = np.lib.stride_tricks.sliding_window_view(round_, CLAP_MEL_FFT)[::CLAP_MEL_HOP][:_FRAMES]
    power = np.square(np.abs(np.fft.rfft(windows * window, axis=1))).astype(np.float32)
    return np.asarray(10.0 * np.log10(np.maximum(power @ bank, _FLOOR)), np.float32)


@cache
def _tables() -> tuple[Floats, Floats]:
    bank = mel_filters(CLAP_MEL_RATE_HZ, CLAP_MEL_FFT, _BANDS, *CLAP_MEL_RANGE_HZ)
    return np.ascontiguousarray(bank.T), np.hanning(CLAP_MEL_FFT + 1)[:-1].astype(np.float32)
