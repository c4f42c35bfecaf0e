"""Where one of several processes of a server stands."""

import socket
from dataclasses import dataclass

from .address import port_of
from .worker_status import WorkerStatuses


@dataclass(frozen=True)
class Place:
    """Where one of several workers stands: its sockets, all ports that belong together, and what the workers say of themselves."""

    own: socket.socket
    shared: socket.socket
    ports: tuple[int, ...]
    statuses: WorkerStatuses
    restarts: int = 0  # how many processes stood here before, and ended by themselves

    @property
    def port(self) -> int:
        """The worker's own."""
        return port_of(self.own)

    @property
    def first(self) -> bool:
        """Whether it is the one that says what all would say."""
        return self.port == self.ports[1]
