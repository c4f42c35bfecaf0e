"""Which frames are looked at: by timestamp, before any pixel is converted.

Media time is cut into slots of 1/8 s that begin with the first frame. The first frame to arrive in a new slot fills it;
the others are passed over. Of every ``stride`` slots one is filled. All arithmetic is exact (integers and
``Fraction``), so the choice depends on the timestamps alone and never drifts. Timestamps that cannot be trusted are
counted or answered with a ``Discontinuity``, never mended by a guess.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from features.spec import MOTION_FPS

STEP_BACK_S: Final = 1  # a late frame up to this far behind the newest is passed over; beyond it, time has jumped
STEP_FORWARD_S: Final = 10


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """Time jumped. ``slot`` 0: the frame that showed it is the first of the new time; None: it has no usable time."""

    reason: str
    slot: int | None


class Sampler:
    """State: the first and the newest timestamp, the newest slot, and counts. ``stride`` may be changed at any time.

    ``frames`` offered, ``sampled``, ``stale`` (stepped back a little) and ``undated`` (no timestamp).
    """

    def __init__(self) -> None:
        self.stride = 1
        self.frames = self.sampled = self.stale = self.undated = 0
        # In units of the newest time base, where timestamps are whole numbers: this is asked for every frame.
        self._unit = Fraction(1)
        self._first: int | Fraction | None = None
        self._newest: int | Fraction = 0
        self._slot = -1

    @property
    def dated(self) -> bool:
        """Whether the newest frames had usable times, so that ``elapsed_s`` means something."""
        return self._first is not None

    @property
    def elapsed_s(self) -> float:
        """Seconds from the first frame of this time to the newest."""
        if self._first is None:
            return 0.0
        return float((self._newest - self._first) * self._unit.numerator / self._unit.denominator)

    def offer(self, pts: int | None, time_base: Fraction | None) -> int | Discontinuity | None:
        """The motion slot (1/8 s since the first frame) to fill with this frame, or None to pass it over."""
        self.frames += 1
        if pts is None or time_base is None or time_base <= 0:
            self.undated += 1
            if self._first is None:
                return None  # already said, or never had a time
            self._first = None
            return Discontinuity("a frame has no timestamp", None)
        if self._first is None:
            return self._begin(pts, time_base)
        if time_base != self._unit:
            scale = self._unit / time_base
            self._first, self._newest, self._unit = self._first * scale, self._newest * scale, time_base
        step = pts - self._newest
        units, seconds = self._unit.denominator, self._unit.numerator  # so many units in so many seconds
        if step < 0:
            if -step * seconds <= STEP_BACK_S * units:
                self.stale += 1
                return None
            return Discontinuity(f"time stepped back by {float(-step * time_base):.3g} s", self._begin(pts, time_base))
        if step * seconds > STEP_FORWARD_S * units:
            return Discontinuity(f"time jumped forward by {float(step * time_base):.3g} s", self._begin(pts, time_base))
        self._newest = pts
        slot = int((pts - self._first) * MOTION_FPS * seconds // units)
        if slot // self.stride <= self._slot // self.stride:
            return None
        self._slot = slot
        self.sampled += 1
        return slot

    def _begin(self, pts: int, time_base: Fraction) -> int:
        self._first = self._newest = pts
        self._unit = time_base
        self._slot = 0
        self.sampled += 1
        return 0
