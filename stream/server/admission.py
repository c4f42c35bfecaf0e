"""Whether the machine can carry one more session, judged by how late the running sessions are.

Pure: time is an argument. Lateness is the age of the newest frame in each message of the last seconds.
"""

from collections import deque
from typing import Final

WINDOW_S: Final = 10.0
MOST_MESSAGES: Final = 1024  # 100 sessions for 10 s; beyond that the oldest are dropped
LEAST_MESSAGES: Final = 5  # fewer say nothing
PERCENTILE: Final = 0.95


class Load:
    """``refusal`` compares the 95th percentile of the last 10 s with ``late_ms``; 0 always admits."""

    def __init__(self, late_ms: float) -> None:
        self.limit_ms = late_ms
        self._late: deque[tuple[float, float]] = deque(maxlen=MOST_MESSAGES)

    def note(self, now_s: float, late_ms: float) -> None:
        self._late.append((now_s, late_ms))

    def forget(self) -> None:
        """Drop all measurements: they say nothing about what comes next."""
        self._late.clear()

    def late_ms(self, now_s: float) -> float | None:
        """The 95th percentile, or None where too few messages went out."""
        while self._late and self._late[0][0] < now_s - WINDOW_S:
            self._late.popleft()
        if len(self._late) < LEAST_MESSAGES:
            return None
        ordered = sorted(late for _, late in self._late)
        # where one session sends few messages, never the very latest
        return ordered[int(PERCENTILE * (len(ordered) - 1))]

    def refusal(self, now_s: float) -> str | None:
        """Why no session can be added now, or None."""
        late_ms = self.late_ms(now_s)
        if not self.limit_ms or late_ms is None or late_ms <= self.limit_ms:
            return None
        return (
            f"the running sessions are already {late_ms:.0f} ms late (at most {self.limit_ms:g}); "
            "end one, or give the server more cores"
        )
