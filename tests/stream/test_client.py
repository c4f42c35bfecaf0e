"""The Python client against a real socket: pictures arrive, a lost connection is made anew, a refusal is told."""

import asyncio
import contextlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI, Response, WebSocket, WebSocketDisconnect

from stream.client import ClientError, FrameClient, _resolve
from stream.server.access import AccessOptions
from stream.server.app import create_app
from stream.server.ingest import Goodbye, ingest_routes
from stream.server.options import ServeOptions
from stream.server.parts import open_parts
from stream.sources.pull.reconnect import Backoff

QUICK = Backoff(first_s=0.05, most_s=0.2, tries=5)
RAMP = np.broadcast_to(np.linspace(0, 255, 160, dtype=np.uint8)[None, :, None], (90, 160, 3))
PICTURE = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def ingesting() -> Any:
    name = "ingesting_for_tests"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "server" / "ingesting.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def place(ingesting: Any) -> Iterator[Any]:
    """``(hub, url, headers)``; viewers of a session are told how many pictures it has."""
    hub, headers = ingesting.FakeHub(), []
    app = FastAPI()
    app.include_router(ingest_routes(hub))

    @app.websocket("/sessions/{name}/events")
    async def events(socket: WebSocket, name: str) -> None:
        await socket.accept()
        headers.append(socket.headers.get("authorization"))
        fed = next(session for session in hub.sessions if session.id == name)
        said = -1
        while not fed.ends:
            if len(fed.pictures) != said:
                said = len(fed.pictures)
                await socket.send_text(json.dumps({"v": 1, "type": "count", "pictures": said}))
            await asyncio.sleep(0.01)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await socket.close(1000, "over")

    with ingesting.running(app) as address:
        yield hub, f"http://{address}", headers


async def until_count(client: FrameClient, count: int) -> None:
    async with asyncio.timeout(20):
        async for message in client.events():
            if message["type"] == "count" and message["pictures"] >= count:
                return


async def until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")


def test_pictures_go_out_and_events_come_in(place: Any) -> None:
    hub, url, headers = place

    async def scene() -> None:
        async with FrameClient(url, label="Robot", key="r", token="open sesame") as client:
            for index in range(4):
                await client.send(PICTURE, 0.125 * index)
                await until_count(client, index + 1)
            assert (client.sent, client.lost, client.connections) == (4, 0, 1)
            assert client.newest("count") == {"v": 1, "type": "count", "pictures": 4}
            assert client.session == hub.sessions[0].id and client.newest("suggestions") is None

    asyncio.run(scene())
    (fed,) = hub.sessions
    assert (fed.label, fed.key) == ("Robot", "r")
    assert fed.pictures == [(0.125 * index, (64, 48)) for index in range(4)]
    assert fed.ends == ["the publisher stopped"] and headers == ["Bearer open sesame"]


def test_a_fast_sender_never_queues(place: Any) -> None:
    _, url, _ = place

    async def scene() -> None:
        async with FrameClient(url) as client:
            for index in range(200):
                await client.send(PICTURE, 0.125 * index)
            await until_count(client, 1)
            await until(lambda: client.sent + client.lost == 200)
            assert client.sent + client.lost == 200 and client.lost > 0

    asyncio.run(scene())


def test_a_lost_connection_comes_back_with_its_key(place: Any) -> None:
    hub, url, _ = place

    async def scene() -> None:
        async with FrameClient(url, key="mine", backoff=QUICK) as client:
            await client.send(PICTURE, 0.0)
            await until_count(client, 1)
            publisher = hub.sessions[0].publisher  # it belongs to the server's loop
            hub.loop.call_soon_threadsafe(publisher.leave, Goodbye(1011, "an accident"))
            await until(lambda: client.connections == 2)
            await client.send(PICTURE, 1.0)
            await until_count(client, 1)
        assert [session.key for session in hub.sessions] == ["mine", "mine"]
        assert hub.sessions[0].ends == ["an accident"] and hub.sessions[1].pictures == [(1.0, (64, 48))]

    asyncio.run(scene())


@contextlib.contextmanager
def with_events(ingesting: Any, answers: Callable[[WebSocket], Any]) -> Iterator[tuple[Any, str]]:
    """``(hub, url)`` of a server whose sockets for events are the test's."""
    hub, app = ingesting.FakeHub(), FastAPI()
    app.include_router(ingest_routes(hub))

    @app.websocket("/sessions/{name}/events")
    async def events(socket: WebSocket, name: str) -> None:
        await answers(socket)

    with ingesting.running(app) as address:
        yield hub, f"http://{address}"


async def number(socket: WebSocket, count: int) -> None:
    await socket.accept()
    await socket.send_text(json.dumps({"v": 1, "type": "count", "pictures": count}))


def test_lost_events_are_told_and_come_back_while_pictures_go_on(ingesting: Any) -> None:
    came: list[int] = []

    async def answers(socket: WebSocket) -> None:
        came.append(len(came))
        if came[-1] in (1, 2):  # full, and full again
            await socket.accept()
            return await socket.close(4503, "16 viewers are watching already")
        if came[-1] == 3:  # a proxy
            return await socket.send_denial_response(Response(status_code=502))
        await number(socket, came[-1])
        if came[-1] == 0:
            return await socket.close(1012)
        with contextlib.suppress(WebSocketDisconnect):
            await socket.receive()
        return None

    async def scene(url: str, hub: Any) -> None:
        async with FrameClient(url, backoff=Backoff(first_s=0.02, most_s=0.05, tries=2)) as client:
            heard = []
            async with asyncio.timeout(20):
                async for message in client.events():
                    await client.send(PICTURE, float(len(heard)))
                    heard.append(message)
                    if message.get("pictures") == 4:
                        break
            assert [message["type"] for message in heard] == ["count", "warning", "count"]
            assert "1012" in heard[1]["reason"] and "pictures go on" in heard[1]["reason"]
            assert client.listening and client.connections == 1 and len(came) == 5
            assert client.newest("warning") == heard[1]
            await client.send(PICTURE, 9.0)
            await until(lambda: hub.sessions[0].pictures[-1:] == [(9.0, (64, 48))])
        assert not client.listening

    with with_events(ingesting, answers) as (hub, url):
        asyncio.run(scene(url, hub))
    assert len(hub.sessions) == 1


@pytest.mark.parametrize("how", ["accepted and closed with 4401", "refused with 403", "no JSON"])
def test_where_it_may_not_view_only_events_raise(ingesting: Any, how: str) -> None:
    came: list[WebSocket] = []

    async def answers(socket: WebSocket) -> None:
        came.append(socket)
        if how == "refused with 403":
            return await socket.close()
        await socket.accept()
        if how == "no JSON":
            await socket.send_text("welcome")
        return await socket.close(4401, "a token is needed to view")

    async def scene(url: str, hub: Any) -> None:
        async with FrameClient(url, backoff=QUICK) as client:
            with pytest.raises(ClientError, match=r"is needed to view|403|not JSON"):
                async with asyncio.timeout(20):
                    async for _ in client.events():
                        pass
            assert not client.listening
            for index in range(3):
                await client.send(PICTURE, float(index))
                await until(lambda index=index: len(hub.sessions[0].pictures) == index + 1)  # type: ignore[misc]
            with pytest.raises(ClientError):
                await anext(client.events())
        assert len(came) == 1

    with with_events(ingesting, answers) as (hub, url):
        asyncio.run(scene(url, hub))


def test_a_refusal_is_told_by_the_next_call(place: Any) -> None:
    hub, url, _ = place

    async def scene() -> None:
        async with FrameClient(url, key="mine", backoff=QUICK) as client:
            async with FrameClient(url, key="mine"):
                with pytest.raises(ClientError, match="taken over"):
                    async with asyncio.timeout(20):
                        while True:
                            await client.send(PICTURE, 0.0)
                            await asyncio.sleep(0.01)
                with pytest.raises(ClientError, match="taken over"):
                    async for _ in client.events():
                        pass
            with pytest.raises(ValueError, match="shape"):
                await client.send(np.zeros((4, 4), np.uint8), 0.0)
            with pytest.raises(ValueError, match="time of -1"):
                await client.send(PICTURE, -1.0)

    asyncio.run(scene())
    assert len(hub.sessions) == 2


def test_a_server_that_is_busy_absent_or_another_is_told_at_once(ingesting: Any) -> None:
    async def refused(url: str, said: str) -> None:
        with pytest.raises(ClientError, match=said):
            async with FrameClient(url, backoff=QUICK):
                pass

    app = FastAPI()
    app.include_router(ingest_routes(ingesting.FakeHub(limit=0)))
    with ingesting.running(app) as address:
        asyncio.run(refused(f"http://{address}", "all sessions are taken"))
    asyncio.run(refused(f"http://{address}", "[Cc]onnect"))
    asyncio.run(refused("ftp://host", "no server's address"))
    with ingesting.running(FastAPI()) as address:
        asyncio.run(refused(f"http://{address}", "403"))


def test_events_of_another_process_are_found_on_the_same_host_alone() -> None:
    url = "wss://host.example:443/ingest"
    assert _resolve(url, "/sessions/a/events") == "wss://host.example:443/sessions/a/events"
    assert _resolve(url, "https://host.example:8766/sessions/a/events") == "wss://host.example:8766/sessions/a/events"
    for other in ("https://elsewhere.example/sessions/a/events", "", "sessions/a"):
        with pytest.raises(ClientError, match="own host"):
            _resolve(url, other)


def test_suggestions_come_back_from_a_real_session(small_catalog: Path, tiny_bundle: Path, ingesting: Any) -> None:
    """The whole way: pictures by the socket, a live session, suggestions back; a takeover keeps the session."""
    options = ServeOptions(small_catalog, bundle=tiny_bundle, port=0, access=AccessOptions(publish="p", view="v"))
    with open_parts(options) as parts:
        app = create_app(parts, options)
        if not any(getattr(route, "path", "") == "/ingest" for route in app.routes):
            app.include_router(ingest_routes(app.state.hub, options.access))

        async def scene(url: str) -> None:
            with pytest.raises(ClientError, match="may not publish"):
                async with FrameClient(url, token="v"):
                    pass
            sessions = set()
            for begin_s in (0.0, 4.0):
                client = FrameClient(url, key="robot", token="p", view_token="v")
                async with client:
                    for index in range(24):
                        picture = np.roll(RAMP, 9 * index, axis=1)
                        await client.send(np.ascontiguousarray(picture), begin_s + index / 8)
                        await asyncio.sleep(0.04)
                    async with asyncio.timeout(30):
                        async for message in client.events():
                            if message["type"] == "suggestions" and message["items"]:
                                break
                    sessions.add(client.session)
                    if begin_s == 0.0:
                        client._task.cancel()  # type: ignore[union-attr]  # a crash: no goodbye
                        await asyncio.wait({client._task})  # type: ignore[arg-type]
            assert len(sessions) == 1

        with ingesting.running(app) as address:
            asyncio.run(scene(f"http://{address}"))


def test_a_program_can_be_the_player_and_hears_what_others_ask(
    small_catalog: Path, tiny_bundle: Path, ingesting: Any
) -> None:
    async def heard(client: FrameClient, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            async for message in client.events():
                if message["type"] == kind:
                    return message
        raise AssertionError(f"no {kind} came")

    options = ServeOptions(small_catalog, bundle=tiny_bundle, port=0)
    with open_parts(options) as parts:
        app = create_app(parts, options)

        async def scene(url: str) -> None:
            closed = FrameClient(url)
            with pytest.raises(ClientError, match="not open"):
                await closed.tell({"type": "undo"})
            async with FrameClient(url, label="Robot") as client:
                await client.tell({"type": "playing", "track": "a" * 16, "position_s": 3.0})
                assert (await heard(client, "player"))["player"] == "here"
                (session,) = app.state.hub.sessions
                viewer = session.join()
                session.command(viewer, {"type": "do", "do": "seek", "position_s": 9.0})
                assert await heard(client, "do") == {"v": 1, "type": "do", "do": "seek", "position_s": 9.0}
                (old,) = {*session.viewers} - {viewer}
                old.close("a hiccup")  # the client connects anew, and is the player still
                while not (client.listening and {*session.viewers} - {viewer, old}):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.05)
                await client.tell({"type": "playing", "track": "b" * 16})
                told = await heard(client, "player")
                while told["track"] != "b" * 16:
                    told = await heard(client, "player")
                assert told["player"] == "here"

        with ingesting.running(app) as address:
            asyncio.run(asyncio.wait_for(scene(f"http://{address}"), 60))
