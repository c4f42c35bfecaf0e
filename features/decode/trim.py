"""A frame without its bars and without its mark of interlacing, by FFmpeg's filters; no pixel is copied.

The mark has to go because swscale shrinks a marked frame field by field, so that what is combed in the large is combed
in the small as well; all lines averaged, it is gone.
"""

from fractions import Fraction
from math import ceil, floor
from typing import Final

import av
from av.filter import Graph

from features.bars import WHOLE, Box

LEAST_SIDE: Final = 2  # pixels that a picture keeps, whatever its box says
UNIT: Final = Fraction(1, 1000)  # of time; the filters do not look at it


class Trimmer:
    """Keeps the filters from frame to frame; one for each input."""

    def __init__(self) -> None:
        self._made_for: tuple[object, ...] = ()
        self._graph: Graph | None = None

    def trim(self, frame: av.VideoFrame, box: Box = WHOLE) -> av.VideoFrame:
        """The part of a frame in ``box``, progressive; its times mean nothing."""
        if box == WHOLE and not frame.interlaced_frame:
            return frame
        wanted = (frame.width, frame.height, frame.format.name, box)
        if self._graph is None or wanted != self._made_for:
            self._graph, self._made_for = _graph(frame, box), wanted
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
    """The whole pixels within, but for one at a bar, which holds something of it."""
    first = ceil(low * side) + (low > 0.0)
    end = floor(high * side) - (high < 1.0)
    return (first, end) if end - first >= LEAST_SIDE else (0, side)
