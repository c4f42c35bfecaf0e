"""Why a publisher ended: a cause for programs, and a text for people."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Cause(Enum):
    STOPPED = auto()  # it signed off, or its file was over
    SILENT = auto()  # connected, but no picture came any more
    LOST = auto()  # its connection broke, or was never made


@dataclass(frozen=True, slots=True)
class Ended:
    """``text``: in words, for viewers. ``away_s``: for how long it may well come back; 0 where nobody can say."""

    cause: Cause
    text: str
    away_s: float = 0.0

    @property
    def stopped(self) -> bool:
        return self.cause is Cause.STOPPED


STOPPED: Final = Ended(Cause.STOPPED, "the publisher stopped")


def silent(waited_s: float) -> Ended:
    return Ended(Cause.SILENT, f"no video for {waited_s:g} s")


def lost(text: str, away_s: float = 0.0) -> Ended:
    return Ended(Cause.LOST, text, away_s)
