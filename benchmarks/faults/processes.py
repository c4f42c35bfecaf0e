"""A worker that is killed: what becomes of its sessions, of the others', and how soon it is back."""

import asyncio
import contextlib
import os
import signal
import time
from typing import Final
from urllib.parse import urlsplit

import httpx

from .outcome import Outcome, rate_and_gap
from .scene import Scene
from .shots import Heard, ShotTrack, published, steady
from .target import Target, unspoilt_log, until

WORDS: Final = ("--workers", "2", "--max-late-ms", "0", "--drain-s", "1")
FPS: Final = 15
BEFORE_S: Final = 6.0
AFTER_S: Final = 10.0
LONG_S: Final = 80.0
EXPECTED: Final = "ended with -9"  # what the parent says of the worker


async def processes(scene: Scene, out: Outcome) -> None:
    """``kill -9`` of one of two workers; each holds a session."""
    async with contextlib.AsyncExitStack() as stack:
        server = stack.enter_context(scene.server(WORDS))
        held = [await stack.enter_async_context(_stream(server, "one"))]
        for number in range(8):  # until the other worker has one: the board is looked at four times a second
            await asyncio.sleep(0.7)
            held.append(await stack.enter_async_context(_stream(server, f"other {number}")))
            if _port(held[-1]) != _port(held[0]):
                break
        lost, kept = held[0], held[-1]
        out.expect(_port(lost) != _port(kept), "both sessions went to one worker")
        await asyncio.sleep(BEFORE_S + 1.5)
        await _kill(server, lost, kept, out)
        again = await stack.enter_async_context(_stream(server, "one"))
        await asyncio.sleep(4)
        n = again.kinds["suggestions"]
        out.count("suggestions_of_who_came_again", n, n)
        out.expect(n > 0, f"who came again after its worker was killed got nothing ({again.status} {again.reason})")
        log = server.log.read_text(errors="replace")
        out.expect(EXPECTED in log, "the log does not say that a worker was killed")
        unspoilt_log(server, 1, out, EXPECTED)


def _stream(server: Target, key: str) -> "contextlib.AbstractAsyncContextManager[Heard]":
    return published(server.url, [ShotTrack(steady(FPS, LONG_S))], key=key)


def _port(heard: Heard) -> int:
    return urlsplit(heard.events).port or 0


async def _kill(server: Target, lost: Heard, kept: Heard, out: Outcome) -> None:
    pid, killed_s = await _pid_at(_port(lost)), time.monotonic()
    before, _ = rate_and_gap(kept.suggested_s, killed_s - BEFORE_S, killed_s)
    os.kill(pid, signal.SIGKILL)

    async def back() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return await _pid_at(_port(lost)) != pid
        return False

    returned = await until(back, 30.0)
    returned_s = time.monotonic()
    await asyncio.sleep(max(0.0, killed_s + AFTER_S - returned_s))
    after, gap_s = rate_and_gap(kept.suggested_s, killed_s, killed_s + AFTER_S)
    out.count("worker_back_after_s", returned_s - killed_s, 1, "s")
    out.count(
        "suggestions_a_second", before, round(before * BEFORE_S), "1/s", when="before", session="of the other worker"
    )
    out.count(
        "suggestions_a_second",
        after,
        round(after * AFTER_S),
        "1/s",
        when="after the kill",
        session="of the other worker",
    )
    out.count("longest_gap_s", gap_s, 1, "s", session="of the other worker")
    out.expect(returned, "the worker did not come back within 30 s")
    out.expect(gap_s < 3, f"the other worker's session was silent for {gap_s:.1f} s")


async def _pid_at(port: int) -> int:
    """The process that serves at a worker's own port. Raises httpx.HTTPError, also while it starts."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=2) as client:
        (await client.get("/readyz")).raise_for_status()
        return int((await client.get("/healthz")).raise_for_status().json()["pid"])
