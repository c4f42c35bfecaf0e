"""The part of the hub that publishers' routes use; tests replace it by a fake."""

from typing import Protocol, TypeVar

from stream.sources.ended import Ended

from .inputs import Connect


class Input(Protocol):
    """One publisher's way into a session: ``id`` is the session's, for viewers; only the publisher knows ``secret``."""

    @property
    def id(self) -> str: ...
    @property
    def secret(self) -> str: ...


InputT = TypeVar("InputT", bound=Input)


class Sessions(Protocol[InputT]):
    """The part of a `Hub` that publishers use."""

    def begin(self, label: str, key: str, connect: Connect) -> InputT:
        """An input that ``connect`` feeds; it belongs to the session of ``key`` (not "") or to a new one. Raises
        BusyError."""

    def by_secret(self, secret: str) -> InputT | None: ...
    async def stop(self, source: InputT, ended: Ended) -> None: ...
