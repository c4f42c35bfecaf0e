"""What those who feed sessions know of the hub; a fake that keeps what comes is easily made of it."""

from typing import Protocol, TypeVar

from stream.sources.ended import Ended

from .inputs import Connect


class Input(Protocol):
    """One publisher's way into a session: ``id`` is the session's, for viewers; ``secret`` is the publisher's alone."""

    @property
    def id(self) -> str: ...
    @property
    def secret(self) -> str: ...


InputT = TypeVar("InputT", bound=Input)


class Sessions(Protocol[InputT]):
    """The part of a `Hub` that publishers use."""

    def begin(self, label: str, key: str, connect: Connect) -> InputT:
        """An input that ``connect`` feeds, of a new session or of that of its ``key`` (not ""). Raises BusyError."""

    def by_secret(self, secret: str) -> InputT | None: ...
    async def stop(self, source: InputT, ended: Ended) -> None: ...
