"""When the hop of each second fell due, by a driver's clock: lateness counts from there.

A second is over with the frame that fills its last slot, with the first frame of a later one, or when the time that
was left of it after its newest frame has passed, whichever comes first. Waiting for a second to end is no lateness.
"""

from typing import Final

from features.spec import WINDOW_S

KEPT: Final = WINDOW_S  # seconds whose lists may still be under way


class DueTimes:
    """State: media time and arrival of the newest frame, and when the newest seconds were over."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Time begins anew."""
        self._newest: tuple[float, float] | None = None  # media time, arrival
        self._due: dict[int, float] = {}

    def record_frame(self, elapsed_s: float, arrived_s: float, second: int, following: int) -> None:
        """A frame at ``elapsed_s`` of media time arrived, in ``second``; the next slot is in second ``following``."""
        self._over(second, min(arrived_s, self._reached(second, arrived_s)))
        self._newest = elapsed_s, arrived_s
        self._over(following, arrived_s)

    def record_passing(self, second: int) -> None:
        """Media time has come to the end of ``second`` seconds, without a frame."""
        if self._newest is not None:
            self._over(second, self._reached(second, self._newest[1]))

    def record_end(self, second: int, now_s: float) -> None:
        """The input ended within ``second``: its last hop is due now."""
        self._over(second, now_s)

    def at(self, second: int) -> float | None:
        """When ``second`` seconds of media time were over, or None if that was never recorded."""
        return self._due.get(second)

    def _reached(self, second: int, else_s: float) -> float:
        """When, by the newest frame, media time came to ``second``."""
        if self._newest is None:
            return else_s
        elapsed_s, arrived_s = self._newest
        return arrived_s + max(0.0, second - elapsed_s)

    def _over(self, second: int, at_s: float) -> None:
        self._due.setdefault(second, at_s)
        while len(self._due) > KEPT:
            del self._due[next(iter(self._due))]
