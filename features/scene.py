"""The one picture of a clip that stands for it, for networks that look at whole pictures.

A meter keeps a picture whole where a second or a shot begins: each of them would be 43 kB, eight times a second. A clip
that has none yet (it began in the middle of a second, without a cut) shows its newest small picture, enlarged: colours
and layout are there, details are not, and it is for less than a second.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FeatureError
from .spec import PICTURE_HEIGHT, PICTURE_WIDTH

if TYPE_CHECKING:
    from .frame import FrameFeatures


def scene_picture(frames: "Sequence[FrameFeatures | None]") -> NDArray[np.uint8]:
    """``(90, 160, 3)`` uint8 RGB of a clip's slots, None where one has no picture.

    Raises ``FeatureError`` where the slots were measured without pictures.
    """
    newest = [frame for frame in reversed(frames) if frame is not None]
    for frame in newest:
        if frame.scene is not None:
            return frame.scene
    for frame in newest:
        if frame.small is not None:
            size = PICTURE_WIDTH, PICTURE_HEIGHT
            return np.asarray(cv2.resize(frame.small, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    raise FeatureError("scene needs a FrameMeter that keeps whole pictures")
