"""UDP ports of publishers in a fixed range, so that a firewall can open only those.

aioice wants any free port of the loop; this gives it one of the range. If none is free, the publisher is refused.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PortRange:
    """``low`` to ``high``, both included."""

    low: int
    high: int


def hold_to(loop: asyncio.AbstractEventLoop, ports: PortRange) -> None:
    """From now on, sockets for datagrams that ``loop`` opens on any port get one of the range.

    Each attempt begins after the last port, so that a port that was just freed is not used at once.
    """
    open_any: Callable[..., Awaitable[Any]] = loop.create_datagram_endpoint
    span = ports.high - ports.low + 1
    newest = -1

    async def open_in_range(
        factory: Callable[..., Any], local_addr: tuple[str, int] | None = None, **options: Any
    ) -> Any:
        nonlocal newest
        if local_addr is None or local_addr[1] != 0:
            return await open_any(factory, local_addr=local_addr, **options)
        for _ in range(span):
            newest = (newest + 1) % span
            try:
                return await open_any(factory, local_addr=(local_addr[0], ports.low + newest), **options)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"every UDP port from {ports.low} to {ports.high} is taken")

    loop.create_datagram_endpoint = open_in_range  # type: ignore[method-assign, assignment]
