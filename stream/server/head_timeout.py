"""A limit on the time for a request's head: connections that never finish one would otherwise stay open for ever.

uvicorn closes a connection that is quiet between two requests, but waits without end for the rest of an unfinished head
and for the first head. A connection above the bound is refused here as well, whatever it requests.
"""

import asyncio
from typing import Any, Final

import h11
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .connections import Connections
from .errors import RETRY_AFTER_S

HEAD_S: Final = 10.0  # from the connection, or from a head's first byte, to its end
REFUSED_HEAD_S: Final = 2.0  # for a connection above the bound


class HeadTimeoutProtocol(H11Protocol):
    """uvicorn's HTTP/1.1; closes a connection whose client does not send a request's head within `HEAD_S`.

    ``room``: a connection above its bound is answered 503 and closed; ``/healthz`` is still answered, since the process
    lives. None: there is always room.
    """

    def __init__(self, *args: Any, room: Connections | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: asyncio.TimerHandle | None = None
        self._room = room
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if self._room is not None and self._room.full:
            self._refused = True
            self._room.refused += 1
            self.app = self._refuse
        super().connection_made(transport)
        self._time_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        if self._refused and self._room is not None:
            self._room.refused -= 1
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._refused and not self.transport.is_closing():
            self.transport.close()

    def _should_upgrade(self) -> bool:
        return not self._refused and super()._should_upgrade()

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/healthz":
            await self.config.loaded_app(scope, receive, send)
            return
        text = "this server has as many connections as it takes; try again later"
        headers = {"Retry-After": str(RETRY_AFTER_S), "Connection": "close"}
        await PlainTextResponse(text, 503, headers)(scope, receive, send)

    def shutdown(self) -> None:
        """At the server's end. Does not wait for music that a client still fetches: while paused it would never end."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and cycle.scope["path"].startswith("/tracks/"):
            self.transport.abort()
        super().shutdown()

    def _time_head(self) -> None:
        """Start the timer while a head is awaited, stop it otherwise. The time of a request is up to the
        application."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(REFUSED_HEAD_S if self._refused else HEAD_S, self._give_up)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self.transport.get_protocol() is self and self.conn.their_state is h11.IDLE:  # no websocket by now
            self.transport.close()
