"""Peaks between samples (ITU-R BS.1770-4, annex 2), searched only where samples are near the highest one.

Four times oversampled, by a windowed sinc. To oversample a whole track would take longer than decoding it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

REACH: Final = 12  # samples to either side that determine the value between two
_NEAR: Final = 0.8  # of the highest sample: lower ones have no higher peak beside them
_LOOKED_AT: Final = 16_384  # samples at most
_OVERSAMPLED: Final = 512  # of these, those with the highest midpoints by a cubic
_AT: Final = np.array([0.25, 0.5, 0.75])


def _filters() -> NDArray[np.float32]:
    """(24, 3): weights of the samples from 11 before to 12 behind, at each place between two."""
    apart = np.arange(1 - REACH, REACH + 1)[:, None] - _AT
    taps = np.sinc(apart) * np.cos(0.5 * np.pi * apart / (REACH + 0.5)) ** 2
    return np.asarray(taps / taps.sum(axis=0), np.float32)


_FILTERS: Final = _filters()


def peaks_between(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m, n + 24) stretches of a channel -> (m,) the highest peak between the samples of each, 0 where it is far
    below that of the others. The first and last 12 samples of a row are only context.
    """
    peaks = np.zeros(len(rows), np.float32)
    inner = np.abs(rows[:, REACH:-REACH])
    highest = float(inner.max(initial=0.0))
    if highest <= 0.0:
        return peaks
    row, at = np.nonzero(inner >= _NEAR * highest)
    step = 1 + len(row) // _LOOKED_AT
    row, at = np.tile(row[::step], 2), at[::step] + REACH
    at = np.concatenate([at - 1, at])  # the samples before the gaps on either side
    middle = np.abs(9.0 * (rows[row, at] + rows[row, at + 1]) - rows[row, at - 1] - rows[row, at + 2])
    if len(at) > 2 * _OVERSAMPLED:
        best = np.argpartition(middle, -2 * _OVERSAMPLED)[-2 * _OVERSAMPLED :]
        row, at = row[best], at[best]
    around = rows[row[:, None], at[:, None] + np.arange(1 - REACH, REACH + 1)]
    np.maximum.at(peaks, row, np.abs(around @ _FILTERS).max(axis=1))
    return peaks
