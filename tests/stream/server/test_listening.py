"""``--listen``: real publishers come, are killed, come again; each address feeds a session of its own."""

import asyncio
import contextlib
import functools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import custom_output
import httpx
import pytest
import real_obs
import sender

from stream.errors import SourceError
from stream.obs.address import parse_address
from stream.obs.client import ObsClient
from stream.server.hub import Hub, HubOptions
from stream.server.listening import ListenOptions, listening, open_ports
from stream.sources.listen.address import parsed
from stream.sources.sandbox.remote_pull import RemoteOptions, RemotePull

REMOTE = RemoteOptions(open_s=20.0, idle_s=10.0)

Send = Callable[..., "subprocess.Popen[bytes]"]


def options(*kinds: str) -> ListenOptions:
    return ListenOptions(tuple(parsed(f"{kind}://127.0.0.1:{sender.free_port(kind)}") for kind in kinds), REMOTE)


@pytest.fixture
def send() -> Iterator[Send]:
    """``send(address)``: a moving picture and a tone; see ``sender.py``."""
    with sender.sending() as start:
        yield start


def awaited(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that runs on an event loop."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


async def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - other processes have no events
            await asyncio.sleep(0.02)


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("kind", ["srt", "rtmp", "udp"])
@awaited
async def test_a_publisher_that_is_killed_comes_back_to_its_session(kind: str, send: Send, ingesting: Any) -> None:
    hub = ingesting.FakeHub()
    asked = options(kind)
    address = asked.addresses[0]
    with open_ports(asked) as ports:
        async with listening(hub, ports, asked) as (listener,):
            assert listener.state == {"address": address.text, "key": address.key, "state": "waiting", "note": ""}
            first = send(address)
            await until(lambda: hub.sessions and len(hub.sessions[0].pictures) > 8 and hub.sessions[0].sounds)
            fed = hub.sessions[0]
            assert (fed.label, fed.key) == (f"{kind.upper()} :{address.port}", address.key)
            assert listener.state["state"] == "receiving" and {size for _, size in fed.pictures} == {(320, 180)}
            first.kill()
            await until(lambda: fed.ends)
            assert fed.ends == [f"the publisher at {address.label} has gone"]
            send(address)
            await until(lambda: len(hub.sessions) == 2 and len(hub.sessions[1].pictures) > 8)
            assert hub.sessions[1].key == fed.key and hub.sessions[1].ends == []
        assert hub.sessions[1].ends == [f"{address.label} is not listened on any more"]


@pytest.mark.needs("ffmpeg")
@awaited
async def test_it_waits_for_a_place_and_then_gets_in(
    send: Send, ingesting: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hub = ingesting.FakeHub(limit=0)
    asked = options("rtmp")
    with open_ports(asked) as ports:
        async with listening(hub, ports, asked) as (listener,):
            send(asked.addresses[0])
            await until(lambda: listener.note)
            assert listener.note == "all sessions are taken; try again later" and not hub.sessions
            hub.limit = 1
            await until(lambda: hub.sessions and hub.sessions[0].pictures)
            assert listener.note == "" and len([line for line in caplog.messages if "waits for a place" in line]) == 1
            await hub.sessions[0].publisher.close()  # its session ends here: the connection does, too
            await until(lambda: not listener.receiving)
            assert hub.sessions[0].ends == []


@awaited
async def test_a_failure_of_ours_costs_one_visit_and_not_the_address(
    ingesting: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    visits = list[int]()

    async def broken(pull: RemotePull) -> Any:
        visits.append(1)
        raise RuntimeError("not thought of")

    def gone(pull: RemotePull) -> Any:
        visits.append(1)
        raise RuntimeError("not thought of either")

    monkeypatch.setattr("stream.server.listening.AGAIN_S", 0.01)
    monkeypatch.setattr(RemotePull, "_pull", broken)
    asked = options("udp")
    with open_ports(asked) as ports:
        async with listening(ingesting.FakeHub(), ports, asked) as (listener,):
            await until(lambda: len(visits) > 2)
            assert "the server's log says why" in listener.note and "not thought of" in caplog.text
            monkeypatch.setattr(RemotePull, "close", gone)
            before = len(visits)
            await until(lambda: len(visits) > before + 4)
            assert "a publisher's end failed" in caplog.text


@awaited
async def test_it_ends_also_where_its_process_cannot_be_ended(
    ingesting: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closes = RemotePull.close
    closed = list[RemotePull]()

    def gone(pull: RemotePull) -> Any:
        closed.append(pull)
        raise RuntimeError("not thought of")

    asked = options("udp")
    with open_ports(asked) as ports:
        async with asyncio.timeout(30):
            async with listening(ingesting.FakeHub(), ports, asked):
                await asyncio.sleep(0.1)
                monkeypatch.setattr(RemotePull, "close", gone)
    assert len(closed) == 1 and "a publisher's end failed" in caplog.text
    await closes(closed[0])


@awaited
async def test_who_comes_and_sends_nothing_is_let_go(ingesting: Any) -> None:
    hub = ingesting.FakeHub()
    asked = ListenOptions(options("rtmp").addresses, RemoteOptions(open_s=0.5, idle_s=1.0))
    with open_ports(asked) as ports:
        async with listening(hub, ports, asked) as (listener,):
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection("127.0.0.1", asked.addresses[0].port)
            async with asyncio.timeout(20):
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            await until(lambda: listener.note)
            assert listener.note == "no video for 0.5 s" and not hub.sessions


@awaited
async def test_a_process_that_dies_is_followed_by_another(ingesting: Any) -> None:
    hub = ingesting.FakeHub()
    asked = options("udp")
    with open_ports(asked) as ports:
        async with listening(hub, ports, asked) as (listener,):
            seen: set[int] = set()
            await until(lambda: seen.update(children()) or seen)
            for pid in list(seen):
                os.kill(pid, signal.SIGKILL)
            await until(lambda: children() - seen)
            assert "broke off" in listener.note
    await until(lambda: not children())


def children() -> set[int]:
    """The processes of this one that read addresses."""
    found = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "pid=,args="], capture_output=True, text=True)
    lines = [line.split(maxsplit=1) for line in found.stdout.splitlines() if "sandbox.child" in line]
    return {int(pid) for pid, _ in lines}


def test_a_port_that_is_taken_is_told_before_the_server_starts() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        asked = ListenOptions((parsed(f"udp://127.0.0.1:{taken.getsockname()[1]}"),))
        with pytest.raises(SourceError, match="cannot be listened on"), open_ports(asked):
            pass


@pytest.mark.needs("ffmpeg")
def test_the_server_gives_suggestions_for_what_comes(serving: Any, send: Send) -> None:
    """Whole: a session with its key, that outlives its publisher by the grace and ends after it."""
    asked = options("udp", "rtmp")
    with serving(listen=asked, hub=HubOptions(grace_s=1.0)) as server:
        hub: Hub = server.hub
        publisher = send(asked.addresses[1])
        deadline = time.monotonic() + 30
        while not any(session.live.stats.suggestions for session in hub.sessions):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (row,) = httpx.get(f"{server.url}api/sessions").json()["sessions"]
        assert row["label"] == asked.addresses[1].label
        states = [entry["state"] for entry in httpx.get(f"{server.url}healthz").json()["listen"]]
        assert states == ["waiting", "receiving"]
        publisher.kill()
        while hub.sessions:
            assert time.monotonic() < deadline + 30
            time.sleep(0.05)
        assert hub.counters.lost_publishers == 1


@pytest.mark.needs("ffmpeg", "obs", "Xvfb")
def test_obs_sends_its_recording_here_stops_and_comes_again(tmp_path: Path, ingesting: Any) -> None:
    """By RTMP, by UDP and by SRT, with one OBS: the address counts from the next StartRecord on."""
    asked = options("rtmp", "udp", "srt")
    hub = ingesting.FakeHub()

    async def scene(real: real_obs.RealObs) -> None:
        there = asyncio.Event()

        async def connected(_: ObsClient) -> None:
            there.set()

        client = ObsClient(
            parse_address(real.url, real.password),
            on_event=lambda *_: None,
            on_connected=connected,
            on_lost=lambda _: None,
        )
        running = asyncio.create_task(client.run())
        async with asyncio.timeout(20):
            await there.wait()
        with open_ports(asked) as ports:
            async with listening(hub, ports, asked):
                for count, address in enumerate(asked.addresses, 1):
                    for name, value in custom_output.where(custom_output.url_for(address)).items():
                        words = {"parameterCategory": "AdvOut", "parameterName": name, "parameterValue": value}
                        await client.request("SetProfileParameter", words)
                    await client.request("StartRecord")
                    await until(lambda: len(hub.sessions) == count and len(hub.sessions[-1].pictures) > 8)  # noqa: B023
                    fed = hub.sessions[-1]
                    assert fed.key == address.key and {size for _, size in fed.pictures} == {(320, 180)}
                    await client.request("StopRecord")
                    await until(lambda: fed.ends)  # noqa: B023
                    assert fed.ends == [f"the publisher at {address.label} has gone"] and fed.sounds
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with real_obs.obs(tmp_path, start=False) as real:
        custom_output.send_recording_to(real, custom_output.url_for(asked.addresses[0]))
        real.start()
        asyncio.run(scene(real))
