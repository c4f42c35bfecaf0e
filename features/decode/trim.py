"""A frame without its bars and without its mark of interlacing, by FFmpeg's filters; no pixel is copied.

The mark is removed because swscale shrinks a marked frame field by field, so that combing stays in the small picture;
where all lines are averaged, it is gone.
"""

from fractions import Fraction
from math import ceil, floor
from typing import Final

import av
from av.filter import Graph

from features.bars import WHOLE, Box

LEAST_SIDE: Final = 2  # pixels that a picture keeps, whatever its box says
UNIT: Final = Fraction(1, 1000)  # of time; the filters do not use it


class Trimmer:
    """Keeps the filters from frame to frame; one for each input."""

    def __init__(self) -> None:
        self._settings: tuple[object, ...] = ()
        self._graph: Graph | None = None

    def trim(self, frame: av.VideoFrame, box: Box = WHOLE) -> av.VideoFrame:
        """The part of a frame in ``box``, progressive; its times mean nothing."""
        if box == WHOLE and not frame.interlaced_frame:
            return frame
        settings = (frame.width, frame.height, frame.format.name, box)
        if self._graph is None or settings != self._settings:
            self._graph, self._settings = _graph(frame, box), settings
        self._graph.push(frame)
        trimmed = self._graph.pull()
        assert isinstance(trimmed, av.VideoFrame)
        return trimmed


def _graph(frame: av.VideoFrame, box: Box) -> Graph:
    left, right = _span(box.left, box.right, frame.width)
    top, bottom = _span(box.top, box.bottom, frame.height)
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=UNIT)
    crop = graph.add("crop", f"{right - left}:{bottom - top}:{left}:{top}:exact=1")
    progressive, sink = graph.add("setfield", "prog"), graph.add("buffersink")
    source.link_to(crop)
    crop.link_to(progressive)
    progressive.link_to(sink)
    graph.configure()
    return graph


def _span(low: float, high: float, side: int) -> tuple[int, int]:
    """The whole pixels inside, except one at each bar, which may hold part of the bar."""
    first = ceil(low * side) + (low > 0.0)
    end = floor(high * side) - (high < 1.0)
    return (first, end) if end - first >= LEAST_SIDE else (0, side)
