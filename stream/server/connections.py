"""The connections that a process has open, and who takes them from its sockets: bounded, so that descriptors never run
out under the sessions that run.

Up to ``most`` are served. `SPARE` more are answered 503 with ``Retry-After`` and closed (see `patience`); beyond that a
connection is closed as soon as it is taken, before TLS. A client that does not finish TLS within `HANDSHAKE_S` is let
go of.
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
ACCEPTS: Final = 16  # taken before other things have their turn
AGAIN_S: Final = 0.2  # after one that could not be taken
PAGE: Final = 64  # for pages, their sound, and whoever asks for figures
OWN: Final = 128 + OPEN_FILES  # descriptors beside connections and sessions: the catalogue's clips, engine, logs
OF_A_SESSION: Final = 16  # WebRTC's sockets, a pulling process's pipes, a recording
LEAST: Final = 16


def connections_for(hub: HubOptions) -> int:
    """As many as all sessions and their viewers need, each publisher one more to come back with, and some for pages."""
    return hub.max_sessions * (2 + hub.max_viewers) + PAGE


def affordable(most: int, sessions: int) -> int:
    """``most``, or as many as the system's bound on open files leaves. Raises that bound first, as far as it may."""
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
            "%d open files are allowed to this process, so it takes %d connections and not %d; raise the limit "
            "(ulimit -n, LimitNOFILE= of systemd), or lower --max-connections",
            soft,
            left,
            most,
        )
    return left


class Connections:
    """What is open, and how to take more. On the event loop only.

    ``opened`` is the set in which connections enter themselves; ``make`` makes a protocol for one more.
    """

    def __init__(
        self, most: int, opened: Collection[object], make: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None
    ) -> None:
        self.most = most
        self.refused = 0  # of those that are open: they are only told that there is no room
        self._opened, self._make, self._tls = opened, make, tls
        self._greeting: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """Whether one more would be refused."""
        return len(self._opened) - self.refused >= self.most

    def take(self, client: socket.socket) -> None:
        """Serve a connection that a listening socket gave, or close it."""
        if len(self._opened) + len(self._greeting) >= self.most + SPARE:
            return client.close()
        task = asyncio.get_running_loop().create_task(self._greet(client))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)
        return None

    async def accept(self, bound: socket.socket) -> None:
        """Take what comes at a listening socket, for ever."""
        loop = asyncio.get_running_loop()
        bound.setblocking(False)
        while True:
            for _ in range(ACCEPTS):
                try:
                    client, _ = await loop.sock_accept(bound)
                except OSError as error:  # the client is gone again, or descriptors have run out all the same
                    log.warning("a connection could not be taken: %s", error)
                    await asyncio.sleep(AGAIN_S)
                else:
                    self.take(client)
            await asyncio.sleep(0)  # accepting what waits already lets nobody else run

    async def close(self) -> None:
        """Let go of those that are still being greeted."""
        tasks = list(self._greeting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _greet(self, client: socket.socket) -> None:
        client.setblocking(False)
        patience_s = None if self._tls is None else HANDSHAKE_S
        with contextlib.suppress(OSError):  # no TLS, or gone: nobody is left to tell
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make, client, ssl=self._tls, ssl_handshake_timeout=patience_s
            )
