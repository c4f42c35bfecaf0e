"""A wall clock that is set while streams run: an hour, a day, a year forward and back."""

import asyncio
import time
from typing import Final

import httpx

from .odd import Orders
from .outcome import Outcome, rate_and_gap
from .scene import Scene
from .shots import ShotTrack, published, silence, steady
from .target import unspoilt_log, without_sessions

DAY_S: Final = 86_400.0
# by how much the clock is off, one after another
SET_S: Final = {
    "right": 0.0,
    "an hour forward": 3600.0,
    "an hour back": 0.0,
    "a day back": -DAY_S,
    "a year forward": 365 * DAY_S,
    "to 1970": -20_000 * DAY_S,
    "right again": 0.0,
}
EACH_S: Final = 5.0
FPS: Final = 15
SILENT_S: Final = 3.0
WORDS: Final = ("--max-late-ms", "0", "--idle-s", "5")


async def wall(scene: Scene, out: Outcome) -> None:
    """One publisher throughout; nothing that it or its viewers can see changes."""
    orders = scene.folder / "orders"
    Orders().write(orders)
    with scene.server(WORDS, orders=orders) as server:
        tracks = [silence(), ShotTrack(steady(FPS, EACH_S * (len(SET_S) + 2)))]
        async with published(server.url, tracks) as heard, httpx.AsyncClient(base_url=server.url, timeout=5) as client:
            await asyncio.sleep(2)
            for name, wall_s in SET_S.items():
                begun_s = time.monotonic()
                Orders(wall_s=wall_s).write(orders)
                await asyncio.sleep(EACH_S)
                now_s = time.monotonic()
                rate, gap_s = rate_and_gap(heard.suggested_s, begun_s, now_s)
                out.count("suggestions_a_second", rate, round(rate * EACH_S), "1/s", clock=name)
                out.count("longest_gap_s", gap_s, 1, "s", clock=name)
                out.expect(gap_s < SILENT_S, f"the clock was set {name}: no suggestions for {gap_s:.1f} s")
            try:
                (await client.get("/healthz")).raise_for_status()
            except httpx.HTTPError as error:
                return out.expect(False, f"the server does not answer any more: {type(error).__name__}")
            out.count("resets", heard.kinds["reset"], len(SET_S))
            lost = heard.kinds["reset"] + heard.kinds["error"] + heard.kinds["warning"]
            out.expect(not lost, f"a clock that was set was told of: {dict(heard.kinds)}")
        out.expect(await without_sessions(server), f"{len(server.sessions())} sessions are left")
        unspoilt_log(server, len(SET_S), out)
    return None
