"""How fast the picture moves: dense optical flow by DIS, as frame widths per second.

T. Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016, as OpenCV has it, preset *ultrafast*.
"""

from dataclasses import dataclass
from math import isfinite

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FeatureError
from .spec import PICTURE_HEIGHT, PICTURE_WIDTH


@dataclass(frozen=True, slots=True)
class FlowSample:
    """Motion between two pictures, in frame widths per second: mean speed, mean motion right (dx) and down (dy)."""

    speed: float
    dx: float
    dy: float


class FlowMeter:
    """Flow from each grey picture to the next. State: the previous picture, its time, and the flow estimator."""

    def __init__(self) -> None:
        self._estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._grey: NDArray[np.uint8] | None = None
        self._t_s = 0.0

    def push(self, grey: NDArray[np.uint8], t_s: float) -> FlowSample | None:
        """Flow from the previous picture to ``grey``, ``(90, 160)`` uint8, at media time ``t_s``.

        None for the first picture. Raises ``FeatureError``, leaving the meter as it was, for another shape or type and
        for a time that is not finite or does not increase.
        """
        if grey.dtype != np.uint8 or grey.shape != (PICTURE_HEIGHT, PICTURE_WIDTH):
            raise FeatureError(f"grey is {grey.dtype} {grey.shape}, not uint8 ({PICTURE_HEIGHT}, {PICTURE_WIDTH})")
        before, before_s = self._grey, self._t_s
        if not isfinite(t_s):
            raise FeatureError(f"picture time is {t_s}: give finite seconds")
        if before is not None and t_s <= before_s:
            raise FeatureError(f"picture time {t_s} s is not after {before_s} s: push pictures in order, each once")
        # A copy: the caller may draw the next picture into the same memory.
        self._grey, self._t_s = grey.copy(), t_s
        if before is None:
            return None
        field = self._estimator.calc(before, grey, None)  # type: ignore[call-overload]  # stub lacks None
        per_second = 1.0 / (PICTURE_WIDTH * (t_s - before_s))
        # NumPy, not cv2.magnitude: that rounds by how memory happens to be aligned, and a replay must repeat every bit.
        right, down = np.ascontiguousarray(field[..., 0]), np.ascontiguousarray(field[..., 1])
        speed, dx, dy = (float(part.mean(dtype=np.float64)) for part in (np.sqrt(right**2 + down**2), right, down))
        return FlowSample(speed=speed * per_second, dx=dx * per_second, dy=dy * per_second)

    def hold(self, t_s: float) -> None:
        """The previous picture was still on the screen at ``t_s``: motion to the next one counts from then."""
        self._t_s = max(self._t_s, t_s)
