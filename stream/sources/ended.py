"""Why a publisher ended: a cause that programs go by, and the words for people beside it."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Cause(Enum):
    STOPPED = auto()  # it said so, or its file was over
    SILENT = auto()  # it was there, and no picture came any more
    LOST = auto()  # its connection, or what it came by, broke; or it never came through


@dataclass(frozen=True, slots=True)
class Ended:
    """``text`` in words, as viewers are told."""

    cause: Cause
    text: str

    @property
    def stopped(self) -> bool:
        return self.cause is Cause.STOPPED


STOPPED: Final = Ended(Cause.STOPPED, "the publisher stopped")


def silent(waited_s: float) -> Ended:
    return Ended(Cause.SILENT, f"no video for {waited_s:g} s")


def lost(text: str) -> Ended:
    return Ended(Cause.LOST, text)
