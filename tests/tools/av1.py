"""AV1 for tests, encoded by the ffmpeg program in a process of its own.

PyAV's own encoder, SVT-AV1, makes the thread that opens it a real-time one where that is allowed, as in CI: whatever
the test run starts afterwards, browsers above all, would take the whole machine (findings/svt-av1-realtime.sh).
"""

import io
import subprocess
from collections.abc import Sequence
from typing import Any

import av
import needs
import numpy as np
from numpy.typing import NDArray

LIBAOM = ("-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", "-row-mt", "0")


def encoded(pictures: Sequence[NDArray[np.uint8]], fps: int) -> bytes:
    """An IVF file of the ``pictures`` (h, w, 3), rgb24."""
    height, width, _ = pictures[0].shape
    given = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-")
    made = ("-pix_fmt", "yuv420p", "-f", "ivf", "-")
    command = (needs.program("ffmpeg"), "-nostdin", "-loglevel", "error", "-threads", "1", *given, *LIBAOM, *made)
    return subprocess.run(command, input=b"".join(map(bytes, pictures)), capture_output=True, check=True).stdout


class Encoded:
    """The packets of some pictures, a container's stream to copy them by, and the decoder's extra data."""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]], fps: int) -> None:
        self._container: Any = av.open(io.BytesIO(encoded(pictures, fps)), format="ivf")
        self.stream = self._container.streams.video[0]
        self.packets = [packet for packet in self._container.demux(self.stream) if packet.size]
        self.extradata: bytes | None = self.stream.codec_context.extradata
