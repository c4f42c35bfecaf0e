"""How long work that is done in equal steps has still to go."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """Steps counted from the first that is timed: what an earlier run had done tells nothing of this one's speed."""

    began_s: float
    before: int = 0

    def left(self, done: int, total: int, now_s: float) -> str:
        """In words; empty before the first step and after the last."""
        steps = done - self.before
        if steps < 1 or done >= total:
            return ""
        return f"{worded((now_s - self.began_s) / steps * (total - done))} left"


def worded(seconds: float) -> str:
    """A time as one says it: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
