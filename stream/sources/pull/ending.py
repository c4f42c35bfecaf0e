"""Whether an input is complete: how far its packets reach, compared with the length that it declares."""

from typing import Any, Final

import av

from features.decode.streams import begin_s, promised_s, tells_end
from stream.core.timeline import Step, judge

TRUNCATED_S: Final = 1.0  # an end this much before the promised one is reported
# their length is estimated from their end or their bit rate, so they promise nothing
UNPROMISING: Final = frozenset({"mpegts", "mpeg", "mpegvideo", "ogg", "hls", "mpjpeg", "mjpeg", "h264", "hevc"})
OF_ONE_STREAM: Final = frozenset({"mov", "avi"})  # there a stream has a duration of its own


class Reach:
    """How far an input reaches. ``sounds``: whether the packets of its sound are needed, too."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self._index = stream.index
        kind = container.format.name.split(",")[0]
        self._own = stream.duration is not None and kind in OF_ONE_STREAM
        self._end = tells_end(container, stream)
        self._begin_s = begin_s(container, stream)
        self._frames = stream.frames
        self._promising = kind not in UNPROMISING
        promised = promised_s(container, stream) if self._promising else None
        self._promised_s = promised
        self._packets = 0
        self._torn = False  # the newest packet of the stream was incomplete
        self._reached_s: float | None = None
        self._newest_s: float | None = None
        self._gap_s = 0.0  # the longest time that a picture was held
        self.sounds = promised is not None and not self._own

    def push(self, packet: "av.Packet[Any]") -> None:
        """Take a packet of a stream that counts."""
        if packet.size and packet.stream.index == self._index:
            self._torn = packet.is_corrupt
        time, unit = packet.pts if packet.pts is not None else packet.dts, packet.time_base
        if time is None or unit is None:
            return
        begin_s = float(time * unit)
        end_s = begin_s + float((packet.duration or 0) * unit)
        if packet.stream.index == self._index:
            self._packets += 1
            if self._newest_s is not None and judge(begin_s - self._newest_s) is Step.ON:
                self._gap_s = max(self._gap_s, begin_s - self._newest_s)
            self._newest_s = begin_s
        self._reached_s = end_s if self._reached_s is None else max(self._reached_s, end_s)

    def shortfall(self) -> str | None:
        """What is missing, in words."""
        torn = (
            "ends in the middle of a picture, so it was probably cut short" if self._torn and self._promising else None
        )
        if self._promised_s is None or self._reached_s is None or self._packets < 2:
            return torn
        reached_s, promised_s = self._reached_s, self._promised_s
        if not (self._end or self._packets > self._frames > 0):
            reached_s -= self._begin_s
        if reached_s >= promised_s - max(TRUNCATED_S, self._gap_s):
            return torn
        return f"ends at {reached_s:.1f} s of {promised_s:.1f} s, so it was probably cut short"
