"""How much a picture looks like the first of a new shot.

A cut changes the palette or the layout at once and by far more than the motion before it. So the score multiplies two
things. *Strength* says how different two pictures are: total variation between colour histograms, and the mean
difference of shrunk pictures, laid over each other where they fit best, so that a moving camera adds little, and
without the third that changed most, so that a moving object adds little too. *Surprise* says how far that difference
is above its own recent mean.

Limits: a cut between shots of one palette amid very fast motion can stay below ``HARD_CUT``, and fades do by design.
"""

from math import exp

import cv2
import numpy as np
from numpy.typing import NDArray

from .picture import check_picture

HARD_CUT = 0.5  # a score from here on is a hard cut

_BINS = 8  # per colour channel
_SMALL = (40, 22)  # width, height: cells of 4 px
_REACH_X, _REACH_Y = 3, 1  # cells that the camera may have moved: 0.6 and 0.2 frame widths a second at eight a second
_HISTOGRAM_SCALE = 0.35
_DIFFERENCE_SCALE = 0.08
_MEAN_FLOOR = 0.008  # differences below this are noise, whatever came before
_MEAN_START = 0.025  # the usual difference before anything is known
_MEAN_CAP = 3.0  # times the mean: the most that one difference counts in it
_LOCAL = 0.35  # share of the picture that may change freely: something moving fast is no cut
_MEAN_RATE = 0.25  # about half a second at eight pictures a second


class CutMeter:
    """Scores each picture against the one before it; holds one histogram, one tiny picture and one running mean."""

    def __init__(self) -> None:
        self._histogram: NDArray[np.float32] | None = None
        self._small: NDArray[np.float32] | None = None
        self._mean = _MEAN_START

    def push(self, picture: NDArray[np.uint8]) -> float:
        """Score in [0, 1] of a canonical RGB picture: 0 for the first, from ``HARD_CUT`` on a hard cut."""
        check_picture(picture)
        histogram = _histogram(picture)
        small = _shrink(picture)
        before_histogram, before_small = self._histogram, self._small
        self._histogram, self._small = histogram, small
        if before_histogram is None or before_small is None:
            return 0.0
        palette = 0.5 * float(np.abs(histogram - before_histogram).sum())
        layout = _layout(small, before_small)
        usual = max(self._mean, _MEAN_FLOOR)
        # A cut must not count as the motion that later cuts are compared with.
        self._mean += _MEAN_RATE * (min(layout, _MEAN_CAP * usual) - self._mean)
        surprise = max(0.0, 1.0 - usual / layout) if layout else 0.0
        strength = 1.0 - exp(-palette / _HISTOGRAM_SCALE - layout / _DIFFERENCE_SCALE)
        return min(1.0, surprise * strength)

    def hold(self, pictures: int) -> None:
        """Repeat the previous picture so many times, as if each had been pushed."""
        self._mean *= (1.0 - _MEAN_RATE) ** pictures


def _histogram(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Joint RGB histogram, ``(512,)`` float32, sum 1."""
    counts = cv2.calcHist([picture], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3)
    return np.asarray(counts.ravel() / float(picture.shape[0] * picture.shape[1]), dtype=np.float32)


def _shrink(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return cv2.resize(picture, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)


def _layout(small: NDArray[np.float32], before: NDArray[np.float32]) -> float:
    """Mean difference in [0, 1] of the cells that changed least, at the best of the shifts within reach."""
    height, width = small.shape[0] - 2 * _REACH_Y, small.shape[1] - 2 * _REACH_X
    inner = small[_REACH_Y : _REACH_Y + height, _REACH_X : _REACH_X + width]
    # Green stands for luma: one channel is enough to find the shift.
    match = cv2.matchTemplate(np.ascontiguousarray(before[..., 1]), np.ascontiguousarray(inner[..., 1]), cv2.TM_SQDIFF)
    _, _, (left, top), _ = cv2.minMaxLoc(match)
    difference = inner - before[top : top + height, left : left + width]
    # Coarser again, so that what moves by itself counts little.
    coarse = cv2.resize(difference, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    cells = np.abs(coarse).mean(axis=2).ravel()
    count = round(len(cells) * (1.0 - _LOCAL))
    return float(np.partition(cells, count)[:count].mean()) / 255.0
