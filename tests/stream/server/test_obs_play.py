"""OBS as the player of a running server's sessions: it takes the role, obeys, gives it up, and comes back."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_program import FakeProgram
from music_obs import MusicObs
from websockets.asyncio.client import ClientConnection, connect

from stream.client import FrameClient
from stream.obs.address import parse_address
from stream.obs.deck_parts import DeckOptions
from stream.obs.rules import parse_rules
from stream.server import obs_input
from stream.server.hub import HubOptions
from stream.server.obs_input import ObsOptions
from stream.server.obs_play import ObsPlayOptions

Serving = Callable[..., Any]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obs_input, "AGAIN_S", 0.02)
    monkeypatch.setattr("stream.obs.media.TICK_S", 0.001)


class Viewer:
    """A page, as the server sees it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.messages: list[dict[str, Any]] = []
        self._socket = socket

    async def read(self) -> None:
        async for text in self._socket:
            self.messages.append(json.loads(text))

    async def tell(self, **message: Any) -> None:
        await self._socket.send(json.dumps(message))

    def last(self, kind: str) -> dict[str, Any]:
        return next((message for message in reversed(self.messages) if message["type"] == kind), {})

    async def until(self, true: Callable[[], Any]) -> None:
        try:
            async with asyncio.timeout(20):
                while not true():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            kinds = [message for message in self.messages if message["type"] != "suggestions"]
            raise AssertionError(f"it did not come true; heard {kinds[-8:]}") from None

    async def hears(self, kind: str, **fields: Any) -> None:
        """Wait until the newest message of a kind has these fields."""
        await self.until(lambda: fields.items() <= self.last(kind).items())

    async def track(self) -> str:
        """The first of the list."""
        await self.until(lambda: self.last("suggestions"))
        return str(self.last("suggestions")["items"][0]["track"])


@asynccontextmanager
async def viewing(server: Any, key: str = "obs") -> AsyncIterator[Viewer]:
    async with asyncio.timeout(20):
        while server.hub.by_key(key) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    async with connect(f"ws://{server.netloc}/events?key={key}") as socket:
        viewer = Viewer(socket)
        task = asyncio.create_task(viewer.read())
        yield viewer
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def running(serving: Serving, **settings: Any) -> AsyncIterator[Any]:
    """A server, whose end may take its time: OBS is in this loop, and the server lets its music fade out."""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(serving(**settings))
        await asyncio.to_thread(stack.close)


def sending(server: Any) -> FrameClient:
    return FrameClient(server.url, key="cam")


def options(obs: MusicObs, folder: Path, **rules: Any) -> dict[str, Any]:
    deck = DeckOptions(fade_s=0.1, rules=parse_rules(rules))
    return {"obs": ObsOptions(parse_address(obs.url)), "obs_play": ObsPlayOptions(deck, folder / "cuts")}


def test_obs_plays_in_its_own_session_and_every_page_is_its_remote(serving: Serving, tmp_path: Path) -> None:
    async def scene() -> None:
        async with MusicObs("Game", "BRB") as obs:
            program = FakeProgram(obs, "Game", "BRB")
            asked = options(obs, tmp_path, BRB={"music": "silent"})
            async with running(serving, **asked) as server, viewing(server) as page:
                await page.hears("player", player="elsewhere", name="OBS", level_db=-10.0)
                track = await page.track()
                await page.tell(type="do", do="level", db=-6)
                await page.hears("player", level_db=-6.0)
                await page.tell(type="do", do="play", track=track, start_s=3.0)
                await page.hears("player", track=track, paused=False, level_db=-6.0)
                await page.until(lambda: obs.inputs[obs.playing()[0]]["volume"] == -6.0)
                assert 2.7 < page.last("player")["position_s"] < 6 and len(obs.files) == 1
                await page.hears("obs", plays=True, rule="", scene="Game")
                await page.until(lambda: (page.last("suggestions")["on_air"] or {}).get("track") == track)
                program.show("BRB")
                await page.hears("player", paused=True)
                await page.hears("obs", plays=False, rule="silent", scene="BRB")
                await page.until(lambda: not obs.playing())
                place_s = page.last("player")["position_s"]
                program.show("Game")
                await page.hears("player", track=track, paused=False)
                assert place_s - 0.3 < page.last("player")["position_s"] < place_s + 3
                await page.tell(type="do", do="duck", on=True)
                await page.hears("obs", ducked_db=-12.0)
                await page.tell(type="do", do="stop")
                await page.hears("player", track=None)
                await page.until(lambda: not obs.playing())

    asyncio.run(scene())


def test_the_sound_moves_between_page_and_obs(serving: Serving, tmp_path: Path) -> None:
    async def scene() -> None:
        async with MusicObs("Game") as obs:
            FakeProgram(obs, "Game")
            asked = options(obs, tmp_path)
            async with running(serving, **asked) as server, viewing(server) as page:
                await page.hears("player", name="OBS")
                track = await page.track()
                await page.tell(type="do", do="play", track=track, start_s=3.0)
                await page.hears("player", track=track, paused=False)
                await page.tell(type="player", take=True)
                await page.hears("player", player="here", name="")
                await page.until(lambda: not obs.playing())
                await page.tell(type="playing", track=track, position_s=8.0)
                # It plays on: the server may come to tell the place some ms later.
                await page.until(lambda: 8.0 <= page.last("player")["position_s"] < 8.5)
                await page.hears("player", player="here")
                await page.tell(type="player", take=True, name="OBS")
                await page.hears("player", player="elsewhere", name="OBS", paused=False)
                await page.until(lambda: len(obs.playing()) == 1)
                assert page.last("player")["position_s"] >= 7.7
                await page.tell(type="player", take=False, name="OBS")
                await page.hears("player", player=None, name="", paused=True)
                await page.tell(type="player", take=True, name="Winamp")
                await page.until(lambda: "Winamp cannot play here" in page.last("refused").get("reason", ""))

    asyncio.run(scene())


def test_obs_plays_for_one_session_at_a_time(serving: Serving, tmp_path: Path) -> None:
    async def scene() -> None:
        async with MusicObs("Game") as obs:
            FakeProgram(obs, "Game")
            asked = options(obs, tmp_path)
            async with running(serving, **asked) as server, viewing(server) as own, sending(server) as client:
                await own.hears("player", name="OBS")
                track = await own.track()
                await own.tell(type="do", do="play", track=track, start_s=3.0)
                await own.hears("player", track=track)
                await client.send(np.zeros((90, 160, 3), np.uint8), 0.0)
                async with viewing(server, "cam") as other:
                    await other.tell(type="player", take=True, name="OBS")
                    await other.hears("player", player="elsewhere", name="OBS")
                    await own.hears("player", player=None, paused=True)
                    await other.tell(type="do", do="play", track=track, start_s=1.0)
                    await other.hears("player", track=track, paused=False)
                    await other.hears("obs", plays=True, connected=True)  # it hears of OBS now
                    await own.hears("obs", plays=False, connected=True)  # another session's music is not its own
                    await own.until(lambda: len(obs.playing()) == 1)
                    await own.tell(type="player", take=True, name="OBS")
                    await other.hears("obs", plays=False, connected=True)
                    await own.hears("player", player="elsewhere", name="OBS", paused=True)
                    await own.tell(type="do", do="resume")
                    await own.hears("obs", plays=True, connected=True)
                    await obs.stop()
                    await other.hears("obs", connected=False)

    asyncio.run(scene())


def test_obs_plays_in_its_own_session_once_the_other_one_has_ended(serving: Serving, tmp_path: Path) -> None:
    async def scene() -> None:
        async with MusicObs("Game") as obs:
            FakeProgram(obs, "Game")
            asked = options(obs, tmp_path) | {"hub": HubOptions(grace_s=0.0)}
            async with running(serving, **asked) as server:
                async with sending(server) as client:
                    async with viewing(server) as own:
                        await own.hears("player", name="OBS")
                        await client.send(np.zeros((90, 160, 3), np.uint8), 0.0)
                        async with viewing(server, "cam") as other:
                            await other.tell(type="player", take=True, name="OBS")
                            await other.hears("player", name="OBS")
                        await obs.stop()
                        await own.until(lambda: server.hub.by_key("obs") is None)
                    await obs.start()
                    async with viewing(server) as anew:
                        await anew.track()
                        assert not anew.last("player").get("name")
                async with viewing(server) as anew:
                    await anew.hears("player", name="OBS")

    asyncio.run(scene())


def test_an_obs_that_is_away_does_not_become_the_player_and_the_servers_end_ends_its_music(
    serving: Serving, tmp_path: Path
) -> None:
    async def scene() -> None:
        async with MusicObs("Game") as obs:
            FakeProgram(obs, "Game")
            asked = options(obs, tmp_path)
            async with running(serving, **asked) as server, viewing(server) as page:
                await page.hears("player", name="OBS")
                await obs.stop()
                await page.hears("obs", connected=False)
                await page.tell(type="player", take=True, name="OBS")
                await page.until(lambda: "OBS cannot play here" in page.last("refused").get("reason", ""))
                await obs.start()
                await page.hears("obs", connected=True)
                track = await page.track()
                await page.tell(type="do", do="play", track=track, start_s=3.0)
                await page.hears("player", track=track, paused=False, name="OBS")
                assert len(obs.playing()) == 1
            assert not obs.playing()

    asyncio.run(scene())


def test_the_wishes_of_scenes_that_follow_quickly_are_undone_one_by_one(serving: Serving, tmp_path: Path) -> None:
    """Before any list has the wishes of the first one."""

    async def scene() -> None:
        async with MusicObs("Game", "BRB", "Boss") as obs:
            program = FakeProgram(obs, "Game", "BRB", "Boss")
            asked = options(obs, tmp_path, BRB={"steer": {"energy": -0.51234}}, Boss={"steer": {"energy": 0.6}})
            async with running(serving, **asked) as server, viewing(server) as page:
                await page.hears("player", name="OBS")
                await page.track()
                state = server.hub.by_key("obs").live
                for name in ("BRB", "Boss"):
                    program.show(name)
                    await page.hears("obs", scene=name)
                await page.until(lambda: state.asked.steer.energy == 0.6)
                program.show("Game")
                await page.until(lambda: state.asked.steer.energy == 0.0)

    asyncio.run(scene())


def test_without_the_option_obs_is_left_alone(serving: Serving, tmp_path: Path) -> None:
    async def scene() -> None:
        async with MusicObs("Game") as obs:
            FakeProgram(obs, "Game")
            asked = {"obs": options(obs, tmp_path)["obs"]}
            async with running(serving, **asked) as server, viewing(server) as page:
                await page.track()
                await page.tell(type="player", take=True, name="OBS")
                await page.until(lambda: "--obs-play" in page.last("refused").get("reason", ""))
            assert set(obs.kinds()) <= {
                "GetVersion", "GetCurrentProgramScene", "GetStudioModeEnabled", "GetStreamStatus", "GetRecordStatus",
                "GetSourceScreenshot",
            }  # fmt: skip

    asyncio.run(scene())
