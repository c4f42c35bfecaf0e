"""The program of a `FakeObs`: scenes that are one noise picture each, as OBS would show and name them."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from fake_obs import FakeObs, RefusedError


class FakeProgram:
    """``show(name)`` puts another scene on air, with a transition's events; ``delay``: awaited before a screenshot is
    answered. ``shots`` counts screenshots, by scene."""

    def __init__(self, obs: FakeObs, *scenes: str) -> None:
        self.obs, self.scenes, self.scene = obs, list(scenes), scenes[0]
        self.studio = self.streaming = self.recording = False
        self.duration_ms = 0
        self.shots: dict[str, int] = {}
        self.delay: Any = None
        self.names_of_requests = 0
        obs.handlers |= {
            "GetCurrentProgramScene": self._name,
            "GetStudioModeEnabled": lambda data: {"studioModeEnabled": self.studio},
            "GetStreamStatus": lambda data: self._output(self.streaming),
            "GetRecordStatus": lambda data: {**self._output(self.recording), "outputPaused": False},
            "GetSourceScreenshot": self._screenshot,
        }

    def show(self, name: str, over: bool = True) -> None:
        """``over``: the transition ends at once."""
        self.scene = name
        self.obs.event("SceneTransitionStarted", {"transitionName": "Fade"}, 16)
        if over:
            self.obs.event("CurrentProgramSceneChanged", {"sceneName": name}, 4)

    def rename(self, name: str) -> None:
        before, self.scene = self.scene, name
        self.scenes = [name if other == before else other for other in self.scenes]
        self.obs.event("SceneNameChanged", {"oldSceneName": before, "sceneName": name}, 4)

    def set_studio(self, on: bool) -> None:
        self.studio = on
        self.obs.event("StudioModeStateChanged", {"studioModeEnabled": on}, 1024)

    def _output(self, active: bool) -> dict[str, Any]:
        return {"outputActive": active, "outputDuration": self.duration_ms if active else 0}

    def _name(self, data: Mapping[str, Any]) -> dict[str, Any]:
        self.names_of_requests += 1
        return {"currentProgramSceneName": self.scene}

    async def _screenshot(self, data: Mapping[str, Any]) -> dict[str, Any]:
        name = data["sourceName"]
        if name not in self.scenes:
            raise RefusedError(600, f"No source was found by the name of `{name}`.")
        self.shots[name] = self.shots.get(name, 0) + 1
        if self.delay is not None:
            await self.delay()
        return {"imageData": picture_of(self.scenes.index(name), data["imageWidth"], data["imageHeight"])}


def picture_of(number: int, width: int = 320, height: int = 180) -> str:
    """A noise picture as OBS gives it: another one for each number."""
    small = np.random.default_rng(number).integers(0, 256, (height // 20, width // 20, 3), np.uint8)
    pixels = small.repeat(20, axis=0).repeat(20, axis=1)[:height, :width]
    return ppm(pixels)


def ppm(pixels: Any) -> str:
    height, width = pixels.shape[:2]
    data = b"P6\n%d %d\n255\n" % (width, height) + pixels.tobytes()
    return "data:image/ppm;base64," + base64.b64encode(data).decode()
