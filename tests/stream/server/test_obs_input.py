"""OBS's program as a session of a running server: it comes, goes, comes back, and names its scenes."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fake_obs import FakeObs
from fake_program import FakeProgram
from websockets.asyncio.client import connect

from stream.client import FrameClient
from stream.obs.address import parse_address
from stream.server import obs_input
from stream.server.hub import HubOptions
from stream.server.obs_input import ObsOptions
from stream.sources.obs.pictures import Pictures

Serving = Callable[..., Any]


class Watching:
    """What a viewer of OBS's session hears."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    @property
    def facts(self) -> list[dict[str, Any]]:
        """Of the newest list."""
        return [fact for item in self.of("suggestions")[-1]["items"] for fact in item["facts"]]

    async def until(self, true: Callable[[], Any], what: str = "") -> None:
        try:
            async with asyncio.timeout(20):
                while not true():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{what} did not come true; heard {[str(m)[:90] for m in self.messages]}") from None


@asynccontextmanager
async def watching(server: Any) -> AsyncIterator[Watching]:
    """A viewer, once there is a session."""
    heard = Watching()
    await heard.until(lambda: server.hub.sessions, "a session")
    address = f"ws://{server.netloc}/sessions/{server.hub.sessions[0].id}/events"
    async with connect(address) as socket:

        async def read() -> None:
            async for text in socket:
                heard.messages.append(json.loads(text))

        task = asyncio.create_task(read())
        yield heard
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def options(obs: FakeObs, password: str = "") -> ObsOptions:
    return ObsOptions(parse_address(obs.url, password))


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obs_input, "AGAIN_S", 0.02)
    monkeypatch.setattr(obs_input, "MEND_S", 0.05)


async def health(server: Any) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        return dict((await client.get(f"{server.url}healthz")).json()["obs"])


def test_a_session_begins_with_obs_and_viewers_hear_how_it_stands(serving: Serving) -> None:
    async def scene() -> None:
        async with FakeObs("secret") as obs:
            program = FakeProgram(obs, "Game", "BRB")
            program.streaming = True
            with serving(obs=options(obs, "secret")) as server:
                async with watching(server) as heard:
                    await heard.until(lambda: heard.of("suggestions"), "a list")
                    session = server.hub.by_key("obs")
                    assert session is not None and session.label == "OBS" and session.inputs.connected
                    (first,) = heard.of("obs")[:1]
                    assert first == {
                        "v": 1, "type": "obs", "connected": True, "scene": "Game", "studio": False, "streaming": True,
                        "recording": False, "rule": "", "plays": False, "ducked_db": 0.0, "note": "",
                    }  # fmt: skip
                    program.show("BRB", over=False)
                    await heard.until(lambda: heard.of("scene"), "a scene")
                    assert heard.of("obs")[-1]["scene"] == "BRB"
                    assert heard.of("accepted")[-1]["command"] == "place"
                    placed = {"kind": "place", "text": "scene 'BRB': calmer"}.items()
                    await heard.until(lambda: any(placed <= fact.items() for fact in heard.facts), "a fact")
                    program.rename("Pause")
                    await heard.until(lambda: heard.of("obs")[-1]["scene"] == "Pause", "a name")
                    assert len(heard.of("scene")) == 1
                    program.set_studio(True)
                    await heard.until(lambda: heard.of("warning"), "a warning")
                    assert "studio mode" in heard.of("warning")[-1]["reason"] == heard.of("obs")[-1]["note"]
                    program.set_studio(False)
                    await heard.until(lambda: not heard.of("obs")[-1]["note"], "no note")
                async with watching(server) as late:
                    await late.until(lambda: late.of("obs"), "the status of a late viewer")
                    assert late.of("obs")[-1]["scene"] == "Pause"
                assert (await health(server)) == {"connected": True, "state": "OBS 29.0.2, obs-websocket 5.1.0"}

    asyncio.run(scene())


def test_the_session_waits_while_obs_is_gone_and_goes_on(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with FakeObs() as obs:
            program = FakeProgram(obs, "Game", "Other")
            with serving(obs=options(obs)) as server:
                async with watching(server) as heard:
                    await heard.until(lambda: heard.of("suggestions"), "a list")
                    session = server.hub.sessions[0].id
                    for round_ in range(1, 3):
                        await obs.stop()
                        await heard.until(lambda: not heard.of("obs")[-1]["connected"], "gone")
                        assert "waiting 600 s for the publisher" in heard.of("warning")[-1]["reason"]
                        assert (await health(server))["connected"] is False
                        program.scene = ("Game", "Other")[round_ % 2]
                        await obs.start()
                        await heard.until(lambda: heard.of("obs")[-1]["connected"], "back")
                        heard.messages = heard.of("obs")[-1:]
                        await heard.until(lambda: heard.of("suggestions"), "lists go on")
                        assert [one.id for one in server.hub.sessions] == [session]
                        assert not heard.of("reset") and not heard.of("end")
                    assert server.hub.counters.resumed == 2 and server.hub.counters.opened == 1

    with caplog.at_level(logging.WARNING, "stream"):  # what is printed unless another level is asked for
        asyncio.run(scene())
    told = [line.partition(": ")[2] for line in caplog.messages if line.startswith("ws://")]
    obs = "OBS 29.0.2, obs-websocket 5.1.0, scene"
    assert [line for line in told if "trying again" not in line] == [
        f"OBS is there: {obs} 'Game'",
        f"OBS is back: {obs} 'Other'",
        f"OBS is back: {obs} 'Game'",
    ]
    assert sum("connection" in line or "closed" in line for line in told) >= 2


def test_the_server_serves_without_obs_and_says_what_to_do(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        obs = FakeObs("secret")
        await obs.start()
        await obs.stop()
        with caplog.at_level(logging.WARNING), serving(obs=options(obs, "hunter22")) as server:
            heard = Watching()
            await heard.until(lambda: "is OBS running" in caplog.text, "a line")
            state = await health(server)
            assert state["connected"] is False and "127.0.0.1" not in str(state["state"])
            FakeProgram(obs, "Game")
            await obs.start()
            await heard.until(lambda: "the password is wrong" in caplog.text, "another line")
            assert not server.hub.sessions and "password is wrong" in str((await health(server))["state"])
            obs.password = "hunter22"  # mended in OBS
            async with watching(server) as heard:
                await heard.until(lambda: heard.of("suggestions"), "a list")
            await obs.stop()
        assert "hunter22" not in caplog.text and caplog.text.count("the password is wrong") == 1

    asyncio.run(scene())


def test_where_there_is_no_place_it_waits_for_one(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        obs = FakeObs()
        FakeProgram(obs, "Game")
        await obs.start()
        await obs.stop()
        with caplog.at_level(logging.WARNING), serving(obs=options(obs), hub=HubOptions(max_sessions=1)) as server:
            heard = Watching()
            async with FrameClient(server.url, key="another"):
                await obs.start()
                await heard.until(lambda: "OBS gets no session: all 1 sessions are taken" in caplog.text, "a line")
            await heard.until(lambda: server.hub.by_key("obs") is not None, "a place")
            assert caplog.text.count("OBS gets no session") == 1
        await obs.stop()

    asyncio.run(scene())


def test_it_feeds_no_session_that_another_publisher_feeds(serving: Serving) -> None:
    """A publisher with OBS's key takes the session over, and OBS takes it back when that one has gone."""

    async def scene() -> None:
        async with FakeObs() as obs:
            program = FakeProgram(obs, "Game")
            with serving(obs=options(obs)) as server:
                async with watching(server) as heard:
                    await heard.until(lambda: heard.of("suggestions"), "a list")
                    async with FrameClient(server.url, key="obs") as client:
                        await client.send(np.zeros((90, 160, 3), np.uint8), 0.0)
                        await heard.until(lambda: server.hub.counters.taken_over == 1, "taken over")
                        await asyncio.sleep(0.3)
                        shots = program.shots["Game"]
                        await asyncio.sleep(0.3)
                        assert program.shots["Game"] == shots
                    await heard.until(lambda: server.hub.by_key("obs") is not None, "a session again")
                    await heard.until(lambda: program.shots["Game"] > shots + 8, "pictures again")

    asyncio.run(scene())


def test_a_failure_of_ours_costs_that_publisher_alone(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    take, failures = Pictures._take, [RuntimeError("broken")]

    async def failing(self: Pictures, client: Any) -> None:
        if len(failures) == 1 and self.taken > 8:
            failures.append(RuntimeError("was broken"))
            raise failures[0]
        await take(self, client)

    monkeypatch.setattr(Pictures, "_take", failing)

    async def scene() -> None:
        async with FakeObs() as obs:
            FakeProgram(obs, "Game")
            with serving(obs=options(obs)) as server:
                async with watching(server) as heard:
                    await heard.until(lambda: server.hub.counters.resumed == 1, "another publisher")
                    assert any("no picture can be asked" in told["reason"] for told in heard.of("warning"))
                    heard.messages.clear()
                    await heard.until(lambda: heard.of("suggestions"), "lists go on")

    asyncio.run(scene())


@pytest.mark.skipif(os.name != "posix", reason="sockets that processes share")
def test_of_several_processes_one_has_obs(small_catalog: Path, tiny_bundle: Path) -> None:
    async def scene() -> None:
        async with FakeObs("secret") as obs:
            FakeProgram(obs, "Game")
            words = ["-m", "segue", "serve", "--port", "0", "--workers", "2", "-c", str(small_catalog)]
            words += ["--bundle", str(tiny_bundle), "--obs", obs.url]
            environment = {**os.environ, "SEGUE_OBS_PASSWORD": "secret"}
            process = await asyncio.create_subprocess_exec(
                sys.executable, *words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
            try:
                assert process.stdout is not None
                line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
                url = next(word for word in line.split() if word.startswith("http://"))
                async with httpx.AsyncClient() as client, asyncio.timeout(60):
                    while not (sessions := (await client.get(f"{url}api/sessions")).json()["sessions"]):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                assert [session["label"] for session in sessions] == ["OBS"] and obs.connections == 1
            finally:
                process.kill()
                await process.wait()

    asyncio.run(scene())
