"""The canonical picture: its check, and its grey."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FeatureError
from .spec import PICTURE_HEIGHT, PICTURE_WIDTH

PICTURE_SHAPE = (PICTURE_HEIGHT, PICTURE_WIDTH, 3)


def check_picture(picture: NDArray[np.uint8]) -> None:
    """Raise ``FeatureError`` unless ``picture`` is a ``(90, 160, 3)`` uint8 array."""
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.shape != PICTURE_SHAPE:
        actual = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise FeatureError(f"picture is {actual}; a canonical RGB picture is uint8 {PICTURE_SHAPE}: scale it first")


def grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """BT.601 luma of a canonical RGB picture: ``(90, 160)`` uint8."""
    check_picture(picture)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
