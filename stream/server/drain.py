"""A graceful stop: no new sessions, a warning to viewers, time for running sessions, then the end.

*Bound*: a drain lasts ``patience_s`` at most, and ends as soon as the last session has ended.
"""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum
from typing import Final

from stream.core.events import Warned

from .hub import Hub

log = logging.getLogger("segue.drain")

LOOK_S: Final = 0.1  # how often to check whether all sessions have ended


class Phase(Enum):
    """Where a server is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


class Drain:
    """The phases of one server. On the event loop only."""

    def __init__(self, hub: Hub, patience_s: float) -> None:
        self.phase = Phase.STARTING
        self._hub = hub
        self._patience_s = patience_s
        self._waiting: asyncio.Task[None] | None = None

    def mark_serving(self) -> None:
        """The server takes requests from now on."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.SERVING

    def begin(self, stop: Callable[[], None]) -> None:
        """Take no new sessions, warn, wait, call ``stop``. Further calls do nothing."""
        if self._waiting is not None:
            return
        self.phase = Phase.DRAINING
        self._hub.refuse_all("this server is stopping and takes no new sessions; try another one, or again later")
        log.info("draining: %d sessions may go on for %g s", len(self._hub.sessions), self._patience_s)
        for session in self._hub.sessions:
            session.publish(
                Warned(f"the server is stopping: this session ends in {self._patience_s:g} s at the latest")
            )
        self._waiting = asyncio.get_running_loop().create_task(self._wait(stop))

    async def _wait(self, stop: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience_s
        while self._hub.sessions and (left := until - loop.time()) > 0:  # noqa: ASYNC110 - the hub tells nobody
            await asyncio.sleep(min(LOOK_S, left))
        log.info("drained: %d sessions are left to end", len(self._hub.sessions))
        await self._hub.close()
        stop()
