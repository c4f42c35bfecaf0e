"""Whether the machine can carry one more session: by how late the sessions that run already are.

Pure: time is an argument. What is looked at is the age of the newest frame in each message of the last seconds.
"""

from collections import deque
from typing import Final

LOOKED_AT_S: Final = 10.0
KEPT: Final = 1024  # messages: 100 sessions for 10 s; at the bound the oldest go
ENOUGH: Final = 5  # fewer say nothing
PERCENTILE: Final = 0.95


class Load:
    """``late_ms`` is what ``refusal`` compares the 95th percentile of the last 10 s with; 0 admits always."""

    def __init__(self, late_ms: float) -> None:
        self.limit_ms = late_ms
        self._late: deque[tuple[float, float]] = deque(maxlen=KEPT)

    def note(self, now_s: float, late_ms: float) -> None:
        self._late.append((now_s, late_ms))

    def forget(self) -> None:
        """What was noted says nothing of what comes."""
        self._late.clear()

    def late_ms(self, now_s: float) -> float | None:
        """The 95th percentile, or None where too few messages went out."""
        while self._late and self._late[0][0] < now_s - LOOKED_AT_S:
            self._late.popleft()
        if len(self._late) < ENOUGH:
            return None
        ordered = sorted(late for _, late in self._late)
        return ordered[int(PERCENTILE * (len(ordered) - 1))]  # of the few messages of one session, not the very latest

    def refusal(self, now_s: float) -> str | None:
        """Why no session should be added now, or None."""
        late_ms = self.late_ms(now_s)
        if not self.limit_ms or late_ms is None or late_ms <= self.limit_ms:
            return None
        return (
            f"the sessions that run are {late_ms:.0f} ms late already (at most {self.limit_ms:g}); "
            "end one, or give the server more cores"
        )
