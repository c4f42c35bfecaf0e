"""What OBS has on air, as far as it tells: the program scene, studio mode, whether it streams or records.

Measured with OBS 29.0.2 (obs-websocket 5.1): ``SceneTransitionStarted`` comes at once but names no scene, and
``CurrentProgramSceneChanged`` comes when the transition is over, seconds later. Meanwhile ``GetCurrentProgramScene``
names the new scene already. So each of the two makes us ask, and no event is believed about the scene.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from .client import ObsClient
from .errors import ObsError, ObsRequestError, ObsSlowError

log = logging.getLogger(__name__)

CHANGED: Final = frozenset({"SceneTransitionStarted", "CurrentProgramSceneChanged", "CurrentSceneCollectionChanged"})
AGAIN_S: Final = 0.5  # after OBS did not say which scene is on air
HUSHED_S: Final = 30.0  # the longest that a change of collection may keep us from asking

STUDIO: Final = "OBS is in studio mode: what is edited in the scene on air is seen here before it goes on air"

OnScene = Callable[[str, bool], None]


class Program:
    """A part of an `ObsLink`. ``scene``: on air, "" while it is not known. ``hushed``: OBS must be left alone (it
    changes its collection of scenes, and may crash when asked meanwhile, or it quits).

    ``on_scene(name, cut)`` is called when the scene is another one, or (``cut`` False) has another name; ``on_change``
    for everything else.
    """

    def __init__(self, on_scene: OnScene, on_change: Callable[[], None]) -> None:
        self.scene = ""
        self.connected_now = self.studio = self.streaming = self.recording = False
        self._on_scene, self._on_change = on_scene, on_change
        self._client: ObsClient | None = None
        self._asking: asyncio.Task[None] | None = None
        self._due = False  # to ask again
        self._hushed_until_s = 0.0

    @property
    def hushed(self) -> bool:
        return asyncio.get_running_loop().time() < self._hushed_until_s

    @property
    def note(self) -> str:
        """What people should know, or ""."""
        return STUDIO if self.studio else ""

    async def connected(self, client: ObsClient) -> None:
        self._client = client
        self._hushed_until_s = 0.0
        studio = await _asked(client, "GetStudioModeEnabled")
        stream, record = await _asked(client, "GetStreamStatus"), await _asked(client, "GetRecordStatus")
        self.studio = studio.get("studioModeEnabled") is True
        self.streaming, self.recording = stream.get("outputActive") is True, record.get("outputActive") is True
        try:
            await self.ask()
        except ObsRequestError as error:
            log.info("%s", error)
            self._ask_soon()
        self.connected_now = True
        self._on_change()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        match kind:
            case "CurrentSceneCollectionChanging" | "ExitStarted":
                self._hush()
            case "SceneNameChanged":
                if data.get("oldSceneName") == self.scene:
                    self._take(str(data.get("sceneName") or ""), cut=False)
            case "StudioModeStateChanged":
                self.studio = data.get("studioModeEnabled") is True
                self._on_change()
            case "StreamStateChanged":
                self.streaming = data.get("outputActive") is True
                self._on_change()
            case "RecordStateChanged":
                self.recording = data.get("outputActive") is True
                self._on_change()
        if kind == "CurrentSceneCollectionChanged":
            self._hushed_until_s = 0.0
        if kind in CHANGED and not self.hushed:
            self._ask_soon()

    def lost(self, reason: str) -> None:
        self._client = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        self.connected_now = self.studio = self.streaming = self.recording = False
        self._on_change()

    async def ask(self) -> None:
        """Ask which scene is on air. Raises ObsError."""
        if self._client is not None:
            answer = await self._client.request("GetCurrentProgramScene")
            name = answer.get("currentProgramSceneName") or answer.get("sceneName")
            self._take(str(name or ""), cut=True)

    def _ask_soon(self) -> None:
        self._due = True
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask_while_due())

    async def _ask_while_due(self) -> None:
        """An answer that was under way when something changed says nothing of what came after. One that does not come
        is asked for again: else the pictures would be those of a scene that is off air."""
        while self._due:
            self._due = False
            try:
                await self.ask()
            except (ObsRequestError, ObsSlowError) as error:
                log.info("%s", error)
                self._due = True
                await asyncio.sleep(AGAIN_S)
            except ObsError as error:  # the connection is lost, and the scene asked for when there is another one
                log.info("%s", error)
            if self.hushed:  # what follows asks again
                return

    def _hush(self) -> None:
        self._hushed_until_s = asyncio.get_running_loop().time() + HUSHED_S

    def _take(self, name: str, cut: bool) -> None:
        if name != self.scene:
            self.scene = name
            self._on_scene(name, cut)


async def _asked(client: ObsClient, kind: str) -> dict[str, Any]:
    """The answer, or an empty one where OBS refuses: old ones do not know every request. Raises ObsGoneError."""
    with contextlib.suppress(ObsRequestError):
        return await client.request(kind)
    return {}
