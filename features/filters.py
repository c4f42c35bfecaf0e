"""Filters over the bins of a spectrum: mel bands and pitch classes, in the forms that networks were trained with.

From their published definitions; the tests compare them with librosa's. librosa itself would bring a compiler and
280 MB for two tables.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Slaney, "Auditory Toolbox" (Interval Research, 1998): in steps of 200/3 Hz below 1 kHz, which is 15 mel, and above it
# 27 to a factor of 6.4.
LINEAR_HZ: Final = 200.0 / 3.0
LOG_FROM_HZ: Final = 1000.0
LOG_FROM_MEL: Final = LOG_FROM_HZ / LINEAR_HZ
LOG_STEP: Final = np.log(6.4) / 27.0

# Ellis, "Chroma feature analysis and synthesis" (LabROSA, 2007)
PITCH_CLASSES: Final = 12
A0_HZ: Final = 440.0 / 16.0
CENTRE_OCTAVE: Final = 5.0  # above A0: where a bin counts most
OCTAVES: Final = 2.0  # standard deviation of what bins around it count
UNDER_ALL: Final = 1.5  # octaves: how far below the first bin that of 0 Hz is taken to be
A_TO_C: Final = 3  # pitch classes


def mel_filters(rate_hz: int, fft: int, bands: int, min_hz: float = 0.0, max_hz: float | None = None) -> Floats:
    """``(bands, fft // 2 + 1)`` float32: triangles at even distances on Slaney's scale, each of area 1 over Hz.

    ``max_hz`` None: half of ``rate_hz``.
    """
    edges_hz = _mel_hz(np.linspace(_mel(min_hz), _mel(rate_hz / 2 if max_hz is None else max_hz), bands + 2))
    bins_hz = np.fft.rfftfreq(fft, 1.0 / rate_hz)
    away = edges_hz[:, None] - bins_hz
    widths = np.diff(edges_hz)[:, None]
    triangles = np.maximum(0.0, np.minimum(-away[:-2] / widths[:-1], away[2:] / widths[1:])).astype(np.float32)
    triangles *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]  # rounded twice, as the trained networks' filters are
    return triangles


def chroma_filters(rate_hz: int, fft: int) -> Floats:
    """``(12, fft // 2 + 1)`` float32: how much each bin counts for the pitch classes from C upwards (A: 440 Hz)."""
    octaves = np.log2(np.linspace(0.0, rate_hz, fft, endpoint=False)[1:] / A0_HZ)
    places = PITCH_CLASSES * np.concatenate([octaves[:1] - UNDER_ALL, octaves])
    widths = np.concatenate([np.maximum(np.diff(places), 1.0), [1.0]])
    half = PITCH_CLASSES // 2
    away = (places - np.arange(PITCH_CLASSES)[:, None] + half) % PITCH_CLASSES - half
    bumps = np.exp(-0.5 * np.square(2.0 * away / widths))
    bumps /= np.linalg.norm(bumps, axis=0)
    bumps *= np.exp(-0.5 * np.square((places / PITCH_CLASSES - CENTRE_OCTAVE) / OCTAVES))
    return np.ascontiguousarray(np.roll(bumps, -A_TO_C, axis=0)[:, : fft // 2 + 1], np.float32)


def _mel(hz: float) -> float:
    if hz < LOG_FROM_HZ:
        return hz / LINEAR_HZ
    return float(LOG_FROM_MEL + np.log(hz / LOG_FROM_HZ) / LOG_STEP)


def _mel_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < LOG_FROM_MEL, LINEAR_HZ * mel, LOG_FROM_HZ * np.exp(LOG_STEP * (mel - LOG_FROM_MEL)))
