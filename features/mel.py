"""Samples to log-mel frames: 80 bands, 25 ms windows, 10 ms hops, natural log of power.

Frame ``i`` covers samples ``[160 i, 160 i + 400)``: nothing is padded or centred, so ``n`` samples have
``1 + (n - 400) // 160`` frames, and a clip that starts on a multiple of 160 samples has the same frames inside a track
as alone. Samples are mono floats at 16 kHz, full scale 1.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FeatureError
from .filters import mel_filters
from .fourier import spectra
from .mapped import extremes
from .spec import (
    CLIP_MEL_SHAPE,
    CLIP_SAMPLES,
    MEL_BANDS,
    MEL_FFT,
    MEL_FLOOR,
    MEL_HOP,
    MEL_MAX_HZ,
    MEL_MIN_HZ,
    MEL_WINDOW,
    MUSIC_RATE_HZ,
)

_PEAK_LIMIT = 100.0
_BLOCK = 256  # frames worked on at once: fits a cache, and bounds the memory that a long input takes


def check_samples(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """``samples`` as ``(n,)`` float32; raises ``FeatureError`` unless they are finite floats in one dimension.

    Full scale is 1. Beyond 100 the scale must be wrong (that of 16-bit integers, say), and is refused too.
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise FeatureError(f"samples have shape {samples.shape}: mix them down to one channel, shape (n,)")
    if samples.dtype.kind != "f":
        raise FeatureError(f"samples are {samples.dtype}: give floats, full scale 1")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        single = samples.astype(np.float32, copy=False)
    low, high = extremes(single)
    if not np.isfinite([high, low]).all():  # NaN goes through both; a mask of all samples would take a quarter of them
        raise FeatureError("samples hold NaN or infinity: the decoder's output is broken")
    peak = max(high, -low)
    if peak > _PEAK_LIMIT:
        raise FeatureError(f"samples reach {peak:g}: scale them, full scale is 1")
    return single


@cache
def _bank() -> Any:
    """The mel filters, (80, 257), a sparse matrix: a dense product rounds differently with the number of rows, which
    would break chunk invariance."""
    from scipy.sparse import csr_matrix  # here, because the live path has no sound and should not wait for it

    return csr_matrix(mel_filters(MUSIC_RATE_HZ, MEL_FFT, MEL_BANDS, MEL_MIN_HZ, MEL_MAX_HZ))


class MelMeter:
    """Log-mel frames of samples that come in pieces; any way of cutting them gives the same frames, bit for bit."""

    def __init__(self) -> None:
        self._bank = _bank()
        self._window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(MEL_WINDOW) / MEL_WINDOW)).astype(np.float32)
        self._rest: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._emitted = False

    def push(self, samples: NDArray[np.floating]) -> NDArray[np.float32]:
        """The frames that ``samples`` complete, ``(n, 80)`` float32, n >= 0.

        Raises ``FeatureError``, leaving the meter as it was, unless ``samples`` are finite floats of shape (n,).
        """
        joined = np.concatenate([self._rest, check_samples(samples)])
        count = max(0, 1 + (len(joined) - MEL_WINDOW) // MEL_HOP)
        self._rest = joined[count * MEL_HOP :].copy()
        self._emitted = self._emitted or count > 0
        out = np.empty((count, MEL_BANDS), dtype=np.float32)
        if count:
            windows = np.lib.stride_tricks.sliding_window_view(joined, MEL_WINDOW)[::MEL_HOP]
            for start in range(0, count, _BLOCK):
                out[start : start + _BLOCK] = self._frames(windows[start : min(count, start + _BLOCK)])
        return out

    def flush(self) -> NDArray[np.float32]:
        """End the input and start anew: ``(0, 80)``, or one zero-padded frame if the input was shorter than a window.

        Samples behind the last full window are dropped.
        """
        rest, emitted = self._rest, self._emitted
        self._rest, self._emitted = rest[:0].copy(), False
        if emitted or not len(rest):
            return np.zeros((0, MEL_BANDS), dtype=np.float32)
        return self._frames(np.pad(rest, (0, MEL_WINDOW - len(rest)))[None])

    def _frames(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        spectrum = spectra(windows, self._window, MEL_FFT)
        power = np.ascontiguousarray((spectrum.real**2 + spectrum.imag**2).T)
        return np.asarray(np.log(np.maximum(self._bank @ power, np.float32(MEL_FLOOR))).T, dtype=np.float32)


def log_mel(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """All frames of ``samples``, ``(n, 80)`` float32; no rows for no samples."""
    meter = MelMeter()
    return np.concatenate([meter.push(samples), meter.flush()])


def clip_mel(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """``(398, 80)`` float32 of one clip: at most 64 000 samples, zero-padded at the end (as samples, not as frames).

    Raises ``FeatureError`` for more samples, and where ``check_samples`` does.
    """
    samples = check_samples(samples)
    if len(samples) > CLIP_SAMPLES:
        raise FeatureError(f"{len(samples)} samples for one clip: give at most {CLIP_SAMPLES}")
    frames = MelMeter().push(np.pad(samples, (0, CLIP_SAMPLES - len(samples))))
    assert frames.shape == CLIP_MEL_SHAPE
    return frames
