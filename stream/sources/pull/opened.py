"""An open input as a ``Pull`` sees it, of any opener."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import av
from av.error import FFmpegError

from stream.errors import SourceError

from .parts import Part

# a live stream must be recognised from its first packets: FFmpeg would wait for many frames to guess a rate, and for
# seconds to see whether there is sound
LIVE_OPTIONS: Final = {"fpsprobesize": "0", "analyzeduration": "1000000"}
CHANGED: Final = "the stream goes on with other streams"


def nothing() -> None:
    """The default of optional callbacks."""


@dataclass(frozen=True)
class Opened:
    """An open container, and what else must be closed with it.

    ``endless``: whether it is on air, None if the address decides. ``following()`` opens the part after the
    container's end, if there is one, and blocks meanwhile; ``finished()``: whether the sender ended a live stream;
    ``shortfall()`` says what was missing. ``note``: what the viewers should know of its beginning.
    ``duration_s`` where the container does not have it; ``whole``: whether the container's own length can be trusted.
    ``arrivals``: its times are those at which the pictures come, for it has none of its own. ``pixels``: of the largest
    picture that is taken, 0 for any.
    """

    container: av.container.InputContainer
    stop: Callable[[], None] = nothing
    endless: bool | None = None
    following: "Callable[[], Opened | None]" = nothing
    finished: Callable[[], bool] = bool
    shortfall: Callable[[], str | None] = nothing
    note: str | None = None
    duration_s: float | None = None
    whole: bool = True
    arrivals: bool = False
    pixels: int = 0

    def close(self) -> None:
        """May be called twice."""
        self.container.close()
        self.stop()


Opener = Callable[[str], Opened]


@dataclass(frozen=True)
class Kind:
    """Two facts of `Opened` that depend on the container."""

    endless: bool | None = None
    arrivals: bool = False


def open_parts(
    part: Part,
    make: Callable[[Part], av.container.InputContainer],
    stop: Callable[[], None],
    kind: Callable[[av.container.InputContainer], Kind] = lambda _: Kind(),
    note: str | None = None,
) -> Opened:
    """A part of a stream, and the parts after it, each in a container of its own."""

    def following() -> Opened | None:
        after = part.following
        while after is not None:
            with contextlib.suppress(FFmpegError, OSError, SourceError):
                opened = open_parts(after, make, stop, kind, CHANGED)
                if opened.container.streams.video:
                    return opened
                opened.container.close()
            after.skip()  # sound alone, say
            after = after.following
        return None

    def shortfall() -> str | None:
        if part.error is not None:
            return f"broke off ({cause_of(part.error).lower()})"
        return "ends in the middle of a packet, so it was probably cut short" if part.cut_short else None

    try:
        container = make(part)
    except Exception:
        if part.error is not None:
            raise part.error from None
        raise
    facts = kind(container)
    return Opened(container, stop, facts.endless, following, shortfall=shortfall, note=note, arrivals=facts.arrivals)


def cause_of(error: Exception) -> str:
    """The cause in an error, in words."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)[:200]
