"""The deck's side in OBS: what the music needs there is made, OBS's events are heard, and what OBS does with the music
is looked at now and then.

While OBS changes its collection of scenes, or quits, it is left alone: it may crash when it is asked.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from .client import ObsClient
from .cut import READ_AHEAD_S
from .deck_parts import Held
from .ducking import Ducking
from .errands import Errands
from .errors import ObsError, ObsGoneError, ObsRequestError
from .leaving import SHORT_S
from .rig import NOT_FOUND, SCENE, Rig
from .sources import Sources

log = logging.getLogger(__name__)

TICK_S: Final = 0.25
CHECK_S: Final = 2.0  # between looks at OBS's own place in the file


class Deck(Protocol):
    """The session's side; see `deck.ObsDeck`."""

    starting: Held | None

    def go_on(self, kept: bool) -> None: ...
    def stand_still(self) -> None: ...
    def begin(self, track: str, start_s: float, fade_s: float | None = None, *, back: bool = False) -> None: ...
    def watch(self) -> None: ...
    def report(self) -> None: ...
    def fail(self, text: str) -> None: ...
    def changed(self) -> None: ...


class DeckInObs:
    """A part of an `ObsLink`. ``on_ready`` is called when OBS has, or no longer has, what the music needs."""

    def __init__(
        self,
        deck: Deck,
        rig: Rig,
        sources: Sources,
        ducking: Ducking,
        clock: Callable[[], float],
        errands: Errands,
    ) -> None:
        self.on_ready: Callable[[bool], None] = lambda ready: None
        self._deck, self._rig, self._sources, self._ducking = deck, rig, sources, ducking
        self._clock, self._errands = clock, errands
        self._recording = False
        self._client: ObsClient | None = None
        self._setting_up = asyncio.Lock()
        self._anew: asyncio.Task[None] | None = None  # sets up in another collection of scenes
        self._ticking: asyncio.Task[None] | None = None
        self._checked_s = 0.0

    @property
    def ready(self) -> bool:
        """Whether OBS is connected, and has what the music needs."""
        return self._sources.client is not None

    async def connected(self, client: ObsClient) -> None:
        """Make what is missing in OBS, and go on where the music should be. Raises ObsError."""
        self._client = client
        async with self._setting_up:
            await self._set_up(client)

    def lost(self, reason: str) -> None:
        if self._anew is not None:
            self._anew.cancel()
        if not self.ready:
            return
        self._sources.lost()
        self.stop()
        self._deck.stand_still()
        self.on_ready(False)
        self._deck.changed()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind == "InputVolumeMeters":
            self._ducking.meters(data.get("inputs") or ())
        elif kind.startswith("MediaInput"):
            with self._telling_pauses():
                self._sources.event(kind, data)
        elif kind == "RecordStateChanged":
            self._recording = bool(data.get("outputActive"))
        elif kind in ("CurrentSceneCollectionChanging", "ExitStarted"):
            self.lost("OBS changes its collection of scenes")
        elif kind == "CurrentSceneCollectionChanged":
            if self._client is not None and not self.ready:
                self._anew = self._errands.spawn(self._set_up_anew(self._client))
        elif kind == "SceneCreated" and not data.get("isGroup"):
            name, client = str(data.get("sceneName")), self._sources.client
            if client is not None and name != SCENE and not self._rig.removed:
                self._errands.spawn(self._rig.nest(client, name))

    async def mark(self, title: str) -> None:
        """Mark a take in OBS's recording, where OBS can."""
        client = self._sources.client
        if client is not None and self._recording and "CreateRecordChapter" in client.available:
            with contextlib.suppress(ObsError):
                await client.request("CreateRecordChapter", {"chapterName": title})

    async def remove(self) -> None:
        """Take everything of ours out of OBS; the next track puts it there again."""
        if (client := self._sources.client) is not None:
            await self._sources.quiet()
            await self._rig.remove(client)

    def stop(self) -> None:
        """Look at OBS no longer."""
        if self._ticking is not None:
            self._ticking.cancel()

    async def _set_up_anew(self, client: ObsClient) -> None:
        async with self._setting_up:
            if not self.ready:
                await self._set_up(client)

    async def _set_up(self, client: ObsClient) -> None:
        try:
            if await self._rig.ensure(client) and client.connections > 1:
                self._rig.notes["made"] = "OBS had lost its music sources; they were made again"
            await self._ducking.listen_to(client)
            self._recording = bool((await client.request("GetRecordStatus")).get("outputActive"))
            self._sources.client = client
            kept = await self._sources.take_up()
        except BaseException as error:
            self._sources.client = None
            if isinstance(error, ObsError) and not isinstance(error, ObsGoneError):
                self._deck.fail(str(error))
            raise
        self._rig.notes["play"] = ""
        self.on_ready(True)
        self._deck.go_on(kept)
        self._ducking.look()
        self.stop()
        self._ticking = asyncio.create_task(self._tick())
        self._deck.changed()

    async def _tick(self) -> None:
        """What time brings, while OBS is connected."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self._deck.watch()
                now_s = self._clock()
                if self._sources.now is not None and now_s - self._checked_s >= CHECK_S:
                    self._checked_s = now_s
                    with self._telling_pauses():
                        await self._look()
            except ObsError as error:
                log.info("%s", error)
            except Exception:
                log.exception("OBS's music was not watched")

    async def _look(self) -> None:
        """Compare what sounds with what OBS says; a source that is gone is made again, and goes on."""
        try:
            await self._sources.check()
        except ObsRequestError as error:
            now, client, deck = self._sources.now, self._sources.client, self._deck
            if error.code != NOT_FOUND or now is None or client is None:
                raise
        else:
            return
        place_s = now.place_s(self._clock())
        await asyncio.to_thread(now.cut.fall, place_s + READ_AHEAD_S, SHORT_S)  # it may only have another name
        if self._sources.now is not now or deck.starting is not None:  # something newer was asked for, and finds out
            return
        self._sources.stop()
        deck.starting = again = Held(now.track.id, place_s)
        try:
            await self._rig.ensure(client)
        except BaseException:
            if deck.starting is again and self.ready:
                deck.starting = None
            raise
        self._rig.notes["made"] = f"{now.source} was gone from OBS and was made again"
        if deck.starting is again:  # nobody has asked for something else, or for silence
            deck.begin(again.track, again.place_s, SHORT_S, back=True)
        deck.changed()

    @contextlib.contextmanager
    def _telling_pauses(self) -> Any:
        """Tell the session where somebody pauses, or goes on, in OBS."""
        paused = self._sources.now is not None and self._sources.now.paused
        yield
        if self._sources.now is not None and self._sources.now.paused != paused:
            self._deck.report()
