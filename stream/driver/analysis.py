"""Pixels to features, for each sampled frame."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import av
import numpy as np
from numpy.typing import NDArray

from features.bars import STEADY
from features.decode.reader import PictureReader
from features.errors import PictureError
from features.frame import FrameFeatures, FrameMeter
from features.keep import Keep
from stream.errors import SourceError

from .stopwatch import CONVERT, SILENT, Laps, Stopwatch

KeepPicture = Callable[[NDArray[np.uint8], float, bool], None]


@dataclass(frozen=True, slots=True)
class Analysis:
    """Features of a frame. ``revised``: new features of the frames before it, oldest first, if bars were detected in
    them too."""

    features: FrameFeatures
    revised: tuple[FrameFeatures, ...] = ()


class FrameAnalyzer:
    """Frames of one input -> features; ``small``: with the pictures that graphs take; ``keep`` gets each
    canonical picture and its time before it is measured, and whether it was measured before, with its bars.

    State: the reader, the meter and the newest frames' times and features, which ``restart`` empties.
    """

    def __init__(
        self, stopwatch: Stopwatch = SILENT, small: Keep | bool = False, keep: KeepPicture | None = None
    ) -> None:
        self._small = small
        self._keep = keep or _keep_nothing
        self._reader = PictureReader()
        # It holds no reference to the analyzer: such a cycle would keep OpenCV's and FFmpeg's memory until the garbage
        # collector runs.
        self._laps = Laps(stopwatch)
        self.restart()

    def restart(self) -> None:
        """Time jumped: the next frame is the first."""
        self._reader.restart()
        self._newest: deque[tuple[float, FrameFeatures]] = deque(maxlen=STEADY)
        self._meter = self._new_meter()

    def analyze(self, frame: av.VideoFrame, t_s: float) -> Analysis:
        """Features of a sampled frame at ``t_s`` seconds of media time. Raises SourceError for an absurd size."""
        self._laps.start()
        try:
            reading = self._reader.read(frame)
        except PictureError as error:
            raise SourceError(str(error)) from error
        revised = self._measure_again(reading.again[-len(self._newest) :]) if reading.again and self._newest else ()
        self._keep(reading.picture, t_s, False)
        self._laps.lap(CONVERT)
        features = self._meter.push(reading.picture, t_s)
        self._newest.append((t_s, features))
        return Analysis(features, revised)

    def _measure_again(self, pictures: Sequence[NDArray[np.uint8]]) -> tuple[FrameFeatures, ...]:
        """Measure the newest frames without their bars. The motion of the first one is kept: it was measured from a
        frame before it."""
        newest = list(self._newest)[-len(pictures) :]
        self._meter = self._new_meter()
        revised: list[FrameFeatures] = []
        for (t_s, before), picture in zip(newest, pictures, strict=True):
            self._keep(picture, t_s, True)
            features = self._meter.push(picture, t_s)
            source = before if not revised else features
            motion = {name: getattr(source, name) for name in ("speed", "dx", "dy", "onset", "cut")}
            revised.append(replace(features, **motion))
        return tuple(revised)

    def _new_meter(self) -> FrameMeter:
        return FrameMeter(self._laps.lap, small=self._small)


def _keep_nothing(picture: NDArray[np.uint8], t_s: float, again: bool) -> None:
    """Keep no pictures."""
