"""An engine that fails in the middle of streams: what viewers are told, and how soon who comes again is served."""

import asyncio
import contextlib
import itertools
import time
from pathlib import Path
from typing import Final

import httpx

from .odd import HANG_S, REASON, Orders
from .outcome import Outcome
from .scene import Scene
from .shots import Heard, ShotTrack, published, steady
from .target import Target, unspoilt_log, until, without_sessions

# what the engine does, and for how long: the orders hold for so many seconds
CASES: Final = {
    "one run raises": (Orders("raises", runs=1), 3.0),
    "every run raises for 5 s": (Orders("raises"), 5.0),
    "one run gives NaN": (Orders("nan", runs=1), 3.0),
    "every run gives NaN for 5 s": (Orders("nan"), 5.0),
    f"one run takes {HANG_S:g} s": (Orders("hangs", runs=1), HANG_S + 1),
}
KEYS: Final = ("one", "two")
WORDS: Final = ("--max-late-ms", "0", "--grace", "10")
FPS: Final = 15
STREAM_S: Final = 60.0
AGAIN_S: Final = 1.0  # from the end of a session to its publisher's next offer
ANSWER_S: Final = 2.0  # within which health is told meanwhile


async def engine(scene: Scene, out: Outcome) -> None:
    """Two publishers, which come back when they are let go of; the engine fails five ways."""
    orders = scene.folder / "orders"
    Orders().write(orders)
    with scene.server(WORDS, orders=orders) as server:
        for name, (order, lasting_s) in CASES.items():
            over = asyncio.Event()
            streams: dict[str, list[Heard]] = {key: [] for key in KEYS}
            publishing = [asyncio.create_task(insistent(server.url, key, streams[key], over)) for key in KEYS]
            try:
                await _one(server, orders, name, order, lasting_s, streams, out)
            finally:
                Orders().write(orders)
                over.set()
                await asyncio.gather(*publishing)
            out.expect(await without_sessions(server), f"{name}: {len(server.sessions())} sessions are left")
        unspoilt_log(server, len(CASES), out, REASON)


async def insistent(url: str, key: str, heards: list[Heard], over: asyncio.Event) -> None:
    """A publisher that offers again, with its key, whenever its session ends; each time is added to ``heards``."""
    while not over.is_set():
        async with published(url, [ShotTrack(steady(FPS, STREAM_S))], key=key) as heard:
            heards.append(heard)
            if heard.status == 201:
                await until(lambda heard=heard: _done(heard, over), STREAM_S)  # type: ignore[misc]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_S):
                await over.wait()


async def _done(heard: Heard, over: asyncio.Event) -> bool:
    """Whether there is nothing to wait for any more."""
    return over.is_set() or heard.kinds["end"] > 0


def suggested_s(heards: list[Heard]) -> list[float]:
    return sorted(at_s for heard in heards for at_s in heard.suggested_s)


async def _one(
    server: Target,
    orders: Path,
    name: str,
    order: Orders,
    lasting_s: float,
    streams: dict[str, list[Heard]],
    out: Outcome,
) -> None:
    async def all_served(after_s: float = 0.0) -> bool:
        return all(any(at_s > after_s for at_s in suggested_s(heards)) for heards in streams.values())

    out.expect(await until(all_served), f"{name}: not every publisher was served before")
    begun_s = time.monotonic()
    order.write(orders)
    slowest_s = await _health(server, begun_s + lasting_s)
    Orders().write(orders)
    well_s = time.monotonic()
    out.expect(await until(lambda: all_served(well_s)), f"{name}: not every publisher was served again")
    heards = [heard for each in streams.values() for heard in each]
    told = sum(bool(heard.reasons("error")) for heard in heards)
    ended = sum(heard.kinds["end"] > 0 for heard in heards)
    resumed = []
    for each in streams.values():
        times = suggested_s(each)
        gaps = [after - before for before, after in itertools.pairwise(times) if after > begun_s]
        resumed.append(max(gaps, default=0.0))
    labels = {"case": name}
    out.count("sessions_that_went_on", sum(len(each) == 1 for each in streams.values()), len(streams), "", **labels)
    out.count("sessions_that_ended", ended, len(heards), "", **labels)
    out.spread("without_suggestions_s", resumed, **labels)
    out.count("health_slowest_ms", 1000 * slowest_s, 1, "ms", **labels)
    out.expect(told == ended, f"{name}: {ended} sessions ended, the viewers of {told} were told why")
    strange = sum(heard.not_json for heard in heards)
    out.expect(not strange, f"{name}: {strange} messages hold numbers that JSON does not have")
    out.expect(slowest_s < ANSWER_S, f"{name}: /healthz took {slowest_s:.1f} s")


async def _health(server: Target, until_s: float) -> float:
    """The longest that ``/healthz`` took meanwhile, in seconds."""
    slowest_s = 0.0
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        while (asked_s := time.monotonic()) < until_s:
            (await client.get("/healthz")).raise_for_status()
            slowest_s = max(slowest_s, time.monotonic() - asked_s)
            await asyncio.sleep(0.1)
    return slowest_s
