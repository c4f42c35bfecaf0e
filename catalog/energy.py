"""How much energy a track has over its time: loudness as mastered, and with a quarter of its weight notes and hits a
second. Both are measured anyway, so that tracks of older catalogues have it too.

The scale is fixed, so that tracks compare: 0 at -31 LUFS without notes, 1 at -6 LUFS with eight onsets a second. By
112 rendered pieces whose energy is known; correlation of the seconds of all of them 0.72 (with loudness alone 0.75), of
the seconds of one in the middle 0.66 (0.61), of their means 0.82.
"""

from typing import Final

import numpy as np

from .records import Floats, Outline

_LUFS: Final = (-31.0, -6.0)
_ONSETS: Final = 8.0
_ONSETS_WEIGHT: Final = 0.25
_SMOOTH_S: Final = (3, 5)  # of loudness and of onsets


def energy_curve(outline: Outline) -> Floats:
    """(ceil(duration_s),) in [0, 1], of each second."""
    if not len(outline.loudness):
        return np.zeros(0, np.float32)
    low, high = _LUFS
    loudness = np.clip((_smooth(outline.loudness, _SMOOTH_S[0]) - low) / (high - low), 0.0, 1.0)
    onsets = np.zeros(len(loudness), np.float32)
    onsets[: len(outline.onsets)] = outline.onsets[: len(loudness)]
    density = np.clip(_smooth(onsets, _SMOOTH_S[1]) / _ONSETS, 0.0, 1.0)
    return np.asarray((loudness + _ONSETS_WEIGHT * density) / (1.0 + _ONSETS_WEIGHT), np.float32)


def energy_of(outline: Outline | None) -> float | None:
    """In [0, 1], the mean over a track's music; None where its course is not known."""
    if outline is None or not len(outline.loudness):
        return None
    curve = energy_curve(outline)
    at = np.arange(len(curve)) + 0.5
    music = np.zeros(len(curve), np.bool_)
    for begin_s, end_s in outline.music_s:
        music |= (at >= begin_s) & (at < end_s)
    return float(curve[music].mean() if music.any() else curve.mean())


def _smooth(values: Floats, seconds: int) -> Floats:
    """The mean of so many values around each, of fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    at = np.arange(len(values))
    first, end = np.maximum(at - seconds // 2, 0), np.minimum(at + seconds // 2 + 1, len(values))
    return np.asarray((total[end] - total[first]) / (end - first), np.float32)
