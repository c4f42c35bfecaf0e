"""When a frame of a recording is due, by its timestamp."""

from fractions import Fraction

from stream.core.sampler import STEP_FORWARD_S


class Pace:
    """When a frame is due by its timestamp. A jump in the timestamps, or falling behind by as much, starts anew."""

    def __init__(self, now_s: float) -> None:
        self._begun_s = now_s
        self._first: Fraction | None = None

    def wait_s(self, pts: Fraction, now_s: float) -> float:
        """How long from ``now_s`` until the frame at ``pts`` seconds is due; 0 when it is."""
        if self._first is not None:
            ahead = float(pts - self._first) - (now_s - self._begun_s)
            if abs(ahead) <= STEP_FORWARD_S:
                return max(0.0, ahead)
        self._first, self._begun_s = pts, now_s
        return 0.0
