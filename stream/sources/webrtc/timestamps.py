"""RTP timestamps as times that go on after 32 bits, also if pictures come in another order than they are shown.

For aiortc every timestamp below the last one has wrapped around. With B-frames every second picture has such a
timestamp, and would be thirteen hours later than the one before.
"""

from typing import Final

from . import aiortc_compat

SPAN: Final = 1 << 32


class NearestTimestamps:
    """Replaces aiortc's ``TimestampMapper``: each timestamp becomes the time that is nearest to the last one."""

    def __init__(self) -> None:
        self._origin: int | None = None
        self._newest = 0

    def map(self, timestamp: int) -> int:
        """The time since the first, in units of the codec's clock; less than 0 for one from before it."""
        if self._origin is None:
            self._origin = timestamp
        ahead = (timestamp - self._origin - self._newest) % SPAN
        self._newest += ahead if ahead < SPAN // 2 else ahead - SPAN
        return self._newest


def map_nearest() -> None:
    """Let receivers made from now on, in this whole process, map so. More calls change nothing."""
    aiortc_compat.map_times_with(NearestTimestamps)
