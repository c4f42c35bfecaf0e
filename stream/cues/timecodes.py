"""Where a stream and a recording of another program are, for cues that count by them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Timecodes:
    """Seconds since the stream and since the recording began, without pauses; None while it does not run. The others:
    how far the one that ended last had come, None where that is not known."""

    stream_s: float | None = None
    record_s: float | None = None
    stream_ended_s: float | None = None
    record_ended_s: float | None = None


Clock = Callable[[], Timecodes]
NONE: Final = Timecodes()


def no_timecodes() -> Timecodes:
    """Of a session that no such program is connected to."""
    return NONE
