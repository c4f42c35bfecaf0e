"""The one picture that stands for a clip, for networks that take whole pictures.

A meter keeps a whole picture only where a second or a shot begins: a picture is 43 kB, and there are eight a second. A
clip that has none yet (it began in the middle of a second, without a cut) gives its newest small picture, enlarged, for
less than a second: with colours and layout, without details.
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
