"""The pictures of what OBS has on air, eight a second, beside its stream and its recording.

One request at a time: a screenshot waits for OBS's renderer, and more of them bring no more pictures. Pictures are due
at whole eighths of a second of the monotonic clock, and have these as their times: so each fills the motion slot that
it was asked for, and the time goes on where it was when OBS comes back. Where OBS is slower than that, slots are left
out and counted. A picture whose scene went off air while it was on its way is dropped: between two scenes is a clean
cut.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from features.spec import MOTION_FPS
from stream.core.quality_level import FULL, QualityLevel
from stream.errors import SourceError
from stream.obs.client import ObsClient
from stream.obs.errors import ObsGoneError, ObsRequestError, ObsSlowError
from stream.obs.program import Program
from stream.sources.arrival import Arrival

from .screenshot import read_screenshot, request_for

log = logging.getLogger(__name__)

SLOT_US: Final = 1_000_000 // MOTION_FPS
NOT_FOUND: Final = 600
AGAIN_S: Final = 0.5  # after a failure
SLOW_S: Final = 5.0  # for one picture

OnFrame = Callable[[Arrival], None]


class Pictures:
    """Asks for the pictures of ``program``'s scene; ``on_frame`` gets each on the event loop. ``on_trouble`` gets, once
    for each cause, why none come."""

    def __init__(
        self,
        program: Program,
        on_frame: OnFrame,
        on_trouble: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._program, self._on_frame, self._on_trouble = program, on_frame, on_trouble
        self._clock = clock
        self._level = FULL
        self._newest = -1  # slot of the newest picture
        self._previous: int | None = None  # the same, None where pictures begin anew
        self._trouble = ""
        self.taken = self.dropped = 0

    def follow(self, level: QualityLevel) -> None:
        """Ask for no more pictures than this level looks at."""
        self._level = level

    async def run(self, client: ObsClient) -> None:
        """Ask until cancelled; returns when the connection is lost."""
        self._previous = None
        while True:
            due = self._next_slot()
            await asyncio.sleep(max(0.0, due / MOTION_FPS - self._clock()))
            try:
                if not self._program.hushed:
                    await self._take(client)
                    continue
            except (ObsRequestError, ObsSlowError, SourceError) as error:
                self._tell(str(error))
            except ObsGoneError:  # the link tells
                return
            self._previous = None
            await asyncio.sleep(AGAIN_S)

    def _next_slot(self) -> int:
        """The next slot that begins, of those that are looked at."""
        stride = self._level.stride
        now = int(self._clock() * MOTION_FPS)
        return (max(now, self._newest) // stride + 1) * stride

    async def _take(self, client: ObsClient) -> None:
        """One picture, or the name of the scene where that is not known. Raises ObsError, SourceError."""
        scene = self._program.scene
        try:
            answer = await client.request("GetSourceScreenshot", request_for(scene), SLOW_S) if scene else None
        except ObsRequestError as error:
            if error.code != NOT_FOUND:
                raise
            answer = None  # it has gone, or has another name now
        if answer is None:
            await self._program.ask()
            if self._program.scene == scene:
                raise SourceError(f"OBS has no scene {scene!r} any more" if scene else "OBS has no scene on air")
        elif scene != self._program.scene:
            self.dropped += 1
        else:
            arrived_s = self._clock()
            slot = int(arrived_s * MOTION_FPS)
            frame = read_screenshot(answer.get("imageData"), slot * SLOT_US)
            missed = 0 if self._previous is None else max(0, (slot - self._previous) // self._level.stride - 1)
            self.taken, self._newest, self._previous, self._trouble = self.taken + 1, slot, slot, ""
            self._on_frame(Arrival(frame, arrived_s=arrived_s, replaced=missed))

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("no picture from OBS: %s", trouble)
            self._on_trouble(f"no picture from OBS: {trouble}")
        self._trouble = trouble
