"""Where a track changes: its sections begin there.

The checkerboard novelty of J. Foote ("Automatic audio segmentation using a measure of audio novelty", 2000) of the
course of timbre and energy. With inner products for similarity, its kernel sums up to the squared distance between the
mean after a time and the mean before it, so no matrix is made, and the cost is in proportion to the track's length.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .spec import BEAT_FFT, BEAT_HOP, MUSIC_RATE_HZ

Floats = NDArray[np.float32]

FRAME_S: Final = BEAT_HOP / MUSIC_RATE_HZ
CENTRE_S: Final = BEAT_FFT / MUSIC_RATE_HZ / 2  # of a frame of the course, from its begin
_STEP_S: Final = 0.5
_REACH_S: Final = 8.0  # compared to either side
_APART_S: Final = 8.0  # between borders, at least
_CLOSE_S: Final = 1.5  # compared to either side for the exact place
_DB: Final = 10.0 / np.log(10.0)
_LEAST_DB: Final = 2.0  # root mean square over the bands: smaller differences are no borders
_SURE_DB: Final = 8.0
_USUAL: Final = 1.6  # times the track's median: nor are smaller ones


def means(bands: Floats, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, d) frames of the course -> (m - 1, d), their means between each two of ``edges_s`` (m,)."""
    at = np.clip(np.round((edges_s - CENTRE_S) / FRAME_S).astype(np.int64), 0, len(bands))
    first = np.minimum(at[:-1], max(0, len(bands) - 1))
    end = np.maximum(at[1:], first + 1)
    return np.asarray((_totals(bands, np.minimum(end, len(bands))) - _totals(bands, first)) / (end - first)[:, None])


def change(bands: Floats, times_s: NDArray[np.float64], reach_s: float) -> NDArray[np.float64]:
    """(m,) by how many dB the bands (n, 16), in nepers of power, differ before and behind each of the times."""
    edges = np.stack([times_s - reach_s, times_s, times_s + reach_s], axis=1)
    at = np.clip(np.round((edges - CENTRE_S) / FRAME_S).astype(np.int64), 0, len(bands))
    totals = _totals(bands, at)
    sums = totals[:, 1:] - totals[:, :-1]
    both = sums / np.maximum(at[:, 1:] - at[:, :-1], 1)[:, :, None]
    apart = _DB * np.sqrt(np.square(both[:, 1] - both[:, 0]).mean(axis=1))
    return np.asarray(np.where((at[:, 1:] - at[:, :-1]).min(axis=1) > 0, apart, 0.0))


def _totals(bands: Floats, at: NDArray[np.int64]) -> NDArray[np.float64]:
    """(..., d) the sums of the frames before each of ``at`` (...,). One band after another: the sums of all bands of
    hours would take more memory than their samples may."""
    totals = np.empty((*at.shape, bands.shape[1]))
    running = np.zeros(len(bands) + 1)
    for band in range(bands.shape[1]):
        np.cumsum(bands[:, band], dtype=np.float64, out=running[1:])
        totals[..., band] = running[at]
    return totals


def borders(bands: Floats, begin_s: float, end_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(m,) rising times inside a stretch of music at which a section begins, and how surely, in [0, 1]; neither at its
    ends nor less than 8 s from them. ``bands`` (n, 16) as in ``features.beats.Course``."""
    nothing = np.zeros(0)
    times = np.arange(begin_s + _STEP_S, end_s - _STEP_S, _STEP_S)
    if end_s - begin_s < 3 * _REACH_S or len(bands) < 2:
        return nothing, nothing
    inside = bands[max(0, round(begin_s / FRAME_S)) : round(end_s / FRAME_S)]
    novelty = change(inside, times - begin_s, _REACH_S)
    half = round(_APART_S / _STEP_S)
    padded = np.pad(novelty, half, constant_values=-1.0)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1).max(axis=1)
    least = max(_LEAST_DB, _USUAL * float(np.median(novelty)))
    far = (times >= begin_s + _APART_S) & (times <= end_s - _APART_S)
    at = np.flatnonzero((novelty == highest) & (novelty >= least) & far)
    strengths = np.clip((novelty[at] - _LEAST_DB) / (_SURE_DB - _LEAST_DB), 0.05, 1.0)
    return times[at], strengths


def settle(bands: Floats, border_s: float, grid_s: NDArray[np.float64], within_s: float) -> float:
    """``border_s`` moved to the most sudden change within reach: to one of ``grid_s``, if any is there."""
    near = grid_s[np.abs(grid_s - border_s) <= within_s]
    if not len(near):
        near = border_s + np.arange(-within_s, within_s, 0.05)
    closeness = np.exp(-0.5 * np.square((near - border_s) / within_s))
    first = max(0, int((border_s - within_s - 2 * _CLOSE_S) / FRAME_S))
    end = int((border_s + within_s + 2 * _CLOSE_S) / FRAME_S)
    return float(near[np.argmax(change(bands[first:end], near - first * FRAME_S, _CLOSE_S) * closeness)])
