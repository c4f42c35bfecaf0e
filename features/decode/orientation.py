"""How a picture must be turned and mirrored to be upright, as its container notes it (ISO/IEC 14496-12, 8.5.2)."""

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

SIDE_DATA = "DISPLAYMATRIX"


@dataclass(frozen=True, slots=True)
class Orientation:
    """``turned``: rows become columns; then ``left_right`` and ``upside_down`` are mirrored."""

    turned: bool = False
    left_right: bool = False
    upside_down: bool = False

    def upright(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(h, w, 3) -> upright; contiguous."""
        if self.turned:
            picture = picture.swapaxes(0, 1)
        if self.left_right:
            picture = picture[:, ::-1]
        if self.upside_down:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


AS_IT_IS = Orientation()


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """By a frame's display matrix; angles between are taken for the nearest quarter turn."""
    if not frame.side_data:
        return AS_IT_IS
    data: Any = frame.side_data.get(SIDE_DATA)
    if data is None:
        return AS_IT_IS
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
