"""What an export is made with."""

from dataclasses import dataclass
from typing import Final

from ..errors import CueError
from ..model import NAMED
from ..timecode import Rate, read_rate

CLOCKS: Final = ("pts", "stream", "record")
FPS: Final = "30"
START: Final = "01:00:00:00"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """``start``: the first frame's number on the timeline. ``clock``: which time the cues are placed by, one of
    ``CLOCKS``; cues without a time by it are left out. ``names``: which cues, of ``model.NAMED``."""

    rate: Rate
    start: int
    clock: str = "pts"
    names: tuple[str, ...] = ("taken",)


def read_options(
    fps: str = FPS, drop: bool | None = None, start: str = START, clock: str = "pts", names: str = "taken"
) -> ExportOptions:
    """The options from texts; ``names`` with commas between. Raises CueError."""
    rate = read_rate(fps, drop)
    if clock not in CLOCKS:
        raise CueError(f"clock {clock[:20]!r}: there are {', '.join(CLOCKS)}")
    words = tuple(word.strip() for word in names.split(",") if word.strip())
    if unknown := [word for word in words if word not in NAMED]:
        raise CueError(f"no cues are called {unknown[0][:20]!r}; there are {', '.join(NAMED)}")
    if not words:
        raise CueError(f"no cues are asked for; name some of {', '.join(NAMED)}")
    return ExportOptions(rate, rate.parse(start), clock, words)
