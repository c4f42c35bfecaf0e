"""How closely sessions are followed while the machine is late: one step less at a time, and back when it is early
again.

Pure: time is an argument. Above a share of the lateness at which nobody is admitted any more, all sessions go to the
next of ``stream.core.quality_level.STEPS``. They go back a step when messages have been early for a while; if the
lateness then returns, the next attempt waits twice as long.
"""

import math
from dataclasses import dataclass
from typing import Final

from stream.core.quality_level import STEPS, QualityLevel

LATE: Final = 0.15  # of the limit: above it, one step down
EARLY: Final = 0.06  # of the limit: below it, messages are early
HOLD_S: Final = 5.0  # from one step to the next, so that its effect shows
CALM_S: Final = 20.0  # messages have to be early for so long before a step back
CALM_MOST_S: Final = 320.0
FORGET_S: Final = 10.0  # after so long without a message the next session begins at the full level


class LoadShedding:
    """``limit_ms``: the lateness at which nobody is admitted; 0 never takes a step."""

    def __init__(self, limit_ms: float) -> None:
        self._limit_ms = limit_ms
        self._last_s = -math.inf
        self._state = _State()

    @property
    def level(self) -> QualityLevel:
        return STEPS[self._state.step]

    def judge(self, now_s: float, late_ms: float | None) -> QualityLevel:
        """The level from now on; ``late_ms`` is how late messages are now, None where it is not known."""
        if now_s - self._last_s > FORGET_S:
            self._state = _State()
        self._last_s = now_s
        if late_ms is not None and self._limit_ms:
            self._state.judge(now_s, late_ms / self._limit_ms)
        return self.level


@dataclass(slots=True)
class _State:
    """``taken_s``, ``returned_s``: when the last step down and the last step back were; ``busy_s``: when last not
    early."""

    step: int = 0
    calm_s: float = CALM_S
    taken_s: float = -math.inf
    returned_s: float = -math.inf
    busy_s: float = -math.inf

    def judge(self, now_s: float, lateness: float) -> None:
        """``lateness`` as a share of the limit."""
        if lateness > EARLY:
            self.busy_s = now_s
        if lateness > LATE and now_s - self.taken_s >= HOLD_S and self.step + 1 < len(STEPS):
            relapsed = now_s - self.returned_s < self.calm_s
            self.calm_s = min(2 * self.calm_s, CALM_MOST_S) if relapsed else CALM_S
            self.step += 1
            self.taken_s = now_s
        elif self.step and now_s - max(self.taken_s, self.busy_s) >= self.calm_s:
            self.step -= 1
            self.taken_s = self.returned_s = now_s
