"""Motion slots of 1/8 s: how far apart two pictures are."""

from .spec import HELD_SLOTS


def is_held(before: int, slot: int) -> bool:
    """Whether the picture in slot ``before`` was held until the next one, in ``slot``: see `held`."""
    return slot - before > HELD_SLOTS
