"""A worker that is killed: what becomes of its sessions, of the others', and how soon it is back."""

import asyncio
import contextlib
import os
import signal
import time
from collections import defaultdict
from typing import Final
from urllib.parse import urlsplit

import httpx

from benchmarks.errors import BenchError

from .outcome import Outcome, rate_and_gap
from .scripted_publisher import Step, Viewer, published, scripted
from .target import Scene, Target
from .waiting import until

WORDS: Final = ("--workers", "2", "--max-late-ms", "0", "--drain-s", "1")
BEFORE_S: Final = 6.0
AFTER_S: Final = 10.0
KILLS: Final = 3
AGAIN_S: Final = 1.0  # to the next offer of a publisher that was refused
AGAIN_WITHIN_S: Final = 20.0
SILENT_S: Final = 3.0
EXPECTED: Final = "ended with -9"  # what the parent says of the worker


async def processes(scene: Scene, out: Outcome) -> None:
    """``kill -9`` of one of two workers, several times; each holds a session, and the lost publisher comes back."""
    times_s: dict[str, list[float]] = defaultdict(list)
    with scene.server(WORDS) as server:
        async with published(server.url, scripted(Step()), "kept") as kept:
            await asyncio.sleep(BEFORE_S + 1.5)
            now_s = time.monotonic()
            rate, _ = rate_and_gap(kept.suggested_s, now_s - BEFORE_S, now_s)
            out.count("suggestions_a_second", rate, round(rate * BEFORE_S), "1/s", when="before")
            for turn in range(KILLS):
                await kill(server, kept, f"lost {turn}", times_s, out)
        log = server.log.read_text(errors="replace")
        out.expect(log.count(EXPECTED) == KILLS, f"the log tells of {log.count(EXPECTED)} kills, not {KILLS}")
        server.expect_unspoilt_log(KILLS, out, EXPECTED)
    out.count("offers_to_be_made_again", len(times_s["refused"]), KILLS)
    out.spread("worker_back_after_s", times_s["back"])
    out.spread("suggestions_again_after_s", times_s["again"], publisher="of the worker that was killed")
    out.spread("longest_gap_s", times_s["gap"], SILENT_S, publisher="of the other worker")


async def kill(server: Target, kept: Viewer, key: str, times_s: dict[str, list[float]], out: Outcome) -> None:
    """The end of the worker that does not hold ``kept``. Seconds from there go into ``times_s``: to the worker's
    return (``back``), the next suggestion of who was lost (``again``), each refusal of its offers (``refused``), and
    the longest silence of ``kept`` (``gap``)."""
    async with contextlib.AsyncExitStack() as stack:

        async def publish(name: str) -> Viewer:
            return await stack.enter_async_context(published(server.url, scripted(Step()), name))

        for number in range(8):
            await asyncio.sleep(0.7)  # what workers know of each other is up to a quarter of a second old
            lost = await publish(f"{key}-{number}")
            if port(lost) != port(kept):
                break
        else:
            raise BenchError("all sessions went to one worker")
        await asyncio.sleep(3)
        pid = await asyncio.to_thread(pid_at, port(lost))
        killed_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        again = await publish(f"{key}-{number}")
        while again.status != 201 and time.monotonic() < killed_s + AGAIN_WITHIN_S:
            times_s["refused"].append(time.monotonic() - killed_s)  # it was sent to the worker that is started again
            await asyncio.sleep(AGAIN_S)
            again = await publish(f"{key}-{number}")

        async def back() -> bool:
            came = await until(lambda: is_another(port(lost), pid), 30.0)
            times_s["back"] += [time.monotonic() - killed_s] * came
            return came

        returned = asyncio.create_task(back())
        served = await until(lambda: bool(again.suggested_s), 30.0)
        out.expect(served, f"who came again got nothing ({again.status} {again.reason})")
        times_s["again"] += [at_s - killed_s for at_s in again.suggested_s[:1]]
        out.expect(await returned, "the worker did not come back within 30 s")
        await asyncio.sleep(max(0.0, killed_s + AFTER_S - time.monotonic()))
        times_s["gap"].append(rate_and_gap(kept.suggested_s, killed_s, killed_s + AFTER_S)[1])


def port(viewer: Viewer) -> int:
    return urlsplit(viewer.url).port or 0


def pid_at(port: int) -> int:
    """The process that serves at a worker's own port. Raises httpx.HTTPError, also while it starts."""
    httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).raise_for_status()
    return int(httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2).raise_for_status().json()["pid"])


def is_another(port: int, pid: int) -> bool:
    """Whether a process serves there that is not this one."""
    with contextlib.suppress(httpx.HTTPError):
        return pid_at(port) != pid
    return False
