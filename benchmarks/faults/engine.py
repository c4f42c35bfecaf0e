"""An engine that fails in the middle of streams: what viewers are told, and how soon who comes again is served."""

import asyncio
import itertools
import time
from pathlib import Path
from typing import Final

import httpx

from .fault_hooks import HANG_S, REASON, Orders
from .outcome import Outcome
from .scripted_publisher import MINUTES_S, Step, Viewer, published, scripted
from .target import Scene, Target
from .waiting import together, until

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
AGAIN_S: Final = 1.0  # from the end of a session to its publisher's next offer
ANSWER_S: Final = 2.0  # within which health is told meanwhile


async def engine(scene: Scene, out: Outcome) -> None:
    """Two publishers, which come back when they are let go of; the engine fails five ways."""
    orders = scene.folder / "orders"
    Orders().write(orders)
    with scene.server(WORDS, orders=orders) as server:
        for case, (order, lasting_s) in CASES.items():
            streams: list[list[Viewer]] = [[] for _ in KEYS]
            async with together(*map(insistent, [server.url] * len(KEYS), KEYS, streams)):
                await fail(server, orders, case, order, lasting_s, streams, out)
            await server.expect_no_sessions(out, f"{case}: ")
        server.expect_unspoilt_log(len(CASES), out, REASON)


async def insistent(url: str, key: str, stream: list[Viewer]) -> None:
    """A publisher that offers again, with its key, whenever its session ends; ``stream`` gets each time's viewer."""
    while True:
        async with published(url, scripted(Step()), key) as viewer:
            stream.append(viewer)
            if viewer.status == 201:
                await until(lambda: stream[-1].kinds["end"] > 0, MINUTES_S)
        await asyncio.sleep(AGAIN_S)


async def fail(
    server: Target, orders: Path, case: str, order: Orders, lasting_s: float, streams: list[list[Viewer]], out: Outcome
) -> None:
    """One way to fail, for so long, while these publishers are served."""

    def all_served(after_s: float = 0.0) -> bool:
        return all(any(at_s > after_s for viewer in stream for at_s in viewer.suggested_s) for stream in streams)

    out.expect(await until(all_served), f"{case}: not every publisher was served before")
    begun_s = time.monotonic()
    order.write(orders)
    slowest_s = await slowest_health_s(server, begun_s + lasting_s)
    Orders().write(orders)
    well_s = time.monotonic()
    out.expect(await until(lambda: all_served(well_s)), f"{case}: not every publisher was served again")
    viewers = list(itertools.chain(*streams))
    ended = sum(viewer.kinds["end"] > 0 for viewer in viewers)
    warned = sum(bool(viewer.reasons("error")) for viewer in viewers)
    out.count("sessions_that_went_on", sum(len(stream) == 1 for stream in streams), len(streams), case=case)
    out.count("sessions_that_ended", ended, len(viewers), case=case)
    out.spread("without_suggestions_s", [longest_gap_s(stream, begun_s) for stream in streams], case=case)
    out.count("health_slowest_ms", 1000 * slowest_s, 1, "ms", at_most=1000 * ANSWER_S, case=case)
    out.expect(warned == ended, f"{case}: {ended} sessions ended, the viewers of {warned} were told why")
    not_json = sum(viewer.not_json for viewer in viewers)
    out.expect(not not_json, f"{case}: {not_json} messages hold numbers that JSON does not have")


def longest_gap_s(stream: list[Viewer], begun_s: float) -> float:
    """Between two suggestions of which the second came after this moment, in whichever session."""
    times = sorted(at_s for viewer in stream for at_s in viewer.suggested_s)
    return max((after - before for before, after in itertools.pairwise(times) if after > begun_s), default=0.0)


async def slowest_health_s(server: Target, until_s: float) -> float:
    """The longest that ``/healthz`` took meanwhile, in seconds."""
    slowest_s = 0.0
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        while (begin_s := time.monotonic()) < until_s:
            (await client.get("/healthz")).raise_for_status()
            slowest_s = max(slowest_s, time.monotonic() - begin_s)
            await asyncio.sleep(0.1)
    return slowest_s
