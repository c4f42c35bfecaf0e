"""``--obs``: OBS's program as a session of this server, by screenshots, for as long as the server runs.

One session with a key of its own: when OBS goes, the session waits for it, longer than for others (`AWAY_S`);
when OBS is back, it goes on, or a new one begins. OBS may be absent when the server starts. Neither a wrong password
nor an old protocol ends the server: they are logged with their cure, and tried again now and then.
"""

import asyncio
import logging
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stream.core.commands import MAX_LENGTH
from stream.core.events import Warned
from stream.core.quality_level import QualityLevel
from stream.obs.address import ObsAddress
from stream.obs.client import ObsClient
from stream.obs.clock import ObsClock
from stream.obs.errors import ObsError
from stream.obs.link import ObsLink
from stream.obs.program import Program
from stream.obs.status import ObsBoard
from stream.sources.ended import lost
from stream.sources.obs.pictures import Pictures

from .channel import Channel
from .errors import BusyError
from .hub import Hub
from .inputs import OnEnd, OnFrame, OnSound

log = logging.getLogger(__name__)

LABEL: Final = "OBS"
KEY: Final = "obs"
AWAY_S: Final = 600.0  # that a session with its wishes and cues waits for OBS, unless --grace is longer, or 0
AGAIN_S: Final = 2.0  # where there is no place for the session, or another publisher feeds it
MEND_S: Final = 15.0  # for a password or an OBS to be changed


@dataclass(frozen=True)
class ObsOptions:
    """``key``: of OBS's session."""

    address: ObsAddress
    key: str = KEY


class ObsPublisher:
    """OBS as a session's publisher; connected as long as its pictures are asked for."""

    def __init__(self, on_frame: OnFrame, on_end: OnEnd, pictures: Callable[["ObsPublisher"], Pictures]) -> None:
        self.connected = True
        self.on_frame = on_frame
        self.ended = asyncio.Event()
        self._on_end: OnEnd | None = on_end
        self._on_note: Callable[[str], None] = lambda text: None
        self.pictures = pictures(self)

    def hear_notes(self, on_note: Callable[[str], None]) -> None:
        self._on_note = on_note

    def note(self, text: str) -> None:
        self._on_note(text)

    def follow(self, level: QualityLevel) -> None:
        self.pictures.follow(level)

    async def close(self) -> None:
        """The session does not need it any more."""
        self._on_end = None
        self.connected = False
        self.ended.set()

    def lose(self, reason: str) -> None:
        """OBS has gone."""
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(lost(reason, AWAY_S))
        self.connected = False
        self.ended.set()


class ObsInput:
    """A part of its own ``link``, to which others may be added before `start`. ``clock`` has OBS's timecodes, ``board``
    what viewers get of OBS. ``also``: further sessions, in which OBS plays; their viewers get it from then on."""

    def __init__(self, hub: Hub, options: ObsOptions, also: Callable[[], Iterable[Channel]] = lambda: ()) -> None:
        self._hub, self._options = hub, options
        self.key, self.also = options.key, also
        self.on_scene: Callable[[str], None] = lambda scene: None  # called with the scene that is on air now
        self.board = ObsBoard(self._show)
        self.program = Program(self._scene_changed, self._program_changed)
        self.clock = ObsClock()
        self.link = ObsLink(options.address, [self.program, self.clock, self])
        self._publisher: ObsPublisher | None = None
        self._told: weakref.WeakSet[Channel] = weakref.WeakSet()  # sessions whose viewers know of OBS
        self._running: asyncio.Task[None] | None = None
        self._feeding: asyncio.Task[None] | None = None

    @property
    def session(self) -> Channel | None:
        return self._hub.by_key(self._options.key)

    @property
    def state(self) -> dict[str, object]:
        """For ``/healthz``: without the address."""
        words = self.link.state.removeprefix(f"{self._options.address}: ")
        return {"connected": self.link.client.connected, "state": words}

    def start(self) -> None:
        """Connect, and connect again, until `close`."""
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        for task in (self._feeding, self._running):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def connected(self, client: ObsClient) -> None:
        self.board.set(connected=True)
        where = f"scene {self.program.scene!r}" if self.program.scene else "no scene known yet"
        back = "is back" if client.connections > 1 else "is there"
        log.warning("%s: OBS %s: %s, %s", client.address, back, client.version, where)  # as what is lost is told
        self._feeding = asyncio.get_running_loop().create_task(self._feed(client))

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Nothing: the program hears them."""

    def lost(self, reason: str) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.lose("the connection to OBS is lost")
        self.board.set(connected=False, note=self.state["state"])

    async def _run(self) -> None:
        said = ""
        while True:
            try:
                await self.link.run()
            except ObsError as error:
                if str(error) != said:
                    log.error("%s", error)
                said = str(error)
            except Exception:
                log.exception("the connection to OBS failed")
            await asyncio.sleep(MEND_S)

    async def _feed(self, client: ObsClient) -> None:
        """A publisher for the session as long as OBS is connected; another one where it was released."""
        said = ""
        while True:
            try:
                session = self.session
                if session is None or not session.inputs.connected:
                    await self._publish(client)
                    said = ""
            except BusyError as error:
                if str(error) != said:
                    log.warning("OBS gets no session: %s", error)
                said = str(error)
            except Exception:
                log.exception("asking OBS for pictures failed")
            await asyncio.sleep(AGAIN_S)

    async def _publish(self, client: ObsClient) -> None:
        """Feed the session until the session, or the connection, ends. Raises BusyError."""
        publishers: list[ObsPublisher] = []

        def pictures(publisher: ObsPublisher) -> Pictures:
            return Pictures(self.program, publisher.on_frame, publisher.note)

        def connect(on_frame: OnFrame, on_sound: OnSound, on_end: OnEnd) -> ObsPublisher:
            publishers.append(ObsPublisher(on_frame, on_end, pictures))
            return publishers[0]

        self._hub.begin(LABEL, self._options.key, connect)
        self._publisher = publisher = publishers[0]
        self._place(self.program.scene, cut=True)
        self._show()
        if self.program.studio:
            self._warn(self.program.note)
        asking = asyncio.get_running_loop().create_task(publisher.pictures.run(client))
        ended = asyncio.get_running_loop().create_task(publisher.ended.wait())
        try:
            await asyncio.wait((asking, ended), return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                asking.result()
        except Exception:
            self._publisher = None
            publisher.lose("no picture can be asked of OBS")
            raise
        finally:
            for task in (asking, ended):
                task.cancel()
            await asyncio.gather(asking, ended, return_exceptions=True)
            if not publisher.connected and self.session is not None and self._publisher is publisher:
                self._place("", cut=False)  # another publisher feeds it now

    def _scene_changed(self, scene: str, cut: bool) -> None:
        self._place(scene, cut)
        self.on_scene(scene)
        self.board.set(scene=scene)

    def _program_changed(self) -> None:
        program, before = self.program, self.board.status
        if program.studio and not before.studio and self._publisher is not None:
            self._warn(program.note)
        if program.connected_now:
            self.board.set(
                studio=program.studio,
                streaming=program.streaming,
                recording=program.recording,
                scene=program.scene,
                note=program.note,
            )
        else:
            self.board.set(studio=False, streaming=False, recording=False)

    def _place(self, scene: str, cut: bool) -> None:
        """Tell the session what OBS calls what is on air."""
        session = self.session
        if session is not None and self._publisher is not None:
            session.command_core({"type": "place", "name": scene[:MAX_LENGTH], "cut": cut})

    def _warn(self, text: str) -> None:
        if (session := self.session) is not None:
            session.publish(Warned(text))

    def _show(self) -> None:
        """Every viewer who may care gets the status. OBS has one music: that of one session."""
        playing = [*self.also()]
        self._told.update(playing)
        if (own := self.session) is not None:
            self._told.add(own)
        for session in [*self._told]:
            if session.ending is None:
                here = session in playing
                message = self.board.status.message()
                session.viewers.tell(message if here else {**message, "plays": False, "ducked_db": 0.0})
