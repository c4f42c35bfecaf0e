"""Completes a picture with its marked packet, for publishers whose marks can be trusted.

aiortc gives a frame to the decoder when the first packet of the next one arrives: each picture is late by the
time to the next one, 33 ms at 30 a second. The last packet of a picture carries the marker bit (RFC 6184 section 5.1
for H.264, RFC 7741 section 4.1 for VP8), so it can be decoded at once.

Not every publisher does so. Some mark the end of every NAL unit, some every packet, some none. So a marked packet ends
a picture only if it holds the end of a unit, and the picture has pixels. A marked slice does not show whether it is the
last one of its picture. So the first picture of H.264 waits for the next one; after that marks are trusted, until one
is not the last of its timestamp. From then on, and where marks are missing, a picture ends where the next timestamp
begins. Packets without payload (padding) are ignored, and units without pixels belong to the picture after them.

aiortc takes one frame out with each packet. After a late packet several pictures are complete at once; where a picture
is a single packet, all later ones would stay as many behind. Here all complete pictures come out together.
"""

import time
from typing import Any, Final

from features.decode.colours import Colours

from . import aiortc_compat
from .aiortc_compat import JitterBuffer, JitterFrame
from .payload import Part, part_of

HALF: Final = 1 << 31  # of the span of RTP timestamps
WHOLE: Final = Part()  # for a part of unknown content


class ArrivedFrame(JitterFrame):  # type: ignore[misc]
    """An encoded picture, and when its last packet came, by the monotonic clock. ``behind``: the pictures that
    were complete with the same packet, each with how much later its timestamp is. ``colours``: those that came with
    it."""

    def __init__(
        self, data: bytes, timestamp: int, arrived_s: float | None = None, colours: Colours | None = None
    ) -> None:
        super().__init__(data, timestamp)
        self.colours = colours
        self.arrived_s = time.monotonic() if arrived_s is None else arrived_s
        self.behind: list[tuple[int, ArrivedFrame]] = []

    def each(self) -> "list[ArrivedFrame]":
        """This one and those behind it, with their timestamps set from this one's, which may have changed."""
        for later, frame in self.behind:
            frame.timestamp = self.timestamp + later
        return [self, *(frame for _, frame in self.behind)]


class _Open:
    """The picture whose first packet stands at ``origin``, so far: ``count`` places are read.

    ``timestamp`` of its pixels; ``newest`` of the last part, and whether that was ``marked``; ``complete``: by a mark,
    all pixels of ``newest`` are there. ``returned``: data of this timestamp that was handed on already.
    """

    __slots__ = (
        "arrived_s",
        "colours",
        "complete",
        "count",
        "marked",
        "newest",
        "origin",
        "parts",
        "returned",
        "timestamp",
    )

    def __init__(self, origin: int | None, newest: int | None = None, returned: bytes = b"") -> None:
        self.origin = origin
        self.count = 0
        self.parts: list[bytes] = []
        self.timestamp: int | None = None
        self.newest = newest
        self.returned = returned
        self.complete = self.marked = bool(returned)
        self.arrived_s = 0.0
        self.colours: Colours | None = None

    def push(self, part: bytes, timestamp: int, marked: bool) -> bool:
        """Take the next part that is not empty. False if an earlier mark was not the last of its timestamp."""
        known = part if isinstance(part, Part) else WHOLE
        as_marked = True
        if timestamp != self.newest:
            self.complete, self.returned = False, b""
        elif self.complete and known.picture:
            as_marked = known.begins  # the second of two pictures, or fields, of one timestamp
            if as_marked:
                self.complete, self.returned = False, b""
        elif self.marked and not self.complete:
            as_marked = False
        if known.picture and self.timestamp is None:
            self.timestamp = timestamp
        self.parts.append(part)
        self.newest, self.marked = timestamp, marked
        self.complete = self.complete or (marked and known.whole and self.timestamp is not None)
        self.arrived_s = time.monotonic()
        return as_marked


class MarkedJitterBuffer(JitterBuffer):
    """aiortc's jitter buffer, which uses the marker bit for video; audio is unchanged."""

    def __init__(self, capacity: int, prefetch: int = 0, is_video: bool = False) -> None:
        super().__init__(capacity, prefetch, is_video)
        self._open = _Open(None)
        self._believed: bool | None = None  # whether marks are trusted; None: not known yet
        self._needs_key_frame = False

    def add(self, packet: Any) -> tuple[bool, Any]:
        """Whether a key frame is needed, and a picture that is complete with the packet, with those behind it."""
        self._needs_key_frame = False
        needs_key_frame, frame = super().add(packet)
        if isinstance(frame, ArrivedFrame):
            while isinstance(another := self.next_frame(packet.sequence_number), ArrivedFrame):
                frame.behind.append(((another.timestamp - frame.timestamp + HALF) % (2 * HALF) - HALF, another))
        return needs_key_frame or self._needs_key_frame, frame

    def next_frame(self, sequence_number: int) -> Any:
        """A picture that is complete with the packet of that number; None where there is none."""
        if not self.of_pictures or self.origin is None:
            return super().next_frame(sequence_number)
        if self._open.origin != self.origin:
            self._open = _Open(self.origin)
        picture = self._open
        while picture.count < self.capacity:
            packet = self.packet(self.origin + picture.count)
            if packet is None:
                return None
            part = aiortc_compat.part_in(packet)
            if not part:
                self._pass_over_empty(picture)
                continue
            if picture.timestamp not in (None, packet.timestamp):
                if picture.complete and self._believed is None:
                    self._believed = True
                return self._hand_on(picture, b"")
            if not picture.push(part, packet.timestamp, bool(packet.marker)):
                self._disbelieve(picture)
            picture.count += 1
            picture.colours = getattr(packet.extensions, "colours", None) or picture.colours
            if picture.complete and picture.timestamp is not None and self._believes(part):
                return self._hand_on(picture, part)
        return None

    def _believes(self, part: bytes) -> bool:
        return not (isinstance(part, Part) and part.sliced) if self._believed is None else self._believed

    def _disbelieve(self, picture: _Open) -> None:
        """Stop trusting marks, for good. A picture that was handed on incomplete comes once more."""
        self._believed = False
        if picture.returned:
            picture.parts.insert(0, picture.returned)
            picture.returned = b""
            self._needs_key_frame = True

    def _pass_over_empty(self, picture: _Open) -> None:
        if picture.parts:
            picture.count += 1
        else:
            self.remove(1)
            picture.origin = self.origin

    def _hand_on(self, picture: _Open, marked: bytes) -> ArrivedFrame:
        assert picture.timestamp is not None
        frame = ArrivedFrame(b"".join(picture.parts), picture.timestamp, picture.arrived_s, picture.colours)
        self.remove(picture.count)
        self._open = _Open(self.origin, picture.newest, frame.data) if marked else _Open(self.origin)
        return frame


def use_markers() -> None:
    """Let receivers made from now on, in this whole process, use the marker bit. More calls change nothing. The
    decoder of their frames must decode those ``behind`` too, as `decoding` does."""
    aiortc_compat.buffer_with(MarkedJitterBuffer, part_of)
