"""A clock for aiortc that cannot be set.

aiortc measures the distance and the rate of packets by the wall clock, which is not steady. If the wall clock is set
while a stream runs (a machine without a battery gets the time after its start, or somebody corrects it), the estimate
of the rate steps through the whole jump, a millisecond at a time, on the event loop: a day takes seconds, a year hours,
and every session of the process waits. The reported jitter no longer fits its 32 bits either, and the reports end. The
clock here starts with the wall clock's time, since some reports hold dates, and is steady from then on.
"""

import datetime
import time
from collections.abc import Callable
from typing import Any, Final

from . import aiortc_compat

NTP_1970_S: Final = 2_208_988_800  # seconds from 1900 to 1970


class MonotonicClock:
    """The wall clock's time when this was made, and the seconds since by a clock that only goes forward."""

    def __init__(self, wall_s: Callable[[], float] = time.time, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._steady_s = steady_s
        self._offset_s = wall_s() - steady_s()

    def time(self) -> float:
        """Seconds since 1970, as the wall clock would show without being set."""
        return self._offset_s + self._steady_s()

    def now(self) -> datetime.datetime:
        """The same as a date, in UTC."""
        return datetime.datetime.fromtimestamp(self.time(), datetime.UTC)

    def __getattr__(self, name: str) -> Any:
        """Everything else of the module `time`, which this replaces."""
        return getattr(time, name)

    def ms(self) -> int:
        """The same in milliseconds since 1900 (RFC 5905), which runs for every packet."""
        return int(1000.0 * (self.time() + NTP_1970_S))


def hold_clock(make_clock: Callable[[], MonotonicClock] = MonotonicClock) -> None:
    """Let aiortc read a steady clock from now on, in this whole process. More calls change nothing."""
    if not isinstance(aiortc_compat.clock_read(), MonotonicClock):
        steady = make_clock()
        aiortc_compat.read_clock(steady, steady.now, steady.ms)
