"""How closely sessions are followed while the machine is late: a step less at a time, and back when it is early again.

Pure: time is an argument. Above a part of the limit at which nobody is let in any more, the next of
``stream.core.quality_level.STEPS`` is taken for all sessions. A step is taken back when messages have been early for a
while; where that brings the lateness back, the next attempt waits twice as long.
"""

import math
from dataclasses import dataclass
from typing import Final

from stream.core.quality_level import STEPS, QualityLevel

LATE: Final = 0.15  # of the limit: above it, a step less close
EARLY: Final = 0.06  # of the limit: below it, messages are early
HOLD_S: Final = 5.0  # a step shows its effect before the next is taken
CALM_S: Final = 20.0  # early for so long before a step is taken back
CALM_MOST_S: Final = 320.0
FORGET_S: Final = 10.0  # nothing heard for so long: whoever comes next begins in full


class LoadShedding:
    """``limit_ms``: the lateness at which nobody is let in; 0 eases nothing."""

    def __init__(self, limit_ms: float) -> None:
        self._limit_ms = limit_ms
        self._last_s = -math.inf
        self._state = _State()

    @property
    def level(self) -> QualityLevel:
        return STEPS[self._state.step]

    def judge(self, now_s: float, late_ms: float | None) -> QualityLevel:
        """``late_ms`` is how late messages are by now, None where that cannot be said; the level from here on."""
        if now_s - self._last_s > FORGET_S:
            self._state = _State()
        self._last_s = now_s
        if late_ms is not None and self._limit_ms:
            self._state.judge(now_s, late_ms / self._limit_ms)
        return self.level


@dataclass(slots=True)
class _State:
    """``taken_s``, ``returned_s``: when a step was last taken and given back; ``busy_s``: when last not early."""

    step: int = 0
    calm_s: float = CALM_S
    taken_s: float = -math.inf
    returned_s: float = -math.inf
    busy_s: float = -math.inf

    def judge(self, now_s: float, lateness: float) -> None:
        """``lateness`` in limits."""
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
