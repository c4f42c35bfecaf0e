"""The rate of the last second, from a queue of the received packets.

aiortc keeps a thousand counters, one a millisecond, for each video stream, and steps through the passed ones with every
packet. Here each packet enters a queue and leaves it after the window: less work, less memory, and a jump of the clock
is one step.
"""

from collections import deque

from . import aiortc_compat


class PassingRate:
    """Replaces aiortc's ``RateCounter``, with the same numbers for times that do not go back.

    ``window_size`` in ms; ``scale``: units of the rate for a ``value`` of 1 a millisecond.
    """

    def __init__(self, window_size: int, scale: int = 8000) -> None:
        self._window_ms = window_size
        self._scale = scale
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._values: deque[tuple[int, int]] = deque()  # ms, value
        self._total = 0
        self._origin_ms: int | None = None

    def add(self, value: int, now_ms: int) -> None:
        if self._origin_ms is None:
            self._origin_ms = now_ms
        else:
            self._forget(now_ms)
        self._values.append((now_ms, value))
        self._total += value

    def rate(self, now_ms: int) -> int | None:
        """The rate over the window, or since its first value; None without values, or with only those of now."""
        if self._origin_ms is None:
            return None
        self._forget(now_ms)
        passed_ms = now_ms - self._origin_ms + 1
        return round(self._scale * self._total / passed_ms) if self._values and passed_ms > 1 else None

    def _forget(self, now_ms: int) -> None:
        first_ms = now_ms - self._window_ms + 1
        if self._origin_ms is None or self._origin_ms >= first_ms:
            return
        self._origin_ms = first_ms
        while self._values and self._values[0][0] < first_ms:
            self._total -= self._values.popleft()[1]


def count_what_comes() -> None:
    """Let estimates made from now on, in this whole process, use `PassingRate`. More calls change nothing."""
    aiortc_compat.count_with(PassingRate)
