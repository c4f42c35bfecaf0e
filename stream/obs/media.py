"""The two media sources as OBS has them: the cut that each has loaded, how loud it is, and what OBS is asked for.

OBS gets a file and nothing else, since a seek right after a new file is lost. A level that changes while something is
heard takes small steps (`fader`).
"""

import asyncio
import contextlib
import statistics
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from .client import ObsClient
from .cut import Cut, CutError
from .cuts import Cuts
from .errors import ObsError, ObsGoneError, ObsRequestError
from .fader import MUTE_DB, SILENT_DB, TICK_S, Fader
from .rig import NOT_FOUND, SOURCES, Rig
from .sounding import OvertakenError

HEARD_S: Final = 0.08  # from asking OBS for a file to its begin, until it is known
STARTED_S: Final = 3.0  # for OBS to begin a file
FADED_S: Final = 6.0  # for a level to reach silence
STOP: Final = "OBS_WEBSOCKET_MEDIA_INPUT_ACTION_STOP"
PLAYING, PAUSED, OPENING = (f"OBS_MEDIA_STATE_{state}" for state in ("PLAYING", "PAUSED", "OPENING"))


class Media:
    """``client`` is set while OBS is connected. ``clock`` counts seconds and never goes back."""

    def __init__(self, cuts: Cuts, rig: Rig, clock: Callable[[], float]) -> None:
        self.client: ObsClient | None = None
        self.fader = Fader(SOURCES)
        self.loaded: dict[str, Cut | None] = dict.fromkeys(SOURCES)
        self._cuts, self._rig, self._clock = cuts, rig, clock
        self._started: dict[str, asyncio.Future[float]] = {}
        self._took: deque[float] = deque(maxlen=5)  # seconds from asking OBS for a file to its begin
        self._riding: asyncio.Task[None] | None = None

    @property
    def beginning(self) -> bool:
        """Whether OBS is asked to begin a file just now."""
        return bool(self._started)

    @property
    def took_s(self) -> float:
        """How long OBS takes to begin a file."""
        return statistics.median(self._took) if self._took else HEARD_S

    def asked(self) -> ObsClient:
        """The connection. Raises ObsGoneError where there is none."""
        if self.client is None:
            raise ObsGoneError("OBS is not connected; music plays there once it is")
        return self.client

    async def status(self, source: str) -> dict[str, Any]:
        return await self.asked().request("GetMediaInputStatus", {"inputName": source})

    async def prepare(self, source: str, off_vod: bool) -> None:
        """Make a source ready that is not heard: level and audio tracks. Raises ObsError."""
        client = self.asked()
        if self.loaded[source] is not None:
            await self.silence(source)
            self.forget(source)
        try:
            await self._rig.keep_off_vod(client, source, off_vod)
        except ObsRequestError as error:
            await self._make_again(client, source, error)
            await self._rig.keep_off_vod(client, source, off_vod)
        self.fader.now[source] = MUTE_DB
        await self.send({source: MUTE_DB})

    async def begin(self, source: str, cut: Cut) -> float:
        """Hand OBS the file; returns when it began, by the clock. Raises CutError, OvertakenError, ObsError."""
        client = self.asked()
        waiting: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        overtaken = self._started.get(source)
        if overtaken is not None and not overtaken.done():  # its file is played no more
            overtaken.set_exception(OvertakenError("another track was asked for"))
        self._started[source] = waiting
        self.loaded[source] = cut
        given = {"inputName": source, "inputSettings": {"local_file": str(cut.file)}}
        try:
            asked_s = self._clock()
            try:
                await client.request("SetInputSettings", given)
            except ObsRequestError as error:
                await self._make_again(client, source, error)
                await client.request("SetInputSettings", given)
            at_s = await asyncio.wait_for(waiting, STARTED_S)
            self._took.append(min(0.5, at_s - asked_s))
            status = await self.status(source)
            if status.get("mediaState") not in (PLAYING, OPENING) and not status.get("mediaDuration"):
                raise TimeoutError
        except TimeoutError:
            self._unload(source, cut)
            raise CutError(
                f"OBS does not play {cut.file}; it must be able to read that file: --obs-cuts names a folder"
            ) from None
        except ObsError:
            self._unload(source, cut)
            raise
        finally:
            if self._started.get(source) is waiting:
                del self._started[source]
        await asyncio.to_thread(self._cuts.opened, cut)
        return at_s

    def started(self, source: str) -> bool:
        """OBS says that a source has begun its file; returns whether it was asked to."""
        waiting = self._started.pop(source, None)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(self._clock())
        return True

    def lost(self) -> None:
        """OBS is gone."""
        self.client = None
        for waiting in self._started.values():
            if not waiting.done():
                waiting.set_exception(ObsGoneError("the connection to OBS is lost"))
        self._started.clear()

    def forget(self, source: str) -> None:
        """The source no longer plays its cut."""
        cut, self.loaded[source] = self.loaded[source], None
        if cut is not None:
            cut.close()

    async def silence(self, source: str) -> None:
        with contextlib.suppress(ObsRequestError):
            await self.asked().request("TriggerMediaInputAction", {"inputName": source, "mediaAction": STOP})

    async def end(self, source: str, cut: Cut, after_s: float) -> None:
        """Stop a source later, unless it has something new."""
        await asyncio.sleep(after_s)
        if self.loaded[source] is cut and self.client is not None:
            self.loaded[source] = None
            with contextlib.suppress(ObsError):
                await self.silence(source)
        cut.close()

    async def fade_out(self, source: str, cut: Cut) -> None:
        """Lower a source to silence and stop it, unless it has something new."""
        self.fader.own[source] = SILENT_DB
        self._ride()
        until_s = self._clock() + FADED_S
        while (  # noqa: ASYNC110 - the fader tells nobody
            self.fader.now[source] > MUTE_DB and self.loaded[source] is cut and self._clock() < until_s
        ):
            await asyncio.sleep(TICK_S)
        await self.end(source, cut, 0.0)

    def level(self, part: str, db: float) -> None:
        """Set one of the levels that count for both sources; it is reached in small steps."""
        if self.fader.shared.get(part, 0.0) != db:
            self.fader.shared[part] = db
            self._ride()

    async def sound(self, *sources: str) -> None:
        """Give sources that are not heard yet their level."""
        await self.send({source: self.fader.jump(source) for source in sources})

    async def send(self, levels: Mapping[str, float]) -> None:
        if levels and self.client is not None:
            await self.client.batch(
                [("SetInputVolume", {"inputName": name, "inputVolumeDb": db}) for name, db in levels.items()]
            )

    async def let_go(self) -> None:
        """Change no level any more, and leave no file of ours named in OBS."""
        if self._riding is not None:
            self._riding.cancel()
        for source in SOURCES:
            if self.client is not None:
                with contextlib.suppress(ObsError):
                    await self.client.request(
                        "SetInputSettings", {"inputName": source, "inputSettings": {"local_file": ""}}
                    )

    def close(self) -> None:
        """Remove the cuts."""
        for source in SOURCES:
            self.forget(source)
        self._cuts.close(self.client is not None)

    def _unload(self, source: str, cut: Cut) -> None:
        """The source has not begun this cut; it may have a newer one."""
        if self.loaded[source] is cut:
            self.loaded[source] = None

    async def _make_again(self, client: ObsClient, source: str, error: ObsRequestError) -> None:
        """Make what is missing, where a request was refused for want of it. Raises the error where it was not."""
        if error.code != NOT_FOUND:
            raise error
        wanted = self._rig.removed
        await self._rig.ensure(client)
        self._rig.notes["made"] = "" if wanted else f"{source} was gone from OBS and was made again"
        await self.send({name: self.fader.now[name] for name in SOURCES})

    def _ride(self) -> None:
        """Begin to move the levels to where they are to be."""
        if self.client is not None and (self._riding is None or self._riding.done()):
            self._riding = asyncio.create_task(self._move())

    async def _move(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ObsError):
            while not self.fader.settled and self.client is not None:
                begun_s = loop.time()
                await self.send(self.fader.step())
                await asyncio.sleep(max(0.0, begun_s + TICK_S - loop.time()))
