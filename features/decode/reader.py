"""Decoded frames of one input -> canonical pictures without the bars around them."""

from collections import deque
from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from features.bars import STEADY, WHOLE, BarMeter, refine

from .orientation import Orientation, orientation_of
from .picture import Scaler

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ReaderResult:
    """A picture, (90, 160, 3) uint8 RGB. ``again``: the pictures before it, oldest first, cropped to the bars that were
    detected with this one; none while the bars stay the same."""

    picture: Picture
    again: tuple[Picture, ...] = ()


class PictureReader:
    """For one input, used by one thread at a time. State: the bars, and the newest frames, shrunk, with their bars."""

    def __init__(self) -> None:
        self._scaler, self._inside = Scaler(), Scaler()  # each keeps its scaling context from frame to frame
        self.restart()

    def restart(self) -> None:
        """Forget the frames and bars: time jumped, the next frames may look different."""
        self._bars, self._box = BarMeter(), WHOLE
        self._wholes: deque[Picture] = deque(maxlen=STEADY - 1)  # as they are stored
        self._size = 0, 0

    def read(self, frame: av.VideoFrame) -> ReaderResult:
        """Raises PictureError for an absurd size, and for pixels that cannot be converted."""
        if self._size != (frame.width, frame.height):  # another size may have other bars
            self.restart()
            self._size = frame.width, frame.height
        orientation = orientation_of(frame)
        whole = self._scaler.stored(frame, WHOLE, orientation.turned)
        changed = self._bars.push(whole)
        if changed:
            box = self._bars.box
            self._box = box if box == WHOLE else refine(self._scaler.luma(frame), box)
        picture = whole if self._box == WHOLE else self._inside.stored(frame, self._box, orientation.turned)
        again = tuple(self._crop(earlier, orientation) for earlier in self._wholes) if changed else ()
        if changed and self._box == WHOLE:  # the picture has crossed the bars only since the frame before
            again = again[-1:]
        self._wholes.append(whole)
        return ReaderResult(orientation.upright(picture), again)

    def _crop(self, whole: Picture, orientation: Orientation) -> Picture:
        """The part of a shrunk frame in the box, enlarged to the canonical size."""
        if self._box == WHOLE:
            return orientation.upright(whole)
        height, width = whole.shape[:2]
        rows = slice(round(self._box.top * height), round(self._box.bottom * height))
        columns = slice(round(self._box.left * width), round(self._box.right * width))
        enlarged = cv2.resize(whole[rows, columns], (width, height), interpolation=cv2.INTER_LINEAR)
        return orientation.upright(np.asarray(enlarged, np.uint8))
