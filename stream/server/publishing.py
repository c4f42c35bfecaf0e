"""What those who feed sessions know of the hub; a fake that keeps what comes is easily made of it."""

from typing import Protocol, TypeVar

from .hub_session import Connect


class Session(Protocol):
    """One live input: ``id`` is for viewers, ``secret`` is the publisher's alone."""

    @property
    def id(self) -> str: ...
    @property
    def secret(self) -> str: ...


S = TypeVar("S", bound=Session)


class Sessions(Protocol[S]):
    """The part of a `Hub` that publishers use."""

    def begin(self, label: str, key: str, connect: Connect) -> S:
        """A session that ``connect`` feeds; the same ``key`` (not "") takes the older one over. Raises BusyError."""

    def by_secret(self, secret: str) -> S | None: ...
    async def end(self, session: S, reason: str) -> None: ...
