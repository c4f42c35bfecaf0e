"""VM-NET's low-level audio: 380 numbers a frame, and three statistics of each over a clip (Hong et al., section 3.2).

A frame is split into a harmonic and a percussive part, and each gives 190 numbers, in this order: spectral centroid,
bandwidth and roll-off (Hz over the Nyquist rate); polynomials of order 1 (2) and 2 (3) fitted to the spectrum; 20 MFCC;
96 log-mel bands; delta and second delta of the MFCC (20 + 20); chroma CENS (12); chroma (12); zero crossing rate; RMS.

12 kHz, windows of 512 samples, 256 apart. Chroma CENS is quantised and smoothed as its authors do (Mueller and Ewert,
2011), from the same spectrum as the other chroma: a constant-Q transform would cost more than all the rest.
"""

from dataclasses import dataclass
from functools import cache
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .filters import chroma_filters, mel_filters
from .spec import (
    CLIP_S,
    CLIP_SAMPLES,
    LOW_LEVEL_FFT,
    LOW_LEVEL_HOP,
    LOW_LEVEL_RATE_HZ,
    LOW_LEVEL_STATISTICS,
    LOW_LEVEL_VALUES,
    MUSIC_RATE_HZ,
)

Floats = NDArray[np.float32]

MELS: Final = 96
MFCCS: Final = 20
_MEDIAN: Final = 31  # frames, and bins: the harmonic and percussive masks' filters (Fitzgerald 2010)
_ROLL_OFF: Final = 0.85
_DELTA: Final = 9
_CENS_STEPS: Final = (0.4, 0.2, 0.1, 0.05)
_CENS_SMOOTH: Final = 41
_FLOOR: Final = 1e-5


@dataclass(frozen=True)
class _Tables:
    """Tables that depend only on the sizes."""

    window: Floats
    frequencies: Floats  # (257,) over the Nyquist rate
    line: Floats  # (2, 257): least squares of order 1
    parabola: Floats  # (3, 257): of order 2
    mel: Floats  # (96, 257)
    cosine: Floats  # (20, 96)
    chroma: Floats  # (12, 257)
    smooth: Floats  # (41,)


@cache
def _tables() -> _Tables:
    from scipy.fft import dct  # here, because the live path has no sound and should not wait for it

    bins = LOW_LEVEL_FFT // 2 + 1
    frequencies = np.linspace(0.0, 1.0, bins)
    smooth = np.hanning(_CENS_SMOOTH + 2)[1:-1]
    return _Tables(
        window=np.hanning(LOW_LEVEL_FFT + 1)[:-1].astype(np.float32),
        frequencies=frequencies.astype(np.float32),
        line=np.linalg.pinv(np.vander(frequencies, 2)).astype(np.float32),
        parabola=np.linalg.pinv(np.vander(frequencies, 3)).astype(np.float32),
        mel=mel_filters(LOW_LEVEL_RATE_HZ, LOW_LEVEL_FFT, MELS),
        cosine=dct(np.eye(MELS), axis=0, norm="ortho")[:MFCCS].astype(np.float32),
        chroma=chroma_filters(LOW_LEVEL_RATE_HZ, LOW_LEVEL_FFT),
        smooth=(smooth / smooth.sum()).astype(np.float32),
    )


def resample(samples: Floats, rate_hz: int) -> Floats:
    """16 kHz samples at ``rate_hz``, by a polyphase filter."""
    from scipy.signal import resample_poly

    divisor = gcd(rate_hz, MUSIC_RATE_HZ)
    up, down = rate_hz // divisor, MUSIC_RATE_HZ // divisor
    return np.asarray(resample_poly(samples, up, down, window=_anti_aliasing(up, down)), np.float32)


@cache
def _anti_aliasing(up: int, down: int) -> Floats:
    """The filter that SciPy would design anew for every clip."""
    from scipy.signal import firwin

    most = max(up, down)
    return np.asarray(firwin(20 * most + 1, 1.0 / most, window=("kaiser", 5.0)), np.float32)


def low_level(samples: Floats) -> Floats:
    """``(3, 380)`` float32: mean, variance and maximum over one clip of ``(64 000,)`` float32 samples at 16 kHz."""
    frames = low_level_frames(samples)
    out = np.stack([frames.mean(axis=0), frames.var(axis=0), frames.max(axis=0)])
    assert out.shape == (len(LOW_LEVEL_STATISTICS), LOW_LEVEL_VALUES)
    return out


def low_level_frames(samples: Floats) -> Floats:
    """``(n, 380)`` float32, the harmonic part's 190 numbers first; n = 186 for a clip of 4 s."""
    assert samples.shape == (CLIP_SAMPLES,), f"{CLIP_S} s at {MUSIC_RATE_HZ} Hz"
    tables = _tables()
    sound = resample(samples, LOW_LEVEL_RATE_HZ)
    windows = np.lib.stride_tricks.sliding_window_view(sound, LOW_LEVEL_FFT)[::LOW_LEVEL_HOP]
    spectrum = np.fft.rfft(windows * tables.window, axis=1).astype(np.complex64).T  # (257, n)
    harmonic, percussive = split(np.abs(spectrum))
    return np.concatenate([_numbers(spectrum, harmonic, tables), _numbers(spectrum, percussive, tables)], axis=1)


def split(magnitude: Floats) -> tuple[Floats, Floats]:
    """Soft masks (257, n) of the harmonic and the percussive part, which sum to 1 (D. Fitzgerald, 2010)."""
    along_time = _median(magnitude, axis=1) ** 2
    along_frequency = _median(magnitude, axis=0) ** 2
    total = along_time + along_frequency + _FLOOR**2
    harmonic = np.asarray((along_time + 0.5 * _FLOOR**2) / total, np.float32)
    return harmonic, np.asarray(1.0 - harmonic, np.float32)


def _median(values: Floats, axis: int) -> Floats:
    half = _MEDIAN // 2
    padding = [(half, half) if at == axis else (0, 0) for at in range(2)]
    padded = np.pad(values, padding, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _MEDIAN, axis=axis)
    return np.asarray(np.partition(windows, half, axis=-1)[..., half])


def _numbers(spectrum: NDArray[np.complex64], mask: Floats, tables: _Tables) -> Floats:
    """(n, 190) of one part."""
    from scipy.signal import savgol_filter

    part = spectrum * mask
    magnitude = np.abs(part)
    total = magnitude.sum(axis=0) + _FLOOR
    frequencies = tables.frequencies[:, None]
    centroid = (frequencies * magnitude).sum(axis=0) / total
    bandwidth = np.sqrt((np.square(frequencies - centroid) * magnitude).sum(axis=0) / total)
    roll_off = tables.frequencies[np.argmax(magnitude.cumsum(axis=0) >= _ROLL_OFF * magnitude.sum(axis=0), axis=0)]
    decibels = np.log10(np.maximum(magnitude, _FLOOR))
    power = np.square(magnitude)
    mel = np.log10(np.maximum(tables.mel @ power, _FLOOR**2))
    mfcc = tables.cosine @ mel
    deltas = [savgol_filter(mfcc, _DELTA, polyorder=order, deriv=order, axis=1, mode="interp") for order in (1, 2)]
    chroma = tables.chroma @ power
    loudest = chroma / (chroma.max(axis=0) + _FLOOR)
    wave = np.fft.irfft(part.T, LOW_LEVEL_FFT, axis=1)
    crossings = (np.diff(np.signbit(wave), axis=1)).mean(axis=1)
    rms = np.sqrt(np.square(wave).mean(axis=1))
    rows = [centroid[None], bandwidth[None], roll_off[None], tables.line @ decibels, tables.parabola @ decibels, mfcc]
    rows += [mel, *deltas, _cens(chroma, tables), loudest, crossings[None], rms[None]]
    return np.ascontiguousarray(np.concatenate(rows, axis=0).T, dtype=np.float32)


def _cens(chroma: Floats, tables: _Tables) -> Floats:
    """Shares, quantised in four steps, smoothed over time, of unit length."""
    from scipy.ndimage import convolve1d

    shares = chroma / (chroma.sum(axis=0) + _FLOOR)
    steps = np.zeros_like(shares)
    for step in _CENS_STEPS:
        steps += 0.25 * (shares > step)
    smooth = convolve1d(steps, tables.smooth, axis=1, mode="constant")
    return np.asarray(smooth / (np.linalg.norm(smooth, axis=0) + _FLOOR), np.float32)
