"""The place of one of several processes of a server."""

import socket
from dataclasses import dataclass

from .address import port_of
from .worker_status import WorkerStatuses


@dataclass(frozen=True)
class Place:
    """The place of one of several workers: its sockets, the ports of all, and the workers' statuses."""

    own: socket.socket
    shared: socket.socket
    ports: tuple[int, ...]
    statuses: WorkerStatuses
    restarts: int = 0  # how many earlier processes in this place ended by themselves

    @property
    def port(self) -> int:
        """The worker's own port."""
        return port_of(self.own)

    @property
    def first(self) -> bool:
        """Whether it is the first worker, which logs what concerns all of them."""
        return self.port == self.ports[1]
