"""Spectra of many short pieces of sound, by OpenCV, whose transforms are several times as fast as NumPy's and SciPy's.

``spectra`` calculates in double precision, as NumPy does: what it gives is the same to the last digit but for some
value in a hundred million, so that what was measured once stays as it was. ``coarse_spectra`` calculates in single
precision, in half the time.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

AT_ONCE: Final = 65_536  # numbers, at most: they fit a cache, and OpenCV starts no threads for so few


def spectra(rows: NDArray[np.float32], window: NDArray[np.float32], size: int = 0) -> NDArray[np.complex64]:
    """``(k, m)`` float32, each row times ``window`` (m,) -> ``(k, n / 2 + 1)`` complex64, as ``numpy.fft.rfft`` has
    it. ``size``: n, even, with zeros behind the m samples; 0: m."""
    count, length = rows.shape
    size = size or length
    out = np.empty((count, size + 2), np.float32)
    step = max(1, AT_ONCE // size)
    padded = np.empty((min(step, count), size), np.float64)
    padded[:, length:] = 0.0
    for first in range(0, count, step):
        some = rows[first : first + step]
        # The product in single precision, as it was before the transform.
        padded[: len(some), :length] = some * window
        packed = np.asarray(cv2.dft(padded[: len(some)], flags=cv2.DFT_ROWS), np.float64)
        _spread(packed, out[first : first + len(some)])
    return out.view(np.complex64)


def coarse_spectra(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(k, n)`` float32 -> ``(k, n)``: the real part at 0 Hz, then real and imaginary parts in turn; of an even n the
    last is the real part at half the rate."""
    out = np.empty(rows.shape, np.float32)
    step = max(1, AT_ONCE // rows.shape[1])
    for first in range(0, len(rows), step):
        cv2.dft(rows[first : first + step], dst=out[first : first + step], flags=cv2.DFT_ROWS)
    return out


def _spread(packed: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """Put in the imaginary parts that are zero."""
    out[:, 0] = packed[:, 0]
    out[:, 1] = out[:, -1] = 0.0
    out[:, 2:-1] = packed[:, 1:]
