"""Open connections are bounded: one too many is told so, many too many are closed, and what runs goes on."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from stream.server.connections import LEAST, SPARE, affordable, connections_for
from stream.server.hub import HubOptions
from stream.server.tls import TlsOptions
from stream.sources.websocket.pictures import pack_picture

MOST = 20
SDP = {"content-type": "application/sdp"}
linux = pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")


@contextlib.contextmanager
def idle(netloc: str, count: int) -> Iterator[list[socket.socket]]:
    """So many connections that say nothing."""
    host, _, port = netloc.partition(":")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((host, int(port)), timeout=20)) for _ in range(count)]


def closed(connections: list[socket.socket], within_s: float) -> int:
    """How many of them the other side has closed by then."""
    deadline = time.monotonic() + within_s
    count = 0
    for connection in connections:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            try:
                count += connection.recv(1) == b""
            except ConnectionError:
                count += 1
    return count


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def status(url: str, **given: Any) -> int:
    """Of an answer; 0 for none: what was at the bound just before may be so for a moment more."""
    try:
        return httpx.get(url, **given).status_code
    except httpx.TransportError:
        return 0


@contextlib.contextmanager
def at_the_bound(netloc: str) -> Iterator[None]:
    """All of the server's connections are taken."""
    with contextlib.ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(connect(f"ws://{netloc}/ingest"))
        yield


def test_at_the_bound_a_client_is_told_to_come_again(serving: Callable[..., Any], offer: str) -> None:
    with serving(max_connections=MOST) as running, at_the_bound(running.netloc):
        for request in (("GET", "/"), ("GET", "/readyz"), ("POST", "/whip")):
            answer = httpx.request(request[0], running.url.rstrip("/") + request[1])
            assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
            assert answer.headers["connection"] == "close" and "try again later" in answer.text
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://{running.netloc}/ingest")
        assert refused.value.response.status_code == 503
        assert httpx.get(f"{running.url}healthz").status_code == 200  # the process lives: nobody is to kill it
    assert connections_for(HubOptions(max_sessions=8, max_viewers=16)) >= 8 * 17


@contextlib.contextmanager
def watched(netloc: str) -> Iterator[tuple[Any, Any]]:
    """The sockets of a publisher and of a viewer of its session."""
    with connect(f"ws://{netloc}/ingest") as publisher:
        publisher.send(json.dumps({"v": 1, "type": "hello", "kind": "frames"}))
        events = json.loads(publisher.recv(timeout=20))["events"]
        with connect(f"ws://{netloc}{events}") as viewer:
            yield publisher, viewer


def suggests(publisher: Any, viewer: Any, image: Callable[..., bytes]) -> None:
    """The session takes pictures, and its viewer hears of it."""
    for index in range(16):
        publisher.send(pack_picture(1, 125_000 * index, image(shade=5 * index)))
        time.sleep(0.02)
    while json.loads(viewer.recv(timeout=30))["type"] != "suggestions":
        pass


def test_sessions_go_on_and_others_come_in_again(serving: Callable[..., Any], ingesting: Any) -> None:
    with serving(max_connections=MOST) as running:
        with watched(running.netloc) as session, idle(running.netloc, 200) as many:
            assert closed(many[MOST + SPARE :], 5.0) == len(many[MOST + SPARE :])  # at once
            suggests(*session, ingesting.image)
        until(lambda: status(f"{running.url}readyz") == 200)


def test_who_says_nothing_is_let_go_of_and_leaves_room(serving: Callable[..., Any]) -> None:
    with serving(max_connections=MOST) as running, idle(running.netloc, MOST + 5) as many:
        until(lambda: status(running.url) == 503, 5.0)
        assert closed(many[-5:], 5.0) == 5  # who is only refused is given less time
        assert httpx.get(running.url).status_code == 503
        until(lambda: status(running.url) == 200, 15.0)


@linux
def test_before_tls_connections_are_bounded_as_well(
    serving: Callable[..., Any], self_signed: tuple[Path, Path]
) -> None:
    with serving(max_connections=MOST, tls=TlsOptions(*self_signed)) as running:
        netloc = running.url.partition("//")[2].rstrip("/")
        before = len(list(Path("/proc/self/fd").iterdir()))
        with idle(netloc, 150) as many:
            assert closed(many, 3.0) >= 150 - MOST - SPARE
            ours = len(list(Path("/proc/self/fd").iterdir())) - before - 150
            assert ours <= MOST + SPARE + 2
        trust = ssl.create_default_context(cafile=str(self_signed[0]))
        until(lambda: status(f"https://{netloc}/healthz", verify=trust) == 200)


@pytest.mark.skipif(os.name != "posix", reason="the system has no such bound")
def test_the_system_s_bound_on_open_files_is_raised_or_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    told: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, pair: told.append(pair))
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1_000_000, 1_000_000))
    assert affordable(200, 8) == 200 and told == []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 4096))
    assert affordable(200, 8) == 200 and len(told) == 1 and 256 < told[0][0] < 1024 and told[0][1] == 4096
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 700))
    assert LEAST <= affordable(2000, 8) < 200 and told[-1] == (700, 700)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (64, 64))
    assert affordable(2000, 8) == LEAST


@linux
def test_descriptors_do_not_run_out_under_a_session(small_catalog: Path, tiny_bundle: Path, ingesting: Any) -> None:
    """Of a server that may open 640 files and is asked for more connections than that."""
    words = ("-c", str(small_catalog), "--bundle", str(tiny_bundle), "--port", "0", "--max-connections", "1000")
    code = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (640, 640)); "
    code += "sys.argv = ['segue', 'serve', *sys.argv[1:]]; runpy.run_module('segue', run_name='__main__')"
    command = [sys.executable, "-c", code, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://" in line, line
            netloc = next(word for word in line.split() if word.startswith("http://")).split("/")[2]
            with watched(netloc) as session, idle(netloc, 700) as many:
                assert closed(many, 3.0) > 400
                suggests(*session, ingesting.image)
            process.terminate()
            _, said = process.communicate(timeout=60)
        finally:
            watchdog.cancel()
            process.kill()
    assert said.count("\n") == 1 and "may open 640 files" in said and "not 1000" in said
