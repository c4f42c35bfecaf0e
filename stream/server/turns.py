"""Threads of their own for work that takes long, so that it never holds those that everything else needs."""

from collections.abc import Callable
from typing import Final, TypeVar

import anyio
import anyio.to_thread
from fastapi import HTTPException

RETRY_S: Final = 2

ResultT = TypeVar("ResultT")


class Turns:
    """``threads`` at a time; *bound*: ``waiting`` more wait for theirs. On the event loop only."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._most, self._open = threads + waiting, 0

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """Do ``work`` in a thread; once begun, it is waited for. Raises 503 where too many wait."""
        if self._open >= self._most:
            detail = f"{self._open} requests like this are being answered, and this server takes no more; try again"
            raise HTTPException(503, detail, {"Retry-After": str(RETRY_S)})
        self._open += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._open -= 1
