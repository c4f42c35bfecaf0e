"""A wall clock that is set while streams run: an hour, a day, a year forward and back."""

import asyncio
import time
from typing import Final

from aiortc.mediastreams import AudioStreamTrack

from benchmarks.load import sending

from .fault_hooks import Orders
from .outcome import Outcome, rate_and_gap
from .scripted_publisher import ScriptedTrack, Step, published
from .target import Scene

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
SILENT_S: Final = 3.0
WORDS: Final = ("--max-late-ms", "0", "--idle-s", "5")


async def clock_jump(scene: Scene, out: Outcome) -> None:
    """One publisher throughout; nothing that it or its viewers can see changes."""
    orders = scene.folder / "orders"
    Orders().write(orders)
    with scene.server(WORDS, orders=orders) as server:
        async with published(server.url, sending(AudioStreamTrack(), ScriptedTrack(Step()))) as viewer:
            await asyncio.sleep(2)
            for name, wall_s in SET_S.items():
                begun_s = time.monotonic()
                Orders(wall_s=wall_s).write(orders)
                await asyncio.sleep(EACH_S)
                rate, gap_s = rate_and_gap(viewer.suggested_s, begun_s, time.monotonic())
                out.count("suggestions_a_second", rate, round(rate * EACH_S), "1/s", clock=name)
                out.count("longest_gap_s", gap_s, 1, "s", at_most=SILENT_S, clock=name)
            await asyncio.to_thread(server.health)  # raises where the server does not answer any more
            kinds = viewer.kinds
            out.count("resets", kinds["reset"], len(SET_S))
            unharmed = not (kinds["reset"] or kinds["error"] or kinds["warning"])
            out.expect(unharmed, f"a clock that was set was told of: {dict(kinds)}")
        await server.expect_no_sessions(out)
        server.expect_unspoilt_log(len(SET_S), out)
