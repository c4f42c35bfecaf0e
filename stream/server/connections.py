"""The open connections of a process, and how it accepts them: bounded, so that running sessions never lack descriptors.

Up to ``most`` are served. `SPARE` more are answered 503 with ``Retry-After`` and closed (see `head_timeout`); beyond
that a connection is closed as soon as it is accepted, before TLS. A client that does not finish TLS within
`HANDSHAKE_S` is disconnected.
"""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Callable, Collection
from typing import Final

from catalog.catalog import OPEN_FILES

from .hub import HubOptions

log = logging.getLogger(__name__)

SPARE: Final = 32
HANDSHAKE_S: Final = 10.0
ACCEPTS: Final = 16  # accepted before other tasks get their turn
AGAIN_S: Final = 0.2  # pause after a failed accept
PAGE: Final = 64  # for pages, their sound, and scrapes of metrics
OWN: Final = 128 + OPEN_FILES  # descriptors beside connections and sessions: the catalogue's clips, engine, logs
OF_A_SESSION: Final = 16  # WebRTC's sockets, a pulling process's pipes, a recording
LEAST: Final = 16


def connections_for(hub: HubOptions) -> int:
    """As many as all sessions and their viewers need: two for each publisher, so that it can come back, and `PAGE`."""
    return hub.max_sessions * (2 + hub.max_viewers) + PAGE


def affordable(most: int, sessions: int) -> int:
    """``most``, or what the system's limit on open files allows. Raises that limit first, as far as the system lets
    it."""
    if os.name != "posix":
        return most
    import resource

    beside = SPARE + OWN + sessions * OF_A_SESSION
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= most + beside:
        return most
    raised = most + beside if hard == resource.RLIM_INFINITY else min(most + beside, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    left = max(LEAST, min(most, soft - beside))
    if left < most:
        log.warning(
            "this process may open %d files, so it takes %d connections, not %d; raise the limit "
            "(ulimit -n, LimitNOFILE= of systemd), or lower --max-connections",
            soft,
            left,
            most,
        )
    return left


class Connections:
    """The open connections, and how to accept more. On the event loop only.

    Connections add themselves to the set ``opened``; ``make`` makes a protocol for a new one.
    """

    def __init__(
        self, most: int, opened: Collection[object], make: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None
    ) -> None:
        self.most = most
        self.refused = 0  # of the open ones, those that only get a 503
        self._opened, self._make, self._tls = opened, make, tls
        self._greeting: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """Whether one more connection would be refused."""
        return len(self._opened) - self.refused >= self.most

    def take(self, client: socket.socket) -> None:
        """Serve an accepted connection, or close it."""
        if len(self._opened) + len(self._greeting) >= self.most + SPARE:
            return client.close()
        task = asyncio.get_running_loop().create_task(self._greet(client))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)
        return None

    async def accept(self, bound: socket.socket) -> None:
        """Accept connections of a listening socket, without end."""
        loop = asyncio.get_running_loop()
        bound.setblocking(False)
        while True:
            for _ in range(ACCEPTS):
                try:
                    client, _ = await loop.sock_accept(bound)
                except OSError as error:  # the client has left, or descriptors have run out after all
                    log.warning("a connection could not be accepted: %s", error)
                    await asyncio.sleep(AGAIN_S)
                else:
                    self.take(client)
            await asyncio.sleep(0)  # accepting waiting connections never yields by itself

    async def close(self) -> None:
        """Drop the connections whose handshake is still under way."""
        tasks = list(self._greeting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _greet(self, client: socket.socket) -> None:
        client.setblocking(False)
        patience_s = None if self._tls is None else HANDSHAKE_S
        with contextlib.suppress(OSError):  # no TLS, or the client has left
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make, client, ssl=self._tls, ssl_handshake_timeout=patience_s
            )
