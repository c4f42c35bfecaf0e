"""A picture is complete with the packet that says so, where the publisher means what it says.

aiortc gives a frame to the decoder when the first packet of the next one arrives: each picture is as late as the next
one is away, 33 ms at 30 a second. The last packet of a picture carries the marker bit (RFC 6184 section 5.1 for H.264,
RFC 7741 section 4.1 for VP8), so it can be decoded at once.

Not every publisher keeps to that. Some mark the end of every NAL unit, some every packet, some none. So a marked packet
ends a picture only if it holds the end of a unit, and the picture has pixels. Whether a marked slice is a picture's
last one nothing in it tells, so the first picture of H.264 waits for the next one, which shows it; from then on marks
are believed, until one was not the last of its timestamp. After that, and where they are missing, a picture ends where
the next timestamp begins. Packets without payload (padding) are nowhere in the way, and units without pixels go with
the picture that they come before.

aiortc takes one frame out with each packet. After a packet that came late, several are complete at once, and where a
picture is a single packet all later ones would be so many behind. Here those that are complete come out together.
"""

import time
from typing import Any, Final

from features.decode.colours import Colours

from . import aiortc_compat
from .aiortc_compat import JitterBuffer, JitterFrame
from .payload import Part, part_of

HALF: Final = 1 << 31  # of the span of RTP timestamps
WHOLE: Final = Part()  # what is known of a part that tells nothing


class ArrivedFrame(JitterFrame):  # type: ignore[misc]
    """An encoded picture, and when its last packet came, by the monotonic clock. ``behind`` it are those that were
    complete with the same packet, each with how much later its timestamp is. ``colours``: what came with it of them."""

    def __init__(
        self, data: bytes, timestamp: int, arrived_s: float | None = None, colours: Colours | None = None
    ) -> None:
        super().__init__(data, timestamp)
        self.colours = colours
        self.arrived_s = time.monotonic() if arrived_s is None else arrived_s
        self.behind: list[tuple[int, ArrivedFrame]] = []

    def each(self) -> "list[ArrivedFrame]":
        """This one and those behind it, with timestamps as this one's, whatever it was made since."""
        for later, frame in self.behind:
            frame.timestamp = self.timestamp + later
        return [self, *(frame for _, frame in self.behind)]


class _Open:
    """The picture whose first packet stands at ``origin``, as far as it came: ``count`` places have been looked at.

    ``timestamp`` of its pixels; ``newest`` of the last part, and whether that was ``marked``; ``complete``: a mark says
    that all pixels of ``newest`` are there. ``given``: what has been handed on already of this timestamp.
    """

    __slots__ = (
        "arrived_s",
        "colours",
        "complete",
        "count",
        "given",
        "marked",
        "newest",
        "origin",
        "parts",
        "timestamp",
    )

    def __init__(self, origin: int | None, newest: int | None = None, given: bytes = b"") -> None:
        self.origin = origin
        self.count = 0
        self.parts: list[bytes] = []
        self.timestamp: int | None = None
        self.newest = newest
        self.given = given
        self.complete = self.marked = bool(given)
        self.arrived_s = 0.0
        self.colours: Colours | None = None

    def push(self, part: bytes, timestamp: int, marked: bool) -> bool:
        """Take the next part that is not empty. False: it shows that a mark before it was not the last of its
        timestamp."""
        known = part if isinstance(part, Part) else WHOLE
        kept = True
        if timestamp != self.newest:
            self.complete, self.given = False, b""
        elif self.complete and known.picture:
            kept = known.begins  # as the second of two pictures, or fields, of one timestamp does
            if kept:
                self.complete, self.given = False, b""
        elif self.marked and not self.complete:
            kept = False
        if known.picture and self.timestamp is None:
            self.timestamp = timestamp
        self.parts.append(part)
        self.newest, self.marked = timestamp, marked
        self.complete = self.complete or (marked and known.whole and self.timestamp is not None)
        self.arrived_s = time.monotonic()
        return kept


class MarkedJitterBuffer(JitterBuffer):
    """aiortc's, for video with an eye on the marker bit; audio is as ever."""

    def __init__(self, capacity: int, prefetch: int = 0, is_video: bool = False) -> None:
        super().__init__(capacity, prefetch, is_video)
        self._open = _Open(None)
        self._believed: bool | None = None  # whether marks are; None: a picture of one slice or none was seen
        self._asks = False

    def add(self, packet: Any) -> tuple[bool, Any]:
        """Whether a key frame is needed, and a picture that is complete with the packet, with those behind it."""
        self._asks = False
        asks, frame = super().add(packet)
        if isinstance(frame, ArrivedFrame):
            while isinstance(another := self.next_frame(packet.sequence_number), ArrivedFrame):
                frame.behind.append(((another.timestamp - frame.timestamp + HALF) % (2 * HALF) - HALF, another))
        return asks or self._asks, frame

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
        """For good. Where part of the picture was handed on for the whole of it, it comes once more."""
        self._believed = False
        if picture.given:
            picture.parts.insert(0, picture.given)
            picture.given = b""
            self._asks = True

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


def mind_markers() -> None:
    """Let receivers made from now on, in this whole process, go by the marker bit. More calls change nothing. What
    decodes their frames must know of those ``behind``, as `decoding` does."""
    aiortc_compat.buffer_with(MarkedJitterBuffer, part_of)
