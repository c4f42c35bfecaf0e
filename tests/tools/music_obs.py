"""A `FakeObs` that has scenes and media sources: what the deck does in OBS, without OBS."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fake_obs import FakeObs, RefusedError

PLAYING, PAUSED, ENDED, NONE = (f"OBS_MEDIA_STATE_{state}" for state in ("PLAYING", "PAUSED", "ENDED", "NONE"))


class MusicObs(FakeObs):
    """``scenes``: their sources. ``inputs``: settings, volume, tracks, filters, state of each. ``levels``: every volume
    that was set, (source, dB). ``files``: every file that was played, (source, size when it was handed over)."""

    def __init__(self, *scenes: str) -> None:
        super().__init__()
        self.scenes: dict[str, list[str]] = {name: [] for name in scenes or ("Game", "BRB")}
        self.inputs: dict[str, dict[str, Any]] = {}
        self.program = next(iter(self.scenes))
        self.microphones: list[str] = []
        self.recording = False
        self.levels: list[tuple[str, float]] = []
        self.files: list[tuple[str, int]] = []
        self.chapters: list[str] = []
        for name in dir(self):
            if name.startswith("do_"):
                self.handlers[name.removeprefix("do_")] = getattr(self, name)

    def add(self, name: str, kind: str = "wasapi_input_capture", scene: str | None = None) -> None:
        """An input of the streamer's own."""
        tracks = {str(track): True for track in range(1, 7)}
        self.inputs[name] = {
            "kind": kind, "settings": {}, "volume": 0.0, "tracks": tracks, "filters": {}, "state": NONE, "since": 0.0,
        }  # fmt: skip
        if scene is not None:
            self.scenes[scene].append(name)

    def playing(self) -> list[str]:
        return [name for name, each in self.inputs.items() if each["state"] == PLAYING]

    def end(self, source: str) -> None:
        """A source has come to the end of its file."""
        self.inputs[source]["state"] = ENDED
        self.event("MediaInputPlaybackEnded", {"inputName": source})

    def switch(self, scene: str) -> None:
        """Another scene goes on air."""
        self.program = scene
        self.event("CurrentProgramSceneChanged", {"sceneName": scene})

    def _input(self, data: Mapping[str, Any], key: str = "inputName") -> dict[str, Any]:
        if data[key] not in self.inputs:
            raise RefusedError(600, f"No source was found by the name of `{data[key]}`.")
        return self.inputs[data[key]]

    def do_GetSceneList(self, _: Any) -> dict[str, Any]:
        return {"scenes": [{"sceneName": name} for name in self.scenes], "currentProgramSceneName": self.program}

    def do_GetCurrentProgramScene(self, _: Any) -> dict[str, Any]:
        return {"currentProgramSceneName": self.program}

    def do_CreateScene(self, data: Any) -> None:
        self.scenes[data["sceneName"]] = []

    def do_RemoveScene(self, data: Any) -> None:
        if self.scenes.pop(data["sceneName"], None) is None:
            raise RefusedError(600)
        for items in self.scenes.values():
            if data["sceneName"] in items:
                items.remove(data["sceneName"])

    def do_GetInputList(self, _: Any) -> dict[str, Any]:
        return {
            "inputs": [
                {"inputName": name, "inputKind": each["kind"], "unversionedInputKind": each["kind"]}
                for name, each in self.inputs.items()
            ]
        }

    def do_CreateInput(self, data: Any) -> dict[str, Any]:
        self.add(data["inputName"], data["inputKind"], data["sceneName"])
        self.inputs[data["inputName"]]["settings"] = dict(data["inputSettings"])
        return {"sceneItemId": 1}

    def do_RemoveInput(self, data: Any) -> None:
        self._input(data)
        del self.inputs[data["inputName"]]
        for items in self.scenes.values():
            if data["inputName"] in items:
                items.remove(data["inputName"])

    def do_GetSceneItemList(self, data: Any) -> dict[str, Any]:
        return {"sceneItems": [{"sourceName": name} for name in self.scenes[data["sceneName"]]]}

    def do_CreateSceneItem(self, data: Any) -> dict[str, Any]:
        self.scenes[data["sceneName"]].append(data["sourceName"])
        return {"sceneItemId": 1}

    def do_GetInputSettings(self, data: Any) -> dict[str, Any]:
        return {"inputSettings": self._input(data)["settings"]}

    def do_SetInputSettings(self, data: Any) -> None:
        source = self._input(data)
        source["settings"].update(data["inputSettings"])
        if not (file := data["inputSettings"].get("local_file")):
            return
        there = Path(file).is_file()
        self.files.append((data["inputName"], Path(file).stat().st_size if there else -1))
        source["state"], source["since"] = (PLAYING if there else ENDED), asyncio.get_running_loop().time()
        self.event("MediaInputPlaybackStarted", {"inputName": data["inputName"]})
        if not there:
            self.event("MediaInputPlaybackEnded", {"inputName": data["inputName"]})

    def do_GetMediaInputStatus(self, data: Any) -> dict[str, Any]:
        source = self._input(data)
        if source["state"] not in (PLAYING, PAUSED):
            return {"mediaState": source["state"], "mediaCursor": None, "mediaDuration": None}
        cursor_s = asyncio.get_running_loop().time() - source["since"]
        return {"mediaState": source["state"], "mediaCursor": 1000 * cursor_s, "mediaDuration": 60000}

    def do_TriggerMediaInputAction(self, data: Any) -> None:
        source = self._input(data)
        if source["state"] in (PLAYING, PAUSED):
            self.end(data["inputName"])

    def do_SetInputVolume(self, data: Any) -> None:
        self._input(data)["volume"] = data["inputVolumeDb"]
        self.levels.append((data["inputName"], data["inputVolumeDb"]))

    def do_SetInputAudioTracks(self, data: Any) -> None:
        known = self._input(data)["tracks"]
        known.update({track: on for track, on in data["inputAudioTracks"].items() if track in known})

    def do_GetInputAudioTracks(self, data: Any) -> dict[str, Any]:
        return {"inputAudioTracks": self._input(data)["tracks"]}

    def do_GetSpecialInputs(self, _: Any) -> dict[str, Any]:
        return {f"mic{place + 1}": (self.microphones + 4 * [None])[place] for place in range(4)}  # type: ignore[list-item]

    def do_GetRecordStatus(self, _: Any) -> dict[str, Any]:
        return {"outputActive": self.recording}

    def do_CreateRecordChapter(self, data: Any) -> None:
        self.chapters.append(data["chapterName"])

    def do_CreateSourceFilter(self, data: Any) -> None:
        filters = self._input(data, "sourceName")["filters"]
        if data["filterName"] in filters:
            raise RefusedError(601)
        filters[data["filterName"]] = {"on": True, **data["filterSettings"]}

    def do_SetSourceFilterSettings(self, data: Any) -> None:
        self._input(data, "sourceName")["filters"][data["filterName"]].update(data["filterSettings"])

    def do_SetSourceFilterEnabled(self, data: Any) -> None:
        self._input(data, "sourceName")["filters"][data["filterName"]]["on"] = data["filterEnabled"]

    def do_RemoveSourceFilter(self, data: Any) -> None:
        if self._input(data, "sourceName")["filters"].pop(data["filterName"], None) is None:
            raise RefusedError(600)
