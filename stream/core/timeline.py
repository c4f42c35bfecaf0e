"""What a step from one timestamp to the next means: one rule for all code that samples frames or waits for them.

A picture is on the screen until the next one, so a step forward is a picture that was held, even for minutes. It is a
jump instead where the picture cannot have been held: where less time than that passed between the arrivals, or where
the clock of this kind of input is known to jump (``HELD_BROADCAST_S``).

Nothing here reads a clock: the caller gives the time that passed.
"""

from enum import Enum
from fractions import Fraction
from typing import Final

STEP_BACK_S: Final = 1  # a late frame up to this far behind the newest is passed over; beyond it, time has jumped
AHEAD_S: Final = 10  # timestamps may run ahead of the arrivals by this much: a burst, or a sender's buffer
HELD_S: Final = 3600  # no picture is held longer
HELD_BROADCAST_S: Final = 60  # the same in transport streams and the like, whose clock starts anew at a splice

Seconds = int | float | Fraction


class Step(Enum):
    """``ON``: time went on; ``LATE``: the frame is a little behind the newest; ``BACK``, ``FORWARD``: time jumped."""

    ON = "on"
    LATE = "late"
    BACK = "back"
    FORWARD = "forward"


def judge(step_s: Seconds, passed_s: float | None = None, held_s: float = HELD_S) -> Step:
    """What it means that a timestamp is ``step_s`` after the newest.

    ``passed_s``: how much time passed between the arrivals of the two, None where frames do not arrive in their own
    time; ``held_s``: for how long this input may hold a picture.
    """
    if step_s < 0:
        return Step.LATE if step_s >= -STEP_BACK_S else Step.BACK
    if step_s > held_s or (passed_s is not None and step_s > AHEAD_S + passed_s):
        return Step.FORWARD
    return Step.ON
