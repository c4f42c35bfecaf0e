"""``segue watch obs://...``: what OBS has on air, through a session of its own, for as long as it runs."""

import asyncio
from collections.abc import Mapping
from typing import Any

from stream.core.commands import MAX_LENGTH
from stream.core.events import Warned
from stream.core.session import SessionOptions
from stream.driver.live import LiveDriver
from stream.driver.runtime import Runtime
from stream.obs.address import ObsAddress
from stream.obs.client import ObsClient
from stream.obs.link import ObsLink
from stream.obs.program import Program
from stream.recording.recorder import Recorder
from stream.sinks.base import Sink
from stream.sources.obs.pictures import Pictures

from .watch_live import watch_live


async def watch_obs(
    address: ObsAddress, runtime: Runtime, options: SessionOptions, sink: Sink, recorder: Recorder | None = None
) -> None:
    """Send ``sink`` the notices of a session of OBS's program until cancelled; while OBS is away the session waits.

    Raises ObsError where OBS is there and cannot be used, RuntimeError for a failure inside the session.
    """

    async def feed(live: LiveDriver, sinks: Sink) -> None:
        feed = _Feed(address, live, sinks)
        try:
            await feed.link.run()
        finally:
            await asyncio.gather(*feed.asking, return_exceptions=True)

    await watch_live(feed, runtime, options, sink, recorder)


class _Feed:
    """A part of its own ``link``: pictures and names into the session."""

    def __init__(self, address: ObsAddress, live: LiveDriver, sink: Sink) -> None:
        self._live, self._sink = live, sink
        self._program = Program(self._place, self._changed)
        self._pictures = Pictures(self._program, live.offer, self._warn)
        self.asking: set[asyncio.Task[None]] = set()
        self._studio, self._absent = False, ""
        self.link = ObsLink(address, [self._program, self], on_absent=self._away)

    async def connected(self, client: ObsClient) -> None:
        if self._absent:
            self._warn("OBS is there")
        self._absent = ""
        task = asyncio.create_task(self._pictures.run(client))
        self.asking.add(task)
        task.add_done_callback(self.asking.discard)

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Nothing: the program hears them."""

    def lost(self, reason: str) -> None:
        for task in self.asking:
            task.cancel()
        self._live.blank()
        self._away(reason)

    def _away(self, reason: str) -> None:
        """Say once for each cause why OBS is not there."""
        if reason != self._absent:
            self._warn(f"{reason}; trying again")
        self._absent = reason

    def _place(self, scene: str, cut: bool) -> None:
        self._live.command({"type": "place", "name": scene[:MAX_LENGTH], "cut": cut})

    def _changed(self) -> None:
        if self._program.studio and not self._studio:
            self._warn(self._program.note)
        self._studio = self._program.studio

    def _warn(self, text: str) -> None:
        self._sink.put(Warned(text))
