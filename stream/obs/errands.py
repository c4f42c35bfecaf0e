"""Work that is begun and not waited for: what fails in it is logged, and does no more harm."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from stream.errors import StreamError

from .errors import ObsError

log = logging.getLogger(__name__)


class Errands:
    """``running``: what is not done yet."""

    def __init__(self) -> None:
        self.running = set[asyncio.Task[None]]()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[None]:
        task = asyncio.create_task(_guarded(work))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        task.add_done_callback(lambda _: work.close())  # of one that was cancelled before it began
        return task

    def cancel(self) -> None:
        for task in list(self.running):
            task.cancel()


async def _guarded(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except ObsError as error:
        log.info("%s", error)
    except StreamError as error:
        log.warning("%s", error)
    except Exception:
        log.exception("a part of OBS's music failed")
