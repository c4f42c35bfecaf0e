"""A worker that is killed: what becomes of its sessions, of the others', and how soon it is back."""

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
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
LONG_S: Final = 120.0
KILLS: Final = 3
AGAIN_S: Final = 1.0  # to the next offer of a publisher that was refused
AGAIN_WITHIN_S: Final = 20.0
EXPECTED: Final = "ended with -9"  # what the parent says of the worker


async def processes(scene: Scene, out: Outcome) -> None:
    """``kill -9`` of one of two workers, several times; each holds a session, and the lost publisher comes back."""
    found = Found()
    with scene.server(WORDS) as server:
        async with _stream(server, "kept") as kept:
            await asyncio.sleep(BEFORE_S + 1.5)
            now_s = time.monotonic()
            rate, _ = rate_and_gap(kept.suggested_s, now_s - BEFORE_S, now_s)
            out.count("suggestions_a_second", rate, round(rate * BEFORE_S), "1/s", when="before")
            for turn in range(KILLS):
                await _turn(server, kept, f"lost {turn}", found, out)
        log = server.log.read_text(errors="replace")
        out.expect(log.count(EXPECTED) == KILLS, f"the log tells of {log.count(EXPECTED)} kills, not {KILLS}")
        unspoilt_log(server, KILLS, out, EXPECTED)
    out.count("offers_to_be_made_again", found.refused, KILLS)
    out.spread("worker_back_after_s", found.back_s)
    out.spread("suggestions_again_after_s", found.again_s, publisher="of the worker that was killed")
    out.spread("longest_gap_s", found.gap_s, publisher="of the other worker")
    out.expect(max(found.gap_s, default=0.0) < 3, f"the other worker's session was silent for {max(found.gap_s):.1f} s")


@dataclass
class Found:
    """Seconds: from each kill to the worker's return, to the next suggestion of who was lost; the other one's gap."""

    back_s: list[float] = field(default_factory=list)
    again_s: list[float] = field(default_factory=list)
    gap_s: list[float] = field(default_factory=list)
    refused: int = 0  # offers of who was lost, answered 503


async def _turn(server: Target, kept: Heard, key: str, found: Found, out: Outcome) -> None:
    """A session at the other worker than the one that holds ``kept``, and that worker's end."""
    async with contextlib.AsyncExitStack() as stack:
        lost = kept
        for number in range(8):  # what workers know of each other is up to a quarter of a second old
            await asyncio.sleep(0.7)
            lost = await stack.enter_async_context(_stream(server, f"{key}-{number}"))
            if _port(lost) != _port(kept):
                key = f"{key}-{number}"
                break
        else:
            return out.expect(False, "all sessions went to one worker")
        await asyncio.sleep(3)
        pid, killed_s = await _pid_at(_port(lost)), time.monotonic()
        os.kill(pid, signal.SIGKILL)
        again = await stack.enter_async_context(_stream(server, key))
        while again.status != 201 and time.monotonic() < killed_s + AGAIN_WITHIN_S:
            found.refused += 1  # it was sent to the worker that held its key, which is being started again
            await asyncio.sleep(AGAIN_S)
            again = await stack.enter_async_context(_stream(server, key))

        async def served() -> bool:
            return bool(again.suggested_s)

        async def back() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                if await _pid_at(_port(lost)) != pid:
                    found.back_s.append(time.monotonic() - killed_s)
                    return True
            return False

        returned = asyncio.create_task(until(back, 30.0))
        out.expect(await until(served, 30.0), f"who came again got nothing ({again.status} {again.reason})")
        found.again_s += [at_s - killed_s for at_s in again.suggested_s[:1]]
        out.expect(await returned, "the worker did not come back within 30 s")
        await asyncio.sleep(max(0.0, killed_s + AFTER_S - time.monotonic()))
        found.gap_s.append(rate_and_gap(kept.suggested_s, killed_s, killed_s + AFTER_S)[1])
    return None


def _stream(server: Target, key: str) -> "contextlib.AbstractAsyncContextManager[Heard]":
    return published(server.url, [ShotTrack(steady(FPS, LONG_S))], key=key)


def _port(heard: Heard) -> int:
    return urlsplit(heard.events).port or 0


async def _pid_at(port: int) -> int:
    """The process that serves at a worker's own port. Raises httpx.HTTPError, also while it starts."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=2) as client:
        (await client.get("/readyz")).raise_for_status()
        return int((await client.get("/healthz")).raise_for_status().json()["pid"])
