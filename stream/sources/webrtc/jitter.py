"""A picture is complete with the packet that says so.

aiortc gives a frame to the decoder when the first packet of the next one arrives: each picture is as late as the next
one is away, 33 ms at 30 a second. The last packet of a picture carries the marker bit (RFC 6184 section 5.1 for H.264,
RFC 7741 section 4.1 for VP8), so it can be decoded at once. Where the bit is missing, as in what some encoders send,
the next frame's first packet ends it as before.
"""

import time
from typing import Any

from aiortc import rtcrtpreceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame


class ArrivedFrame(JitterFrame):
    """An encoded picture, and when its last packet came, by the monotonic clock."""

    def __init__(self, data: bytes, timestamp: int) -> None:
        super().__init__(data, timestamp)
        self.arrived_s = time.monotonic()


class MarkedJitterBuffer(JitterBuffer):
    """aiortc's, for video with an eye on the marker bit; audio is as ever."""

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        origin, packets, capacity = self._origin, self._packets, self._capacity
        if not self._is_video or self._prefetch or origin is None:
            return super()._remove_frame(sequence_number)
        first = packets[origin % capacity]
        if first is None:
            return None
        parts: list[bytes] = []
        for count in range(capacity):
            packet: Any = packets[(origin + count) % capacity]
            if packet is None:
                return None
            if packet.timestamp != first.timestamp:  # a frame without a marked packet
                break
            parts.append(packet._data)
            if packet.marker:
                break
        self.remove(len(parts))
        return ArrivedFrame(b"".join(parts), first.timestamp)


def mind_markers() -> None:
    """Let receivers made from now on, in this whole process, go by the marker bit. More calls change nothing."""
    module: Any = rtcrtpreceiver
    module.JitterBuffer = MarkedJitterBuffer
