"""A live source that is opened again after it breaks off, each time after a longer wait.

Nothing here reads a clock or rolls dice: the caller passes the jitter in and does the waiting.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import av

from stream.core.events import Warned
from stream.errors import SourceError


@dataclass(frozen=True)
class Backoff:
    """How often and after how long to try again: ``first_s``, times ``factor`` each try, at most ``most_s``.

    A delay lies between half and all of its nominal length (``jitter`` 0 to 1), so that the clients of one server do
    not all come back at once.
    """

    first_s: float = 0.5
    factor: float = 2.0
    most_s: float = 15.0
    tries: int = 10

    def __post_init__(self) -> None:
        if not (0 < self.first_s <= self.most_s and self.factor >= 1 and self.tries >= 0):
            raise ValueError(f"{self}: 0 < first_s <= most_s, factor of 1 or more, tries of 0 or more")

    def delays(self, jitter: Callable[[], float]) -> Iterator[float]:
        """The seconds before each try, ``tries`` of them; ``jitter()`` is from 0 to 1."""
        nominal_s = self.first_s
        for _ in range(self.tries):
            yield nominal_s * (0.5 + 0.5 * jitter())
            nominal_s = min(self.most_s, nominal_s * self.factor)


class Frames(Protocol):
    """The part of a ``Pull`` that is needed here. It may also have ``finished``: the sender ended it."""

    @property
    def warning(self) -> str | None: ...
    def frames(self) -> Generator[av.VideoFrame, None, None]: ...


def reconnecting(
    open_source: Callable[[], AbstractContextManager[Frames]],
    backoff: Backoff,
    jitter: Callable[[], float],
    wait: Callable[[float], bool],
    tell: Callable[[Warned], None],
) -> Generator[av.VideoFrame, None, None]:
    """The frames of a source that is opened again whenever it ends or breaks off.

    ``wait(seconds)`` returns False to stop. The first opening must succeed (its SourceError is raised); afterwards each
    failure is passed to ``tell``, and after ``backoff.tries`` in a row without a frame the frames end. A frame starts
    the count anew. Timestamps are passed on as they are: the sampler sees where time has jumped.
    """
    delays: Iterator[float] | None = None
    while True:
        has_frames = False
        try:
            with open_source() as source:
                for frame in source.frames():
                    if not has_frames and delays is not None:
                        tell(Warned("the source is back"))
                    has_frames = True
                    yield frame
                if getattr(source, "finished", False):
                    return None
                cause = source.warning or "the source ended"
        except SourceError as error:
            if delays is None and not has_frames:
                raise
            cause = str(error)
        if has_frames or delays is None:
            delays = backoff.delays(jitter)
        delay_s = next(delays, None)
        if delay_s is None:
            return tell(Warned(f"{cause}; given up after {backoff.tries} tries"))
        tell(Warned(f"{cause}; trying again in {delay_s:.1f} s"))
        if not wait(delay_s):
            return None
