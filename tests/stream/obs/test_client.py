"""The client against a server that speaks obs-websocket 5: asking, being told, losing the line and finding it again."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from fake_obs import FakeObs, RefusedError

from stream.obs import client as client_module
from stream.obs.address import parse_address
from stream.obs.client import MAX_WAITING, ObsClient, Subscription, authentication
from stream.obs.errors import ObsError, ObsGoneError, ObsRequestError, ObsSlowError
from stream.sources.pull.reconnect import Backoff

QUICK = Backoff(first_s=0.01, most_s=0.02, tries=1)


class Listener:
    """Keeps what a client tells."""

    def __init__(self, obs: FakeObs, password: str = "", **options: Any) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.lost: list[str] = []
        self.absent: list[str] = []
        self.greeted = 0
        self.client = ObsClient(
            parse_address(obs.url, password),
            on_event=lambda kind, data: self.events.append((kind, data)),
            on_connected=self.greet,
            on_lost=self.lost.append,
            on_absent=self.absent.append,
            backoff=QUICK,
            **options,
        )

    async def greet(self, client: ObsClient) -> None:
        assert client.connected
        self.greeted += 1


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def connected(obs: FakeObs, password: str = "", **options: Any) -> AsyncIterator[Listener]:
    listener = Listener(obs, password, **options)
    task = asyncio.create_task(listener.client.run())
    try:
        await until(lambda: listener.greeted)
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_proof_of_a_password_is_that_of_the_protocol() -> None:
    """The example of obs-websocket's own protocol.md."""
    salt, challenge = "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=", "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY="
    proof = authentication("supersecretpassword", salt, challenge)
    assert proof == "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4="


def test_it_identifies_asks_and_is_told() -> None:
    async def scene() -> None:
        async with FakeObs("secret") as obs:
            obs.handlers["GetStats"] = lambda data: {"fps": data["of"]}
            async with connected(obs, "secret", subscriptions=Subscription.SCENES) as listener:
                client = listener.client
                assert obs.subscriptions == 4
                assert "GetStats" in client.available and client.version == "OBS 29.0.2, obs-websocket 5.1.0"
                assert await client.request("GetStats", {"of": 30}) == {"fps": 30}
                obs.event("SceneNameChanged", {"sceneName": "Game"})
                obs.event("ExitStarted")
                await until(lambda: len(listener.events) == 2)
                assert listener.events == [("SceneNameChanged", {"sceneName": "Game"}), ("ExitStarted", {})]

    asyncio.run(scene())


def test_answers_come_to_who_asked_in_any_order() -> None:
    async def scene() -> None:
        async with FakeObs() as obs:
            gate = asyncio.Event()

            async def slow(data: Mapping[str, Any]) -> dict[str, Any]:
                await gate.wait()
                return {"is": "slow"}

            obs.handlers |= {"Slow": slow, "Quick": lambda data: {"is": "quick"}}
            async with connected(obs) as listener:
                first = asyncio.create_task(listener.client.request("Slow"))
                assert await listener.client.request("Quick") == {"is": "quick"}
                gate.set()
                assert await first == {"is": "slow"}

    asyncio.run(scene())


def test_a_refusal_has_its_code_and_a_batch_goes_on_after_one() -> None:
    def refuse(data: Mapping[str, Any]) -> None:
        raise RefusedError(600, "No source was found.")

    async def scene() -> None:
        async with FakeObs() as obs:
            obs.handlers |= {"Bad": refuse, "Good": lambda data: None}
            async with connected(obs) as listener:
                with pytest.raises(ObsRequestError, match=r"OBS refuses Bad with 600: No source was found\.") as caught:
                    await listener.client.request("Bad")
                assert (caught.value.kind, caught.value.code) == ("Bad", 600)
                with pytest.raises(ObsRequestError, match="204"):
                    await listener.client.request("Unknown")
                bad, good = await listener.client.batch([("Bad", {}), ("Good", {})])
                assert isinstance(bad, ObsRequestError) and bad.code == 600 and good == {}
                assert len(await listener.client.batch([("Bad", {}), ("Good", {})], halt_on_failure=True)) == 1

    asyncio.run(scene())


@pytest.mark.parametrize("end", ["kill", "quit"])
def test_what_waits_fails_at_once_when_the_line_closes_and_it_comes_back(end: str) -> None:
    async def scene() -> None:
        async with FakeObs() as obs:
            obs.handlers["Never"] = lambda data: asyncio.Event().wait()
            async with connected(obs) as listener:
                waiting = asyncio.create_task(listener.client.request("Never", timeout_s=600))
                await until(lambda: "Never" in obs.kinds())
                if end == "kill":
                    obs.kill()
                else:
                    await obs.stop()
                with pytest.raises(ObsGoneError, match="lost"):
                    await asyncio.wait_for(waiting, 10)
                await until(lambda: listener.lost)
                if end == "quit":
                    assert "1001 (Server stopping.)" in listener.lost[0]
                    await until(lambda: listener.absent)
                    assert "is OBS running" in listener.client.trouble
                    with pytest.raises(ObsGoneError, match="is not connected"):
                        await listener.client.request("GetVersion")
                    await obs.start()
                await until(lambda: listener.greeted == 2)
                assert (await listener.client.request("GetVersion"))["obsVersion"] == "29.0.2"
                assert listener.client.connections == 2 and len(listener.lost) == 1

    asyncio.run(scene())


def test_no_answer_in_time_costs_that_request_alone() -> None:
    async def scene() -> None:
        async with FakeObs() as obs:
            obs.handlers["Never"] = lambda data: asyncio.Event().wait()
            async with connected(obs) as listener:
                with pytest.raises(ObsSlowError, match=r"no answer to Never within 0\.01 s"):
                    await listener.client.request("Never", timeout_s=0.01)
                assert await listener.client.request("GetVersion") and not listener.lost

    asyncio.run(scene())


@pytest.mark.parametrize("what", ["GetVersion", "GetSceneList"])
def test_an_obs_that_does_not_answer_at_the_beginning_is_connected_to_anew(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one asks itself, the other is what its owner asks."""

    async def scene() -> None:
        async with FakeObs() as obs:
            usual = obs.handlers["GetVersion"]
            obs.handlers["GetSceneList"] = lambda data: {}

            async def never_at_first(data: Mapping[str, Any]) -> Any:
                if obs.connections == 1:
                    await asyncio.Event().wait()
                return usual(data)

            async def greet(self: Listener, client: ObsClient) -> None:
                await client.request("GetSceneList", timeout_s=0.1)
                self.greeted += 1

            monkeypatch.setattr(Listener, "greet", greet)
            monkeypatch.setattr(ObsClient.request, "__defaults__", (None, 0.1))
            obs.handlers[what] = never_at_first
            async with connected(obs) as listener:
                assert obs.connections == 2 and listener.client.connected
                told = listener.lost + listener.absent
                assert len(told) == 1 and told[0].endswith("OBS does not answer")

    asyncio.run(scene())


def test_only_so_many_requests_wait() -> None:
    async def scene() -> None:
        async with FakeObs() as obs:
            obs.handlers["Never"] = lambda data: asyncio.Event().wait()
            async with connected(obs) as listener:
                waiting = [asyncio.create_task(listener.client.request("Never")) for _ in range(MAX_WAITING)]
                await until(lambda: obs.kinds().count("Never") == MAX_WAITING)
                with pytest.raises(ObsSlowError, match=f"{MAX_WAITING} requests wait"):
                    await listener.client.request("GetVersion")
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)
                assert await listener.client.request("GetVersion")

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("obs", "password", "cure"),
    [
        (FakeObs("secret"), "hunter22", "the password is wrong; compare it with OBS: Tools, WebSocket Server Settings"),
        (FakeObs("secret"), "", "asks for a password .* SEGUE_OBS_PASSWORD or with --obs-password-file"),
        (FakeObs(rpc=2), "", "older protocol than obs-websocket 5"),
        (FakeObs(rpc=0), "", "older protocol than obs-websocket 5; OBS 28"),
        (FakeObs(manner="old"), "", "older protocol than obs-websocket 5; OBS 28"),
    ],
)
def test_what_no_second_try_mends_ends_it_in_words(obs: FakeObs, password: str, cure: str) -> None:
    async def scene() -> None:
        async with obs:
            listener = Listener(obs, password, connect_s=0.2 if obs.manner == "old" else 5.0)
            with pytest.raises(ObsError, match=cure) as caught:
                await asyncio.wait_for(listener.client.run(), 20)
            assert not isinstance(caught.value, ObsGoneError) and "hunter22" not in str(caught.value)
            assert not listener.greeted and not listener.client.connected
            assert str(caught.value) == listener.client.trouble

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("manner", "cause"), [("silent", "does not say hello"), ("strange", "does not speak JSON"), ("off", "is not there")]
)
def test_what_may_pass_is_tried_again(manner: str, cause: str) -> None:
    async def scene() -> None:
        obs = FakeObs(manner=manner)
        await obs.start()
        if manner == "off":
            await obs.stop()
        listener = Listener(obs, connect_s=0.05 if manner == "silent" else 5.0)
        task = asyncio.create_task(listener.client.run())
        await until(lambda: len(listener.absent) >= 2)
        assert cause in listener.absent[0] and cause in listener.client.trouble and not listener.lost
        if manner == "off":
            await obs.start()
        obs.manner = "usual"
        await until(lambda: listener.greeted)
        assert listener.client.trouble == ""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await obs.stop()

    asyncio.run(scene())


def test_a_port_of_another_program_is_told() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async def scene() -> None:
        obs = FakeObs()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            obs.port = server.sockets[0].getsockname()[1]
            listener = Listener(obs)
            task = asyncio.create_task(listener.client.run())
            await until(lambda: listener.absent)
            assert "is it OBS's port?" in listener.absent[0]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())


def test_a_listener_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("broken")

    async def greet(client: ObsClient) -> None:
        greeted.append(client)
        fail()

    greeted: list[ObsClient] = []

    async def scene() -> None:
        async with FakeObs() as obs:
            client = ObsClient(parse_address(obs.url), on_event=fail, on_connected=greet, on_lost=fail, backoff=QUICK)
            task = asyncio.create_task(client.run())
            await until(lambda: greeted)
            obs.event("SceneNameChanged")
            assert await client.request("GetVersion")
            obs.kill()
            await until(lambda: len(greeted) == 2)
            assert await client.request("GetVersion")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    assert caplog.text.count("broken") >= 3


def test_an_obs_that_is_not_ready_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ASK_AGAIN_S", 0.01)
    asked: list[float] = []

    def starting(data: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(data["until"])
        if len(asked) < data["until"]:
            raise RefusedError(207, "OBS is not ready to perform the request.")
        return {"asked": len(asked)}

    async def scene() -> None:
        async with FakeObs() as obs:
            obs.handlers["GetStats"] = starting
            async with connected(obs) as listener:
                assert await listener.client.request("GetStats", {"until": 3}) == {"asked": 3}
                with pytest.raises(ObsRequestError, match="207"):
                    await listener.client.request("GetStats", {"until": 1e9}, timeout_s=0.1)

    asyncio.run(scene())
