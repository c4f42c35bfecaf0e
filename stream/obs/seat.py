"""The deck's seat in a session: a viewer within the server, which may be the session's player like any page."""

import json
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from stream.close_codes import Close
from stream.core.events import ViewerState
from stream.messages import wishes_object
from stream.sinks.viewers import Viewer

from .deck import NAME, ObsDeck
from .leaving import Item

log = logging.getLogger(__name__)


class Session(Protocol):
    """The part of a ``Channel`` that a seat needs."""

    @property
    def asked(self) -> ViewerState: ...
    def join(self, may: bool = True, page: str = "") -> Viewer: ...
    def leave(self, viewer: Viewer) -> None: ...
    def command(self, viewer: Viewer, message: dict[str, Any]) -> None: ...


class Seat:
    """One session's. ``takes``: it takes the player's role as soon as OBS is there and nobody else has it.
    ``on_message``: gets each message that it hears."""

    def __init__(
        self, session: Session, deck: ObsDeck, takes: bool = False, on_message: Callable[[Item], None] | None = None
    ) -> None:
        self.newest: Item | None = None
        self.auto = False
        self.here = False
        self._session, self._deck, self._takes = session, deck, takes
        self._nobody = True
        self._on_message = on_message
        self.viewer = session.join(True, secrets.token_urlsafe(12))
        self.viewer.name = NAME
        self.viewer.ready = deck.ready

    @property
    def asked(self) -> Item | None:
        return None if self.newest is None else wishes_object(self._session.asked)

    def send(self, message: Mapping[str, Any]) -> None:
        self._session.command(self.viewer, dict(message))

    def set_ready(self, ready: bool) -> None:
        """OBS has come, or is gone."""
        self.viewer.ready = ready
        self._take()

    def close(self) -> None:
        """End `run`."""
        self.viewer.close("the music in OBS ends", Close.NORMAL)

    async def run(self) -> None:
        """Hear the session until it ends."""
        try:
            self._take()
            while (text := await self.viewer.next()) is not None:
                try:
                    self._hear(json.loads(text))
                except Exception:
                    log.exception("OBS's player did not deal with what it heard")
        finally:
            self._deck.rise(self)
            self._session.leave(self.viewer)

    def _take(self) -> None:
        if self._takes and self._nobody and self._deck.ready and self._deck.host is None:
            self._takes = False  # whom it is taken from keeps it
            self.send({"type": "player", "take": True})

    def _hear(self, message: Item) -> None:
        kind = message.get("type")
        if kind == "player":
            self.auto = bool(message["auto"])
            self._nobody = message["player"] is None
            here = message["player"] == "here"
            if here and not self.here:
                other = self._deck.host
                if other is not None and other is not self:  # OBS has one music
                    other.send({"type": "player", "take": False})
                    self._deck.rise(other)
                self._deck.sit(self, message["track"], message["position_s"], bool(message["paused"]))
            elif self.here and not here:
                self._deck.rise(self)
            self.here = here
        elif kind == "suggestions":
            self.newest = message
            self._deck.listed(self)
        elif kind == "do" and self.here:
            self._deck.obey(message)
        if self._on_message is not None:
            self._on_message(message)
