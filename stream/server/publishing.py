"""What a hub of sessions and those who feed them know of each other."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import av

OnFrame = Callable[[av.VideoFrame], None]
OnSound = Callable[[av.AudioFrame], None]
OnEnd = Callable[[str], None]

STOPPED = "the publisher stopped"  # the reason of an end that was wished for, which is no warning


class Publisher(Protocol):
    """What feeds a session. ``connected``: frames may come; ``frames``: video frames so far."""

    @property
    def connected(self) -> bool: ...
    @property
    def frames(self) -> int: ...
    async def close(self) -> None:
        """Stop; idempotent, and ``on_end`` is not called afterwards."""


Connect = Callable[[OnFrame, OnSound, OnEnd], Publisher]


class Session(Protocol):
    """One live input: ``id`` is for viewers, ``secret`` is the publisher's alone."""

    @property
    def id(self) -> str: ...
    @property
    def secret(self) -> str: ...


S = TypeVar("S", bound=Session)


class Sessions(Protocol[S]):
    """The part of the hub that publishers use."""

    def begin(self, label: str, key: str, connect: Connect) -> S:
        """A session that ``connect`` feeds; the same ``key`` (not "") takes the older one over. Raises BusyError."""

    def by_secret(self, secret: str) -> S | None: ...
    async def end(self, session: S, reason: str) -> None: ...
