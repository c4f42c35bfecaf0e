"""Recorded pictures, measured anew, to compare the features of the frames that they belong to."""

import json
import struct
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from features.errors import FeatureError
from features.frame import FrameFeatures, FrameMeter
from features.keep import Keep
from features.spec import PICTURE_HEIGHT, PICTURE_WIDTH

from .calls import BadRecordError
from .format import Record
from .values import Packer

# signature and first chunk of a canonical picture, its size included (PNG, 5.2 and 11.2.1)
PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", PICTURE_WIDTH, PICTURE_HEIGHT)


class Pictures:
    """``takes``: the pictures that the bundle takes."""

    def __init__(self, takes: Keep) -> None:
        self._takes = takes
        self._meter: FrameMeter | None = None
        self._again = False  # the newest picture was measured before
        self._measured: FrameFeatures | None = None

    def reset(self) -> None:
        """A stream begins anew."""
        self._meter = self._measured = None

    def measure(self, record: Record) -> None:
        """Measure a picture. Raises BadRecordError for what is none."""
        t_s, picture = record.fields.get("t_s"), decoded(record.blob)
        if picture is None or not isinstance(t_s, int | float):
            raise BadRecordError(f"a picture that is no PNG of {PICTURE_WIDTH}x{PICTURE_HEIGHT}, or is damaged")
        again = record.fields.get("again") is True
        if self._meter is None or (again and not self._again):
            self._meter = FrameMeter(small=self._takes)
        self._again = again
        try:
            measured = self._meter.push(picture, float(t_s))
        except FeatureError as error:
            raise BadRecordError(f"a picture that cannot be measured ({error})") from error
        self._measured = self._measured if again else measured

    def check(self, features: FrameFeatures) -> None:
        """Raises BadRecordError for a frame that lacks a picture which the bundle takes of each."""
        for kept, picture, name in (
            (Keep.SMALL, features.small, "small colour"),
            (Keep.WHOLE, features.whole, "whole"),
        ):
            if kept in self._takes and picture is None:
                raise BadRecordError(f"a frame without the {name} picture that this bundle takes")

    def agree(self, features: FrameFeatures) -> bool:
        """Whether the newest picture, if there is one since the frame before, has these features."""
        measured, self._measured = self._measured, None
        return measured is None or _packed(measured) == _packed(features)


def decoded(blob: bytes) -> NDArray[np.uint8] | None:
    """The (90, 160, 3) uint8 RGB picture of a PNG; None for another size, which would cost memory, and for damage."""
    if not blob.startswith(PNG_HEAD):
        return None
    try:
        picture = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if picture is None else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _packed(features: FrameFeatures) -> tuple[str, bytes]:
    packer = Packer()
    return json.dumps(packer.pack(features)), packer.blob
