"""What Segue has in OBS: a scene "Segue music" with two media sources, and that scene in every other one.

Sound is heard only in scenes that hold its source, and obs-websocket has no place that counts for all of them. What
is missing is made, what is there is used; nothing of the streamer's own is touched. From a scene whose streamer has
taken the music out it stays out while this connection's owner runs.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from .client import ObsClient
from .errors import ObsError, ObsRequestError

log = logging.getLogger(__name__)

SCENE: Final = "Segue music"
SOURCES: Final = ("Segue A", "Segue B")
KIND: Final = "ffmpeg_source"
FILTER: Final = "Segue ducking"
FILTER_KIND: Final = "compressor_filter"
NOT_FOUND: Final = 600
TRACKS: Final = 6
# The first two are not OBS's own: it would begin the file anew each time a scene with it comes on air.
SETTINGS: Final = {
    "restart_on_activate": False,
    "close_when_inactive": False,
    "is_local_file": True,
    "looping": False,
    "clear_on_media_end": True,
    "hw_decode": False,
    "speed_percent": 100,
}
# -8 dB 50 ms after a voice begins, -19 after 200 ms; 1 s after its end -1.4 dB (measured with OBS 29.0.2)
DUCKING: Final = {"ratio": 10.0, "threshold": -30.0, "attack_time": 50, "release_time": 400, "output_gain": 0.0}


class Rig:
    """``vod_track``: the audio track of OBS that must have only music that may stay in recordings; 0: none.
    ``microphone``: the source whose voice ducks the music in OBS itself; empty: none does."""

    def __init__(self, vod_track: int = 2, microphone: str = "") -> None:
        self.vod_track, self.microphone = vod_track, microphone
        self.notes: dict[str, str] = {}  # what is not as it should be, by what it is about
        self.removed = False  # on request, until something plays again
        self._nested: set[str] = set()

    @property
    def note(self) -> str:
        return "; ".join(filter(None, self.notes.values()))

    async def ensure(self, client: ObsClient) -> bool:
        """Make what is missing; returns whether the scene or a source was. Raises ObsError where a name is taken."""
        self.removed = False
        scenes = await self._scenes(client)
        missing = SCENE not in scenes
        if missing:
            await client.request("CreateScene", {"sceneName": SCENE})
        inputs = {each["inputName"]: each for each in (await client.request("GetInputList"))["inputs"]}
        held = await self._items(client, SCENE)
        for name in SOURCES:
            if name not in inputs:
                missing = True
                given = {"sceneName": SCENE, "inputName": name, "inputKind": KIND, "inputSettings": SETTINGS}
                await client.request("CreateInput", given)
                continue
            if inputs[name].get("unversionedInputKind", inputs[name].get("inputKind")) != KIND:
                raise ObsError(f"OBS has a source {name!r} that is no media source; rename it, so that music can play")
            if name not in held:
                await client.request("CreateSceneItem", {"sceneName": SCENE, "sourceName": name})
            await self._set_up(client, name)
        for scene in scenes:
            if scene != SCENE:
                await self.nest(client, scene)
        await self._duck(client)
        return missing

    async def nest(self, client: ObsClient, scene: str) -> None:
        """Put the music into a scene, unless it is there or was taken out."""
        try:
            if SCENE in await self._items(client, scene):
                self._nested.add(scene)
            elif scene not in self._nested:
                await client.request("CreateSceneItem", {"sceneName": scene, "sourceName": SCENE})
                self._nested.add(scene)
        except ObsRequestError as error:
            log.warning("the scene %r has no music: %s", scene, error)

    async def keep_off_vod(self, client: ObsClient, source: str, off: bool) -> bool:
        """Take a source off the VOD's audio track, or put it there; returns whether it is so. OBS answers "done" for
        tracks that do not exist, so it is asked."""
        if not self.vod_track:
            return True
        track = str(self.vod_track)
        await client.request("SetInputAudioTracks", {"inputName": source, "inputAudioTracks": {track: not off}})
        now = (await client.request("GetInputAudioTracks", {"inputName": source})).get("inputAudioTracks") or {}
        done = now.get(track) is (not off)
        where = f"OBS's audio track {track}"
        self.notes["vod"] = "" if done else f"{source} could not be taken {'off' if off else 'to'} {where}"
        return done

    async def remove(self, client: ObsClient) -> None:
        """Take all of it out of OBS."""
        self.removed = True
        self._nested.clear()
        for name in SOURCES:
            await _unless_gone(client, "RemoveInput", {"inputName": name})
        await _unless_gone(client, "RemoveScene", {"sceneName": SCENE})

    async def _set_up(self, client: ObsClient, name: str) -> None:
        """Correct the settings of a source that was there; setting them anew would stop what it plays."""
        now = (await client.request("GetInputSettings", {"inputName": name})).get("inputSettings") or {}
        assumed = {"restart_on_activate": True, "is_local_file": True, "clear_on_media_end": True, "speed_percent": 100}
        wrong = {key: value for key, value in SETTINGS.items() if now.get(key, assumed.get(key, False)) != value}
        if wrong:
            await client.request("SetInputSettings", {"inputName": name, "inputSettings": wrong})

    async def _duck(self, client: ObsClient) -> None:
        """Let OBS lower the music under the microphone, or no longer."""
        for name in SOURCES:
            about = {"sourceName": name, "filterName": FILTER}
            if not self.microphone:
                await _unless_gone(client, "RemoveSourceFilter", about)
                continue
            settings = {**DUCKING, "sidechain_source": self.microphone}
            made = {**about, "filterKind": FILTER_KIND, "filterSettings": settings}
            try:
                await client.request("CreateSourceFilter", made)
            except ObsRequestError:  # it is there
                await client.request("SetSourceFilterSettings", {**about, "filterSettings": settings})
        if self.microphone:
            inputs = {each["inputName"] for each in (await client.request("GetInputList"))["inputs"]}
            lacks = f"OBS has no source {self.microphone!r}, so no voice lowers the music; --obs-mic names one"
            self.notes["microphone"] = "" if self.microphone in inputs else lacks

    async def duck_in_obs(self, client: ObsClient, on: bool) -> None:
        """Switch OBS's own ducking on or off."""
        for name in SOURCES if self.microphone else ():
            given = {"sourceName": name, "filterName": FILTER, "filterEnabled": on}
            await _unless_gone(client, "SetSourceFilterEnabled", given)

    async def _scenes(self, client: ObsClient) -> list[str]:
        return [each["sceneName"] for each in (await client.request("GetSceneList"))["scenes"]]

    async def _items(self, client: ObsClient, scene: str) -> set[str]:
        """The names of the sources in a scene."""
        found = await client.request("GetSceneItemList", {"sceneName": scene})
        return {each["sourceName"] for each in found["sceneItems"]}


async def _unless_gone(client: ObsClient, kind: str, data: Mapping[str, Any]) -> None:
    try:
        await client.request(kind, data)
    except ObsRequestError as error:
        if error.code != NOT_FOUND:
            raise
