"""The remaining time of work that is done in equal steps."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """Steps are counted from the first timed one: the steps of an earlier run say nothing about this run's speed."""

    began_s: float
    before: int = 0

    def left(self, done: int, total: int, now_s: float) -> str:
        """In words; empty before the first step and after the last."""
        steps = done - self.before
        if steps < 1 or done >= total:
            return ""
        return f"{duration_text((now_s - self.began_s) / steps * (total - done))} left"


def duration_text(seconds: float) -> str:
    """A time in the unit that fits: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
