"""The matrix and range of a frame's colours, where the container knows them better than the codec.

VP8 cannot tell them: its decoder calls every frame BT.601 of limited range. Chromium encodes canvases as BT.709 of full
range, and shared tabs and most video files as BT.709; it says so in the container or transport.
"""

from dataclasses import dataclass
from typing import Final

import av

VP8: Final = "vp8"
LIMITED, FULL = 1, 2  # as FFmpeg numbers ranges
VP8_MATRIX: Final = 5  # BT.601 (RFC 6386, section 9.2)
KNOWN_MATRICES: Final = frozenset({1, 4, 5, 6, 7, 9})  # of ITU-T H.273 (MatrixCoefficients), those that swscale has


@dataclass(frozen=True, slots=True)
class Colours:
    """``matrix`` of `KNOWN_MATRICES`, ``full`` range or limited."""

    matrix: int
    full: bool

    def tag(self, frame: av.VideoFrame) -> None:
        """Set the frame's matrix and range, whatever they were."""
        frame.colorspace, frame.color_range = self.matrix, FULL if self.full else LIMITED


def container_colours(stream: av.VideoStream) -> Colours | None:
    """The colours that a container, just opened, declares for a stream whose codec cannot tell them; None where it
    declares none, or the codec can tell."""
    context = stream.codec_context
    if context is None or context.name != VP8:
        return None
    matrix, full = int(context.colorspace), int(context.color_range) == FULL
    known = matrix in KNOWN_MATRICES
    return Colours(matrix if known else VP8_MATRIX, full) if known or full else None
