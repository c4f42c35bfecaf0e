"""When a frame of a recording is due, by its timestamp."""

from fractions import Fraction
from typing import Final

import av

from stream.core.timeline import HELD_S, Step, judge

BEHIND_S: Final = 10.0  # further behind, the clock starts anew instead of catching up


class PlaybackClock:
    """When a frame is due by its timestamp. Where time jumps (see `timeline`), as after a long delay, it starts anew.

    ``held_s``: for how long the input may hold a picture.
    """

    def __init__(self, now_s: float, held_s: float = HELD_S) -> None:
        self._begun_s = now_s
        self._held_s = held_s
        self._first: Fraction | None = None
        self._newest = Fraction(0)

    def wait_s(self, pts: Fraction, now_s: float) -> float:
        """How long from ``now_s`` until the frame at ``pts`` seconds is due; 0 when it is."""
        if self._first is not None and judge(pts - self._newest, None, self._held_s) in (Step.ON, Step.LATE):
            ahead_s = float(pts - self._first) - (now_s - self._begun_s)
            if ahead_s >= -BEHIND_S:
                self._newest = max(self._newest, pts)
                return max(0.0, ahead_s)
        self._first = self._newest = pts
        self._begun_s = now_s
        return 0.0


def stands_s(frame: av.VideoFrame) -> float:
    """How long a frame stands, as its container says; 0 where it does not."""
    return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
