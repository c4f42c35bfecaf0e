"""A decoded frame on its way to a session, and how many frames its source skipped since the one before.

Of 30 frames a second a session analyses at most 8, chosen by their timestamps. Where it costs something to hand on a
frame (another thread, another process), the source asks a `Sieve` first, and hands on only the number of the others: so
each frame is counted once, by the driver of the session.
"""

from dataclasses import dataclass

import av

from stream.core.sampler import Sampler
from stream.core.timeline import HELD_S


@dataclass(frozen=True, slots=True)
class Arrival:
    """Frames since the one before: ``passed`` that no sampler would take, ``undecoded`` that were lost for lack of time
    to decode them, ``replaced`` that were lost to newer ones. ``arrived_s``: when it came, by the monotonic clock, if
    that was earlier than now."""

    frame: av.VideoFrame
    passed: int = 0
    undecoded: int = 0
    arrived_s: float | None = None
    replaced: int = 0


class Sieve:
    """Passes on the frames of a source that a session's sampler may want; to be used by one thread at a time.

    ``passed`` and ``undecoded``: frames since the newest one that was passed on.
    """

    def __init__(self, held_s: float = HELD_S) -> None:
        self._sampler = Sampler(held_s)
        self.passed = 0
        self.undecoded = 0

    def lose(self) -> None:
        """A frame was not decoded."""
        self.undecoded += 1

    def take(self, frame: av.VideoFrame, arrived_s: float | None = None) -> Arrival | None:
        """The frame, if the sampler may want it. A frame with a bad time is handed on too: the session counts it."""
        sampler = self._sampler
        without_slot = sampler.stale + sampler.undated
        if sampler.offer(frame.pts, frame.time_base) is None and without_slot == sampler.stale + sampler.undated:
            self.passed += 1
            return None
        arrival = Arrival(frame, self.passed, self.undecoded, arrived_s)
        self.passed = self.undecoded = 0
        return arrival
