"""RTP timestamps as times that go on where 32 bits end, also where pictures come in another order than they are shown.

aiortc takes every timestamp that is less than the one before for one that has wrapped round. With B-frames each second
picture has such a one, and would be thirteen hours later than the one before.
"""

from typing import Final

from . import aiortc_compat

SPAN: Final = 1 << 32


class NearestTimestamps:
    """In the place of aiortc's ``TimestampMapper``: each timestamp is taken for the one that is nearest to the last."""

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


def mind_order() -> None:
    """Let receivers made from now on, in this whole process, map so. More calls change nothing."""
    aiortc_compat.map_times_with(NearestTimestamps)
