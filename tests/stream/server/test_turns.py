"""Long work in threads of its own: so many at a time, so many that wait, and a 503 for the rest."""

import asyncio
import threading

import pytest
from fastapi import HTTPException

from stream.server.turns import RETRY_S, Turns


def test_so_many_at_a_time_and_so_many_that_wait() -> None:
    async def scene() -> None:
        turns, go, most = Turns(2, 3), threading.Event(), 0
        running: set[int] = set()

        def work() -> int:
            nonlocal most
            running.add(threading.get_ident())
            most = max(most, len(running))
            assert go.wait(20)
            running.discard(threading.get_ident())
            return 1

        tasks = [asyncio.create_task(turns.run(work)) for _ in range(5)]
        await asyncio.sleep(0)  # each has its thread or its place in the queue
        while len(running) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        with pytest.raises(HTTPException) as refused:
            await turns.run(work)
        assert refused.value.status_code == 503 and refused.value.headers == {"Retry-After": str(RETRY_S)}
        go.set()
        assert await asyncio.gather(*tasks) == [1] * 5 and most == 2
        assert await turns.run(lambda: 2) == 2

    asyncio.run(scene())


def test_an_error_is_the_callers() -> None:
    async def scene() -> None:
        turns = Turns(1, 0)

        def fail() -> None:
            raise HTTPException(404, "none")

        for _ in range(3):
            with pytest.raises(HTTPException, match="404"):
                await turns.run(fail)

    asyncio.run(scene())
