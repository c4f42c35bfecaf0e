"""What an export is made with."""

import re
from dataclasses import dataclass
from typing import Final

from ..errors import CueError
from ..model import NAMED
from ..timecode import Rate, read_rate

CLOCKS: Final = ("pts", "stream", "record")
CLOCK: Final = re.compile(r"pts|(stream|record)(?:-(\d{1,4}))?", re.ASCII)
FPS: Final = "30"
START: Final = "01:00:00:00"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """``start``: the first frame's number on the timeline. ``clock``: which time the cues are placed by, one of
    ``CLOCKS``; what is outside of the stream or recording is left out. ``take``: which of a session's streams or
    recordings, counted from 1, None: the newest. ``names``: which cues, of ``model.NAMED``."""

    rate: Rate
    start: int
    clock: str = "pts"
    names: tuple[str, ...] = ("taken",)
    take: int | None = None


def read_options(
    fps: str = FPS, drop: bool | None = None, start: str = START, clock: str = "pts", names: str = "taken"
) -> ExportOptions:
    """The options from texts; ``clock`` perhaps with a number, as in "record-2"; ``names`` with commas between. Raises
    CueError."""
    rate = read_rate(fps, drop)
    match = CLOCK.fullmatch(clock)
    if match is None:
        raise CueError(f"clock {clock[:20]!r}: there are {', '.join(CLOCKS)}, and record-2 for the second of several")
    words = tuple(word.strip() for word in names.split(",") if word.strip())
    if unknown := [word for word in words if word not in NAMED]:
        raise CueError(f"no cues are called {unknown[0][:20]!r}; there are {', '.join(NAMED)}")
    if not words:
        raise CueError(f"no cues are asked for; name some of {', '.join(NAMED)}")
    take = None if match[2] is None else int(match[2])
    return ExportOptions(rate, rate.parse(start), match[1] or clock, words, take)
