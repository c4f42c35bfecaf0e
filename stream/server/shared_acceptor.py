"""How the workers of one machine share its port: a worker accepts connections while no other has less to do.

All of them have the same listening socket. The kernel alone would give most connections to the worker that began to
wait last. So each worker reads the statuses of the others and listens only while it is among the least loaded: not
draining, with room, with the fewest sessions. A status is up to `LOOK_S` old, so a burst may still go to one worker.
"""

import asyncio
import logging
from typing import Final

from .connections import ACCEPTS, Connections
from .drain import Drain, Phase
from .hub import Hub
from .key_redirect import digest
from .place import Place
from .worker_status import Status

log = logging.getLogger("segue.shared_acceptor")

LOOK_S: Final = 0.25


class SharedAcceptor:
    """One worker's use of the shared socket, and its own status. On the event loop only."""

    def __init__(
        self,
        place: Place,
        hub: Hub,
        drain: Drain,
        connections: Connections,
    ) -> None:
        self._place, self._hub, self._drain, self._connections = place, hub, drain, connections
        self._open = False
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read the others' statuses."""
        self._place.shared.setblocking(False)
        self._watching = asyncio.get_running_loop().create_task(self._watch_others())

    async def close(self) -> None:
        """Accept no more connections from the shared socket."""
        self._set_listening(False)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await asyncio.to_thread(self._place.statuses.leave)

    async def _watch_others(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._place.statuses.exchange, self._status())
            except OSError as error:
                log.warning("the workers' statuses cannot be used: %s", error)
            self._set_listening(self._is_least_loaded())
            await asyncio.sleep(LOOK_S)

    def _status(self) -> Status:
        sessions = tuple(session.summary() for session in self._hub.sessions)
        serving = self._drain.phase is Phase.SERVING
        keys = tuple(digest(session.key) for session in self._hub.sessions if session.key and session.ending is None)
        room = not self._hub.refusal() and not self._connections.full
        return Status(self._place.port, serving, room, sessions, keys)

    def _is_least_loaded(self) -> bool:
        """Whether no other worker has less to do."""
        own = self._status().load
        return all(own <= other.load for other in self._place.statuses.others)

    def _set_listening(self, listen: bool) -> None:
        if listen == self._open:
            return
        loop = asyncio.get_running_loop()
        if listen:
            loop.add_reader(self._place.shared.fileno(), self._accept)
        else:
            loop.remove_reader(self._place.shared.fileno())
        self._open = listen

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            if not self._is_least_loaded():
                return self._set_listening(False)
            try:
                client, _ = self._place.shared.accept()
            except BlockingIOError:  # another worker was faster
                return None
            except OSError as error:  # out of file descriptors, or the client has left
                log.warning("a connection could not be accepted: %s", error)
                return None
            self._connections.take(client)
        return None
