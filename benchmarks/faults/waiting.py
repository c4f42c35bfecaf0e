"""Waiting: for what is to become true, and beside what is to go on meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

SETTLE_S: Final = 20.0


async def until(true: Callable[[], bool], seconds: float = SETTLE_S) -> bool:
    """Whether it became true in time; a thread looks, so that nothing here waits for it."""
    deadline_s = time.monotonic() + seconds
    while not await asyncio.to_thread(true):
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(0.2)
    return True


@contextlib.asynccontextmanager
async def together(*others: Awaitable[Any]) -> AsyncIterator[None]:
    """Run these beside the block; what is still running at its end is stopped."""
    tasks = [asyncio.ensure_future(other) for other in others]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
