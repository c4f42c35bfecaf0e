"""How many notes and hits start in each second: how dense music is, whether or not it has a pulse."""

from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .spec import BEAT_FFT, BEAT_HOP, MUSIC_RATE_HZ

LEAST: Final = 0.1  # of the strongest onsets (99th percentile): weaker ones are fluctuations of a held note
MOST: Final = 255
# An onset exceeds the mean of 100 ms to either side by this share of the highest one.
AROUND: Final = MUSIC_RATE_HZ // 10 // BEAT_HOP  # frames
ABOVE: Final = 0.07


def onsets_by_second(envelope: NDArray[np.float32], duration_s: float) -> NDArray[np.uint8]:
    """(ceil(duration_s),) onsets in each second, from ``beats.Course.envelope``. Silence has none."""
    counts = np.zeros(ceil(duration_s), np.uint8)
    full = float(np.percentile(envelope, 99.0)) if len(envelope) else 0.0
    if full <= 0.0:
        return counts
    frames = peaks(np.where(envelope < LEAST * full, np.float32(0.0), envelope))
    seconds = ((frames * BEAT_HOP + BEAT_FFT / 2) / MUSIC_RATE_HZ).astype(np.int64)
    per_second = np.bincount(seconds[seconds < len(counts)], minlength=len(counts))
    return np.minimum(per_second, MOST).astype(np.uint8)


def peaks(envelope: NDArray[np.float32]) -> NDArray[np.int64]:
    """(k,) frames of the onsets in an envelope (n,), increasing; none where it never changes.

    As Boeck, Krebs and Schedl pick them ("Evaluating the online capabilities of onset detection methods", 2012), with
    librosa's constants: no less than the frame before, ``ABOVE`` the mean around, and not next to another.
    """
    height = envelope - envelope.min()
    if not height.any():
        return np.zeros(0, np.int64)
    height /= height.max()
    total = np.concatenate([[0.0], np.cumsum(height, dtype=np.float64)])
    at = np.arange(len(height))
    first, end = np.maximum(at - AROUND, 0), np.minimum(at + AROUND + 1, len(height))
    mean = (total[end] - total[first]) / (end - first)
    rises = np.concatenate([[True], height[1:] >= height[:-1]])
    picked: list[int] = []
    for frame in np.flatnonzero(rises & (height >= mean + ABOVE)).tolist():
        if not picked or frame > picked[-1] + 1:
            picked.append(frame)
    return np.array(picked, np.int64)
