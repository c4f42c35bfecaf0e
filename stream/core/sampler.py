"""Which frames are looked at: by timestamp, before any pixel is converted.

Media time is cut into slots of 1/8 s that begin with the first frame. The first frame to arrive in a new slot fills it;
the others are passed over. Of every ``stride`` slots one is filled. All arithmetic is exact (integers and
``Fraction``), so the choice depends on the timestamps alone and never drifts. Timestamps that cannot be trusted are
counted or answered with a ``Discontinuity``, never corrected by a guess.
"""

from dataclasses import dataclass
from fractions import Fraction

from features.spec import MOTION_FPS

from .timeline import HELD_S, Step, judge


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """Time jumped. ``slot`` 0: this frame is the first of the new time; None: it has no usable time."""

    reason: str
    slot: int | None


class Sampler:
    """State: the first and the newest timestamp, the newest slot, and counts. ``stride`` may be changed at any time.

    ``frames`` offered, ``sampled``, ``stale`` (stepped back a little) and ``undated`` (no timestamp). ``held_s``: for
    how long the input may hold a picture (see `timeline`).
    """

    def __init__(self, held_s: float = HELD_S) -> None:
        self.stride = 1
        self._held_s = held_s
        self._arrived_s: float | None = None  # of the newest frame
        self.frames = self.sampled = self.stale = self.undated = 0
        # In units of the newest time base, where timestamps are whole numbers: this runs for every frame.
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

    def offer(
        self, pts: int | None, time_base: Fraction | None, arrived_s: float | None = None
    ) -> int | Discontinuity | None:
        """The motion slot (1/8 s since the first frame) to fill with this frame, or None to pass it over.

        ``arrived_s``: when the frame arrived, by any clock; only where frames arrive in real time.
        """
        self.frames += 1
        if pts is None or time_base is None or time_base <= 0:
            self.undated += 1
            if self._first is None:
                return None  # already reported, or never had a time
            self._first = None
            return Discontinuity("a frame has no timestamp", None)
        if self._first is None:
            return self._begin(pts, time_base, arrived_s)
        if time_base != self._unit:
            scale = self._unit / time_base
            self._first, self._newest, self._unit = self._first * scale, self._newest * scale, time_base
        step = pts - self._newest
        units, seconds = self._unit.denominator, self._unit.numerator  # so many units in so many seconds
        if not 0 <= step * seconds <= units:  # up to a second forward needs no judging, and exact fractions take time
            step_s = step * time_base
            passed_s = None if arrived_s is None or self._arrived_s is None else arrived_s - self._arrived_s
            match judge(step_s, passed_s, self._held_s):
                case Step.LATE:
                    self.stale += 1
                    return None
                case Step.BACK:
                    reason = f"time stepped back by {float(-step_s):.3g} s"
                    return Discontinuity(reason, self._begin(pts, time_base, arrived_s))
                case Step.FORWARD:
                    reason = f"time jumped forward by {float(step_s):.3g} s"
                    return Discontinuity(reason, self._begin(pts, time_base, arrived_s))
        self._newest, self._arrived_s = pts, arrived_s
        slot = int((pts - self._first) * MOTION_FPS * seconds // units)
        if slot // self.stride <= self._slot // self.stride:
            return None
        self._slot = slot
        self.sampled += 1
        return slot

    def _begin(self, pts: int, time_base: Fraction, arrived_s: float | None) -> int:
        self._first = self._newest = pts
        self._unit, self._arrived_s = time_base, arrived_s
        self._slot = 0
        self.sampled += 1
        return 0
