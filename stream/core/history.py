"""Tracks that were on air lately lose score for a while.

*Bound*: the newest ``KEPT`` tracks. Times are seconds of media time since the session began, resets not counted.
"""

from collections import OrderedDict
from typing import Final

FADE_S: Final = 1800.0
PENALTY: Final = 0.12
KEPT: Final = 200


class History:
    """When each track went off air last."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, float] = OrderedDict()

    def left(self, track: str, at_s: float) -> None:
        """``track`` went off air at ``at_s``; at the bound the one that left first is forgotten."""
        self._left[track] = at_s
        self._left.move_to_end(track)
        if len(self._left) > KEPT:
            self._left.popitem(last=False)

    def penalty(self, track: str, now_s: float) -> float:
        """What to take off its score: ``PENALTY`` at first, 0 from ``FADE_S`` on, a straight line between."""
        if track not in self._left:
            return 0.0
        return PENALTY * max(0.0, 1.0 - (now_s - self._left[track]) / FADE_S)

    def __len__(self) -> int:
        return len(self._left)
