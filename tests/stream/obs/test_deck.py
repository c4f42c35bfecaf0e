"""OBS as the player: what stands in OBS, how one track follows another, what is restored."""

import asyncio
import time
import wave
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from music_obs import PAUSED, PLAYING, MusicObs

from catalog.errors import UnknownTrackError
from catalog.records import Outline, Track
from stream.obs.address import parse_address
from stream.obs.client import Subscription
from stream.obs.cuts import Cuts
from stream.obs.deck import ObsDeck
from stream.obs.deck_parts import DeckOptions
from stream.obs.fader import MUTE_DB, STEP_DB
from stream.obs.link import ObsLink
from stream.obs.program import Program
from stream.obs.rig import FILTER, SCENE, SOURCES
from stream.obs.rules import parse_rules
from stream.obs.sources import ALONE_S, SETTLE_S

LENGTH_S = 60.0
PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that OBS's own speed asks for are short."""
    monkeypatch.setattr("stream.obs.media.TICK_S", 0.001)
    monkeypatch.setattr("stream.obs.sources.AFTER_S", 0.05)
    monkeypatch.setattr("stream.obs.sources.READ_AHEAD_S", 0.1)
    monkeypatch.setattr("stream.obs.deck_in_obs.TICK_S", 0.05)
    monkeypatch.setattr("stream.obs.auto.FADE_S", 0.2)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of noise, small enough to be cut at once."""
    path = tmp_path_factory.mktemp("music") / "noise.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(np.random.default_rng(0).integers(-9000, 9000, round(LENGTH_S * 8000), np.int16).tobytes())
    return path


class Shelf:
    """Tracks of one file. ``bars``: downbeats of every one."""

    def __init__(self, path: Path) -> None:
        self.path, self.bars = path, np.zeros(0, np.float32)

    def track(self, id: str) -> Track:
        if id == "unknown":
            raise UnknownTrackError("no such track")
        path = self.path.with_name("gone.wav") if id == "gone" else self.path
        return Track(id, id.upper(), "Somebody", path, LENGTH_S, 120.0, "", ())

    def gain(self, id: str) -> float | None:
        return None

    def outline(self, id: str) -> Outline | None:
        none = np.zeros(0, np.float32)
        peaks = np.zeros(0, np.uint8)
        return Outline(-16.0, 0.0, -1.0, none, peaks, ((0.0, LENGTH_S),), 0.0, LENGTH_S, none, self.bars, ())


class Host:
    def __init__(self) -> None:
        self.newest: dict[str, Any] | None = None
        self.auto = False
        self.sent: list[dict[str, Any]] = []

    @property
    def asked(self) -> Any:
        return None if self.newest is None else self.newest["asked"]

    def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(dict(message))

    def rows(self, *tracks: str, **more: Any) -> None:
        items = [{"track": track, "start_s": 10.0, "leave_s": None, "loop": None} for track in tracks]
        asked = {"skipped": [], "steer": {"energy": 0.0}}
        self.newest = {"items": items, "asked": asked, "on_air": None, "advice": "stay", "duck_db": None, **more}


class Stage:
    """An OBS, a deck in it, and a session."""

    def __init__(self, folder: Path, music: Path, **options: Any) -> None:
        self.obs = MusicObs()
        self.host, self.shelf = Host(), Shelf(music)
        self.folder = folder / "cuts"
        rules = parse_rules(options.pop("rules", {}))
        self.deck = ObsDeck(
            self.shelf, Cuts(self.folder), DeckOptions(level_db=0.0, rules=rules, **options), time.monotonic
        )
        self.link: ObsLink | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Stage":
        await self.obs.start()
        program = Program(lambda scene, cut: self.deck.enter(scene), lambda: None)
        self.link = ObsLink(parse_address(self.obs.url), [program, self.deck.in_obs], Subscription.INPUT_VOLUME_METERS)
        self._running = asyncio.create_task(self.link.run())
        await until(lambda: self.deck.ready and "SetInputVolume" in self.obs.kinds())
        self.deck.sit(self.host, None, None, False)
        assert self.host.sent.pop() == {"type": "playing", "track": None, "level_db": 0.0}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.deck.close()
        assert self._running is not None
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self.obs.stop()

    async def plays(self, track: str) -> None:
        """Wait until this track sounds, and the session knows."""
        await until(lambda: self.sounds == track and self.told["track"] == track and not self.told["paused"])

    @property
    def sounds(self) -> str | None:
        now = self.deck.sources.now
        return None if now is None else now.track.id

    @property
    def told(self) -> dict[str, Any]:
        """What the session was told last."""
        last: dict[str, Any] = {"track": None, "position_s": None, "paused": False}
        return last | next((message for message in reversed(self.host.sent) if message["type"] == "playing"), {})


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def run(stage: Stage, scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        async with stage:
            await scene(stage)

    asyncio.run(all_of_it())


def test_what_is_missing_in_obs_is_made_and_what_is_there_is_left(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        obs = stage.obs
        assert obs.scenes == {"Game": ["Cam", SCENE], "BRB": [SCENE], SCENE: list(SOURCES)}
        for source in SOURCES:
            settings = obs.inputs[source]["settings"]
            assert settings["restart_on_activate"] is settings["close_when_inactive"] is settings["looping"] is False
        obs.scenes["New"] = []
        obs.event("SceneCreated", {"sceneName": "New", "isGroup": False})
        await until(lambda: obs.scenes["New"] == [SCENE])
        obs.scenes["Game"].remove(SCENE)  # the streamer wants none there
        obs.kill()
        await until(lambda: obs.connections == 2 and stage.deck.ready)
        await until(lambda: obs.kinds().count("GetSceneList") == 2 and "SetInputVolume" in obs.kinds()[-4:])
        assert obs.scenes["Game"] == ["Cam"] and obs.kinds().count("CreateInput") == 2
        stage.deck.obey({"do": "remove"})
        await until(lambda: SCENE not in obs.scenes)
        assert obs.scenes == {"Game": ["Cam"], "BRB": [], "New": []} and list(obs.inputs) == ["Cam"]
        assert stage.host.sent[-1] == {"type": "player", "take": False}
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        assert obs.scenes == {"Game": ["Cam", SCENE], "BRB": [SCENE], "New": [SCENE], SCENE: list(SOURCES)}
        assert stage.deck.state["music"] == ""

    stage = Stage(tmp_path, music)
    stage.obs.add("Cam", scene="Game")
    run(stage, scene)


def test_a_name_that_is_taken_is_told_and_nothing_is_touched(tmp_path: Path, music: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path, music)
        stage.obs.add(SOURCES[0], "browser_source", "Game")
        async with stage.obs:
            link = ObsLink(parse_address(stage.obs.url), [stage.deck.in_obs])
            running = asyncio.create_task(link.run())
            await until(lambda: "GetInputList" in stage.obs.kinds() and not stage.deck.ready)
            await until(lambda: "is no media source" in stage.deck.rig.note)
            assert "SetInputSettings" not in stage.obs.kinds() and "SetInputVolume" not in stage.obs.kinds()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await stage.deck.close()

    asyncio.run(scene())


def test_a_take_is_a_file_and_nothing_else(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.deck.obey({"do": "play", "track": "a", "start_s": 12.5})
        await stage.plays("a")
        assert 12.3 <= stage.told["position_s"] < 14
        ((source, size),) = stage.obs.files
        assert size == 44 + 2 * round((LENGTH_S - 12.5 + ALONE_S + SETTLE_S) * 8000)
        assert not {"SetMediaInputCursor", "OffsetMediaInputCursor"} & set(stage.obs.kinds())
        file = Path(stage.obs.inputs[source]["settings"]["local_file"])
        await until(lambda: file.stat().st_size < 2000)  # a later OBS would begin with silence
        assert stage.deck.state == {"rule": "", "plays": True, "ducked_db": 0.0, "music": ""}
        stage.deck.obey({"do": "stop"})
        await until(lambda: not stage.obs.playing())
        assert stage.told["track"] is None and not stage.deck.state["plays"]

    run(Stage(tmp_path, music), scene)


def test_one_track_goes_over_into_the_next_and_only_one_is_left(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        first = stage.deck.sources.now
        stage.deck.begin("b", 20.0, 0.3)
        await stage.plays("b")
        second = stage.deck.sources.now
        assert first is not None and second is not None
        assert {first.source, second.source} == set(SOURCES)
        falls_s = first.cut.falls_at_s
        assert falls_s is not None
        # the second one rises while the first one falls: both by 0.3 s, from the same moment on
        assert abs(first.place_s(second.at_s) + SETTLE_S - falls_s) < 0.2
        assert abs(second.from_s + SETTLE_S - 19.7) < 1e-6
        await until(lambda: stage.obs.playing() == [second.source])
        levels = [db for _, db in stage.obs.levels]
        assert set(levels) == {MUTE_DB, 0.0}  # until it is there; neither of them was faded by its volume

    run(Stage(tmp_path, music), scene)


def test_a_track_comes_on_the_next_bar_where_bars_are_known(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.shelf.bars = np.arange(0.25, LENGTH_S, 1.7, np.float32)
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        first = stage.deck.sources.now
        assert first is not None
        stage.deck.obey({"do": "play", "track": "b", "start_s": 20.0})
        await stage.plays("b")
        second = stage.deck.sources.now
        assert second is not None and first.cut.falls_at_s is not None
        rise_s = 20.0 - second.from_s - SETTLE_S
        full_s = first.cut.falls_at_s + rise_s  # of the first one, when the second is there
        assert np.abs(stage.shelf.bars - full_s).min() < 0.001
        assert rise_s >= 0.25 - 1e-6

    run(Stage(tmp_path, music, fade_s=0.5), scene)


def test_the_newest_of_many_requests_wins(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        for track in "abcdef":
            stage.deck.begin(track, 10.0)
        await stage.plays("f")
        await until(lambda: len(stage.obs.playing()) == 1)
        assert [message["track"] for message in stage.host.sent] == ["f"]
        stage.deck.begin("g", 5.0)
        stage.deck.obey({"do": "stop"})
        await until(lambda: not stage.obs.playing())
        assert stage.told["track"] is None and stage.sounds is None

    run(Stage(tmp_path, music), scene)


def test_a_track_that_obs_was_about_to_begin_makes_way_at_once(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        usual, asked = stage.obs.do_SetInputSettings, list[str]()

        def late(data: Any) -> None:  # OBS has not begun the first file when it gets the second one
            asked.append(data["inputName"])
            if len(asked) > 1:
                usual(data)

        stage.deck.begin("before", 10.0)
        await stage.plays("before")
        stage.obs.handlers["SetInputSettings"] = late
        stage.deck.begin("a", 10.0)
        await until(lambda: asked)
        stage.deck.begin("b", 10.0)
        await stage.plays("b")
        source = asked[1]
        assert asked == [source, source]
        await until(lambda: len(stage.deck.errands.running) == 0)  # the first one's does not wait for OBS any more
        assert not stage.deck.state["music"]
        stage.deck.pause()
        await until(lambda: not stage.obs.playing())

    run(Stage(tmp_path, music), scene)


def test_pause_resume_seek_and_back(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.deck.obey({"do": "play", "track": "a", "start_s": 10.0})
        await stage.plays("a")
        stage.deck.obey({"do": "pause"})
        held_s = stage.told["position_s"]
        assert stage.told["paused"] and held_s >= 9.8
        await until(lambda: not stage.obs.playing())
        stage.deck.obey({"do": "seek", "position_s": 33.0})
        assert stage.told["position_s"] == 33.0
        stage.deck.obey({"do": "resume"})
        await stage.plays("a")
        assert 32.7 < stage.told["position_s"] < 35
        stage.deck.obey({"do": "play", "track": "b", "start_s": 5.0})
        await stage.plays("b")
        stage.deck.obey({"do": "seek", "position_s": 40.0})
        await until(lambda: stage.told["position_s"] > 39)
        stage.deck.obey({"do": "back"})
        await stage.plays("a")
        assert 32.6 < stage.told["position_s"] < 38
        stage.deck.obey({"do": "back"})  # there is nothing before
        assert stage.sounds == "a"

    run(Stage(tmp_path, music, fade_s=0.1), scene)


def test_levels_take_small_steps(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        source = stage.obs.playing()[0]
        stage.deck.obey({"do": "duck", "on": True})
        await until(lambda: stage.obs.inputs[source]["volume"] == -12.0)
        assert stage.deck.state["ducked_db"] == -12.0
        stage.deck.obey({"do": "duck", "on": None})
        await until(lambda: stage.obs.inputs[source]["volume"] == 0.0)
        voice = {"inputName": "Mic", "inputLevelsMul": [[0.2, 0.3, 0.3]]}
        stage.obs.event("InputVolumeMeters", {"inputs": [voice]}, 1 << 16)
        await until(lambda: stage.obs.inputs[source]["volume"] == -12.0)
        stage.deck.obey({"do": "level", "db": -20.0})
        assert (stage.told["track"], stage.told["level_db"]) == ("a", -20.0)
        await until(lambda: stage.obs.inputs[source]["volume"] == -32.0)
        stage.deck.obey({"do": "stop"})
        await until(lambda: not stage.obs.playing())
        heard = [db for name, db in stage.obs.levels if name == source]
        down = [db for db in heard if db > MUTE_DB]
        assert max(abs(b - a) for a, b in pairwise(down)) <= STEP_DB + 1e-9
        assert heard[-1] == MUTE_DB
        stage.deck.rise(stage.host)  # the level was this session's wish
        other = Host()
        stage.deck.sit(other, None, None, False)
        assert other.sent == [{"type": "playing", "track": None, "level_db": 0.0}]

    stage = Stage(tmp_path, music)
    stage.obs.microphones = ["Mic"]
    run(stage, scene)


def test_with_a_microphone_named_obs_ducks_by_itself(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        filters = [stage.obs.inputs[source]["filters"][FILTER] for source in SOURCES]
        assert all(each["sidechain_source"] == "Mic" and each["on"] for each in filters)
        assert "no source 'Mic'" in stage.deck.state["music"]
        stage.deck.obey({"do": "duck", "on": False})
        await until(lambda: not any(each["on"] for each in filters))
        stage.deck.obey({"do": "duck", "on": None})
        await until(lambda: all(each["on"] for each in filters))

    run(Stage(tmp_path, music, microphone="Mic"), scene)


def test_what_may_not_stay_in_recordings_is_off_the_vods_track(
    tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        source = stage.obs.playing()[0]
        assert stage.obs.inputs[source]["tracks"] == {str(n): n != 3 for n in range(1, 7)}
        order = [(kind, data.get("inputName")) for kind, data in stage.obs.asked]
        last_file = max(place for place, (kind, _) in enumerate(order) if kind == "SetInputSettings")
        assert order.index(("SetInputAudioTracks", source)) < last_file
        monkeypatch.setattr(stage.obs, "do_SetInputAudioTracks", None)
        stage.obs.handlers["SetInputAudioTracks"] = lambda data: None  # it answers "done" and does nothing
        stage.deck.begin("b", 10.0, 0.1)
        await stage.plays("b")
        assert "audio track 3" in stage.deck.state["music"]

    run(Stage(tmp_path, music, vod_track=3), scene)


def test_auto_goes_on_by_itself(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.host.auto = True
        stage.host.rows("a", "b")
        stage.deck.listed(stage.host)
        await stage.plays("a")
        stage.obs.end(stage.obs.playing()[0])
        await stage.plays("b")
        stage.host.rows("c", "b", advice="switch")
        stage.deck.listed(stage.host)
        await stage.plays("c")
        stage.host.rows("c", "d", on_air={"track": "c", "position_s": 10.0, "left_s": 5.0, "leave_s": None})
        await stage.plays("d")  # 3 s before the end of the music
        assert stage.told["position_s"] >= 7
        stage.host.auto = False
        stage.obs.end(stage.obs.playing()[0])
        await until(lambda: stage.told["track"] is None)

    run(Stage(tmp_path, music), scene)


def test_auto_tries_what_cannot_be_played_once(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.host.auto = True
        stage.host.rows("gone", "a")
        stage.deck.listed(stage.host)
        await until(lambda: "cannot be opened" in stage.deck.state["music"])
        stage.deck.listed(stage.host)
        await stage.plays("a")
        assert [message["track"] for message in stage.host.sent] == [None, "a"]

    run(Stage(tmp_path, music), scene)


def test_obs_comes_back_with_a_silent_scene(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        await stage.obs.stop()
        await until(lambda: not stage.deck.ready)
        for source in SOURCES:
            stage.obs.inputs[source]["state"] = "OBS_MEDIA_STATE_ENDED"
        stage.obs.program = "BRB"
        await stage.obs.start()
        await until(lambda: stage.deck.ready and stage.deck.held is not None)
        assert not stage.obs.playing() and stage.told["paused"]
        stage.obs.switch("Game")
        await stage.plays("a")

    run(Stage(tmp_path, music, rules={"BRB": {"music": "silent"}}), scene)


def test_obs_comes_back_and_the_music_goes_on(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        files = len(stage.obs.files)
        stage.obs.kill()  # the line alone: OBS plays on
        await until(lambda: stage.told["paused"])
        await stage.plays("a")
        assert len(stage.obs.files) == files
        stage.deck.obey({"do": "duck", "on": True})
        stage.deck.obey({"do": "level", "db": -6.0})
        await until(lambda: stage.obs.levels[-1][1] == -18.0)
        await stage.obs.stop()
        await until(lambda: not stage.deck.ready)
        place_s = stage.told["position_s"]
        for source in SOURCES:  # it begins anew, with what its collection of scenes has
            stage.obs.inputs[source].update(state="OBS_MEDIA_STATE_ENDED", volume=0.0)
        del stage.obs.inputs[SOURCES[1]]
        stage.obs.scenes[SCENE].remove(SOURCES[1])
        await stage.obs.start()
        await stage.plays("a")
        assert place_s - 0.5 < stage.told["position_s"] < place_s + 2
        assert len(stage.obs.files) == files + 1 and "made again" in stage.deck.state["music"]
        assert {stage.obs.inputs[source]["volume"] for source in SOURCES} == {-18.0}

    run(Stage(tmp_path, music), scene)


def test_another_collection_of_scenes_gets_the_music_too(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        obs = stage.obs
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        obs.event("CurrentSceneCollectionChanging", {"sceneCollectionName": "mine"})
        await until(lambda: stage.told["paused"])
        asked = len(obs.asked)
        stage.deck.begin("b", 10.0)  # OBS may crash when it is asked now
        await until(lambda: "not connected" in stage.deck.state["music"])
        assert len(obs.asked) == asked
        obs.scenes, obs.inputs, obs.program = {"Talk": []}, {}, "Talk"
        obs.event("CurrentSceneCollectionChanged", {"sceneCollectionName": "yours"})
        await stage.plays("b")
        assert obs.scenes == {"Talk": [SCENE], SCENE: list(SOURCES)}

    run(Stage(tmp_path, music), scene)


def test_a_source_that_was_deleted_is_made_again_and_goes_on(
    tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        monkeypatch.setattr("stream.obs.deck_in_obs.CHECK_S", 0.05)
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        files = len(stage.obs.files)
        stage.obs.do_RemoveInput({"inputName": stage.obs.playing()[0]})
        await until(lambda: len(stage.obs.files) > files and stage.obs.playing())
        assert "made again" in stage.deck.state["music"]
        await stage.plays("a")
        assert set(SOURCES) <= stage.obs.inputs.keys()

    run(Stage(tmp_path, music), scene)


def test_silence_that_is_asked_for_while_a_source_is_made_again_stays(
    tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        monkeypatch.setattr("stream.obs.deck_in_obs.CHECK_S", 0.05)
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        usual = stage.obs.do_GetSceneList

        def asked(data: Any) -> Any:
            stage.deck.obey({"do": "stop"})
            return usual(data)

        stage.obs.handlers["GetSceneList"] = asked
        stage.obs.do_RemoveInput({"inputName": stage.obs.playing()[0]})
        await until(lambda: "made again" in stage.deck.state["music"])
        assert stage.deck.plays is None and stage.told["track"] is None

    run(Stage(tmp_path, music), scene)


def test_collections_of_scenes_that_change_quickly_are_set_up_one_after_another(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        obs = stage.obs
        obs.event("CurrentSceneCollectionChanging")
        await until(lambda: not stage.deck.ready)
        obs.scenes, obs.inputs, obs.program = {"Talk": []}, {}, "Talk"
        usual, made = obs.do_CreateScene, list[str]()

        async def slow(data: Any) -> None:
            if not made:
                obs.event("CurrentSceneCollectionChanged")
                await asyncio.sleep(0.05)
            made.append(data["sceneName"])
            usual(data)

        obs.handlers["CreateScene"] = slow
        obs.event("CurrentSceneCollectionChanged")
        await until(lambda: stage.deck.ready and not stage.deck.errands.running)
        assert made == [SCENE]

    run(Stage(tmp_path, music), scene)


def test_what_somebody_does_to_the_source_in_obs_is_told(
    tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        monkeypatch.setattr("stream.obs.deck_in_obs.CHECK_S", 0.05)
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        source = stage.obs.playing()[0]
        stage.obs.inputs[source]["state"] = PAUSED
        await until(lambda: stage.told["paused"])
        stage.deck.obey({"do": "resume"})
        await until(lambda: not stage.told["paused"])
        assert stage.obs.playing() != [source]
        source = stage.obs.playing()[0]
        stage.obs.inputs[source]["state"] = PAUSED
        await until(lambda: stage.told["paused"])
        stage.obs.inputs[source].update(state=PLAYING, since=asyncio.get_running_loop().time() - 20)
        await until(lambda: not stage.told["paused"] and stage.told["position_s"] > 29)
        stage.obs.end(source)
        await until(lambda: stage.told["track"] is None)

    run(Stage(tmp_path, music), scene)


def test_what_cannot_be_played_is_told_and_the_music_goes_on(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        for track, why in (("gone", "cannot be opened"), ("unknown", "no such track")):
            stage.deck.begin(track, 1.0)
            await until(lambda why=why: why in stage.deck.state["music"])  # type: ignore[misc]
            assert stage.sounds == "a"
        stage.obs.handlers["SetInputSettings"] = lambda data: stage.obs.do_SetInputSettings(
            {**data, "inputSettings": {"local_file": "/of/another/machine.wav"}}
        )
        stage.deck.begin("b", 1.0)
        await until(lambda: "--obs-cuts" in stage.deck.state["music"])

    run(Stage(tmp_path, music), scene)


def test_takes_are_chapters_of_the_recording_where_obs_can(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        assert stage.obs.chapters == []
        stage.obs.event("RecordStateChanged", {"outputActive": True, "outputState": "OBS_WEBSOCKET_OUTPUT_STARTED"})
        stage.deck.begin("b", 10.0)
        await until(lambda: stage.obs.chapters == ["Somebody: B"])
        stage.deck.seek(30.0)
        await until(lambda: stage.told["position_s"] > 29)
        assert stage.obs.chapters == ["Somebody: B"]

    run(Stage(tmp_path, music, fade_s=0.1), scene)


def test_a_long_track_goes_on_behind_its_first_file(
    tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        monkeypatch.setattr("stream.obs.cut.MOST_S", 4.5)
        stage.deck.begin("a", 10.0)
        await stage.plays("a")
        first = stage.deck.sources.now
        await until(lambda: len(stage.obs.files) == 2 and stage.deck.sources.now is not first)
        second = stage.deck.sources.now
        assert first is not None and second is not None
        assert abs(second.place_s(second.at_s) - first.place_s(second.at_s)) < 0.2  # it goes on where it was
        assert not stage.deck.before

    run(Stage(tmp_path, music), scene)


def test_the_folder_of_cuts_stays_small(tmp_path: Path, music: Path) -> None:
    async def scene(stage: Stage) -> None:
        for number in range(5):
            stage.deck.begin(f"t{number}", 10.0, 0.01)
            await stage.plays(f"t{number}")
        (cuts,) = stage.folder.iterdir()
        await until(lambda: sum(file.stat().st_size for file in cuts.iterdir()) < 20_000)

    stage = Stage(tmp_path, music)
    run(stage, scene)
    assert not list(stage.folder.iterdir())
    assert all(stage.obs.inputs[source]["settings"]["local_file"] == "" for source in SOURCES)
