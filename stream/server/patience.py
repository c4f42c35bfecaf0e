"""How long a client may take to ask: connections that never finish a request's head would otherwise stay for ever.

uvicorn ends a connection that is quiet between two requests, but waits without end for the rest of a head that has
begun, and for a first one that never does.
"""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 10.0  # from the connection, or from a head's first byte, to its end


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which closes a connection whose client does not say within `HEAD_S` what it wants."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """At the server's end. Music still being fetched is not waited for: where it is paused it never ends."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and cycle.scope["path"].startswith("/tracks/"):
            self.transport.abort()
        super().shutdown()

    def _look(self) -> None:
        """The time runs while a head is under way; what a request does afterwards is the application's affair."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(HEAD_S, self._give_up)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self.transport.get_protocol() is self and self.conn.their_state is h11.IDLE:  # no websocket by now
            self.transport.close()
