"""Several processes on one port: where sessions go, what each knows of the others, and what a kill does."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from catalog.layout import is_catalog
from stream.client import FrameClient
from stream.server import process as serving_process
from stream.server.address import base_url, public_origins
from stream.server.errors import ServeError
from stream.server.music_watch import WatchOptions
from stream.server.options import ServeOptions
from stream.server.security import content_policy, of_ports
from stream.server.worker_status import BYTES, STALE_S, Status, WorkerStatuses, entry
from stream.server.workers import BACKOFF_MAX_S, BACKOFF_S, backoff_s, own_ports

SDP = {"content-type": "application/sdp"}
posix = pytest.mark.skipif(os.name != "posix", reason="sockets that processes share")


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if true():
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)


@contextlib.contextmanager
def workers(count: int, *words: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "segue", "serve", "--port", "0", "--workers", str(count), *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(170, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            assert "http://" in line, line or process.stderr.read()
            yield process, next(word for word in line.split() if word.startswith("http://")).rstrip("/")
        finally:
            watchdog.cancel()
            process.kill()


def publish(url: str, offer: str) -> httpx.Response:
    """A session, over a connection of its own."""
    answer = httpx.post(f"{url}/whip?label=x", content=offer, headers=SDP)
    assert answer.status_code == 201, answer.text
    return answer


def sessions(url: str) -> list[dict[str, Any]]:
    return list(httpx.get(f"{url}/api/sessions").json()["sessions"])


def port_of(address: str) -> int:
    port = urlsplit(address).port
    assert port is not None
    return port


@posix
def test_sessions_stay_where_they_are_and_a_killed_worker_comes_back(
    small_catalog: Path, tiny_bundle: Path, offer: str
) -> None:
    words = ("-c", small_catalog, "--bundle", tiny_bundle, "--drain-s", "0.2", "--max-sessions", "2")
    words = (*words, "--handshake-s", "300")  # nobody will connect
    with workers(2, *words) as (parent, url):
        shared = port_of(url)
        answers = []
        for number in range(4):  # as many as there is room for in both: each must find its place
            answers.append(publish(url, offer))
            assert wait_until(lambda wanted=number + 1: len(sessions(url)) == wanted)  # type: ignore[misc]
        located = Counter(port_of(answer.headers["location"]) for answer in answers)
        assert sorted(located.values()) == [2, 2] and shared not in located
        for answer in answers:
            assert port_of(answer.headers["segue-events"]) == port_of(answer.headers["location"])
        # every worker lists them all, by addresses that lead to the right one
        one, other = located
        for port in (shared, one, other):
            at = f"http://127.0.0.1:{port}"
            assert wait_until(lambda at=at: len(sessions(at)) == 4)  # type: ignore[misc]
            listed = {session["events"] for session in sessions(at)}
            assert listed == {answer.headers["segue-events"] for answer in answers}
        full = httpx.get(f"{url}/readyz")
        assert full.status_code == 503 and full.json()["reason"].startswith("full")
        mine = next(answer for answer in answers if port_of(answer.headers["location"]) == other)
        # each counts for itself, at its own port
        for port in located:
            assert "segue_sessions 2.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        misled = httpx.get(f"{url}/metrics")
        assert misled.status_code == 404 and str(one) in misled.text and str(other) in misled.text
        # one is killed: the other's sessions go on, and a new one stands in its place
        with connect(mine.headers["segue-events"].replace("http", "ws", 1), origin=url) as viewer:  # type: ignore[arg-type]
            os.kill(pid_at(one), signal.SIGKILL)
            assert wait_until(lambda: httpx.get(f"{url}/readyz", timeout=5).status_code == 200)
            assert wait_until(lambda: httpx.get(f"http://127.0.0.1:{one}/readyz", timeout=5).status_code == 200)
            viewer.send("{}")
            assert "refused" in viewer.recv(timeout=10)
            again: list[httpx.Response] = []

            def taken() -> bool:  # the full one may not have heard of the new one yet
                again.append(httpx.post(f"{url}/whip", content=offer, headers=SDP))
                return again[-1].status_code == 201

            assert wait_until(taken)
            assert port_of(again[-1].headers["location"]) == one
            for port, times in ((one, "1.0"), (other, "0.0")):
                told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
                assert f"segue_worker_restarts_total {times}" in told
            assert httpx.delete(mine.headers["location"]).status_code == 200
        parent.send_signal(signal.SIGTERM)
        _, errors = parent.communicate(timeout=60)
        assert parent.returncode == 0, errors
        assert "ended with -9; it restarts in" in errors and "Traceback" not in errors
        for port in (shared, one, other):
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"http://127.0.0.1:{port}/healthz")


async def session_of_a_client(url: str, key: str) -> str | None:
    async with FrameClient(url, key=key) as client:
        return client.session


def pid_at(port: int) -> int:
    """The process that says that this port is its own."""
    return int(httpx.get(f"http://127.0.0.1:{port}/healthz").json()["pid"])


@posix
def test_a_key_finds_its_session_and_ctrl_c_ends_them_all(small_catalog: Path, tiny_bundle: Path, offer: str) -> None:
    words = ("-c", small_catalog, "--bundle", tiny_bundle, "--drain-s", "3600", "--allow-pull")
    with workers(2, *words) as (parent, url):
        # a publisher that comes again with its key is sent to where its session is, whomever it asks
        first = httpx.post(f"{url}/whip?key=my%20encoder", content=offer, headers=SDP)
        here = port_of(first.headers["location"])
        second = []

        def elsewhere() -> bool:  # the first one's worker may not have heard that it is the busier one
            second.append(port_of(publish(url, offer).headers["location"]))
            return second[-1] != here

        assert wait_until(elsewhere)
        other = second[-1]
        asked = f"http://127.0.0.1:{other}/whip?key=my%20encoder&label=x"
        assert wait_until(lambda: httpx.post(asked, content="no offer", headers=SDP).status_code == 307)
        sent = httpx.post(asked, content=offer, headers=SDP, follow_redirects=True)
        assert sent.status_code == 201 and str(sent.url) == asked.replace(str(other), str(here))
        assert sent.headers["segue-events"] == first.headers["segue-events"]
        assert sent.headers["location"] != first.headers["location"]
        # so is one that names a URL
        body = {"url": "http://127.0.0.1:1/v.mp4", "key": "my encoder"}
        sent = httpx.post(f"http://127.0.0.1:{other}/api/pull?x=y", json=body)
        assert sent.status_code == 307 and sent.headers["location"] == f"http://127.0.0.1:{here}/api/pull?x=y"
        assert httpx.post(sent.headers["location"], json=body).status_code == 422  # the URL is judged there
        # and one of a websocket, whose key comes too late for HTTP: it is told, and ours follows
        with connect(f"ws://127.0.0.1:{other}/ingest") as socket:
            socket.send(json.dumps({"v": 1, "type": "hello", "kind": "frames", "key": "my encoder"}))
            moved = json.loads(socket.recv(timeout=10))
            assert moved == {"v": 1, "type": "moved", "ingest": f"http://127.0.0.1:{here}/ingest"}
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4307
        session = asyncio.run(session_of_a_client(f"http://127.0.0.1:{other}", "my encoder"))
        assert session == urlsplit(first.headers["segue-events"]).path.split("/")[2]
        pid = pid_at(here)
        parent.send_signal(signal.SIGINT)
        _, errors = parent.communicate(timeout=60)
        assert parent.returncode == 0 and errors == ""
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@posix
def test_workers_do_not_outlive_a_parent_that_is_killed(small_catalog: Path, tiny_bundle: Path, offer: str) -> None:
    with workers(2, "-c", small_catalog, "--bundle", tiny_bundle) as (parent, url):
        port = port_of(publish(url, offer).headers["location"])
        parent.kill()

        def gone() -> bool:
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
            except httpx.ConnectError:
                return True
            return False

        assert wait_until(gone)


@posix
def test_a_mistake_is_one_line_and_2(tmp_path: Path, tiny_bundle: Path) -> None:
    command = [sys.executable, "-m", "segue", "serve", "--port", "0", "--workers", "2", "-c", str(tmp_path / "none")]
    done = subprocess.run([*command, "--bundle", str(tiny_bundle)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and str(tmp_path / "none") in done.stderr


# ---- without processes ----------------------------------------------------------------------------------------------


def status(port: int, count: int = 0, serving: bool = True, room: bool = True) -> Status:
    return Status(port, serving, room, tuple({"id": f"{port}-{number}"} for number in range(count)))


def test_workers_may_begin_with_nothing(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue that --watch shall fill is there before they are: each would make it, and find another's half."""
    options = ServeOptions(catalog=tmp_path / "new", bundle=tiny_bundle, workers=2, watch=WatchOptions((tmp_path,)))
    began: list[bool] = []
    monkeypatch.setattr(serving_process, "supervise", lambda *_: began.append(is_catalog(options.catalog)))
    serving_process.serve(options, lambda _: None)
    assert began == [True]


def test_a_board_shows_the_others_while_they_are_fresh(tmp_path: Path) -> None:
    now_s = [100.0]
    boards = [WorkerStatuses(tmp_path, index, lambda: now_s[0]) for index in range(3)]
    for index, statuses in enumerate(boards):
        statuses.exchange(status(9000 + index, index))
    boards[0].exchange(status(9000))
    assert boards[0].others == (status(9001, 1), status(9002, 2))
    now_s[0] += STALE_S + 1
    boards[2].exchange(status(9002, 2))
    boards[0].exchange(status(9000))
    assert boards[0].others == (status(9002, 2),)
    assert (
        boards[0].is_present(status(9002))
        and not boards[0].is_present(status(9001))
        and not boards[0].is_present(status(1))
    )
    boards[2].leave()
    assert boards[0].others and not boards[0].is_present(status(9002))  # known at once, not at the next look
    boards[0].exchange(status(9000))
    assert boards[0].others == ()


@given(st.binary(max_size=200))
def test_what_is_no_entry_is_passed_over(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("statuses")
    entry(folder, 1).write_bytes(data)
    statuses = WorkerStatuses(folder, 0)
    statuses.exchange(status(9000))
    assert statuses.others == ()


def test_an_entry_is_bounded(tmp_path: Path) -> None:
    one, other = WorkerStatuses(tmp_path, 0), WorkerStatuses(tmp_path, 1)
    one.exchange(Status(9000, True, True, ({"label": "x" * BYTES}, {"label": "y"})))
    assert entry(tmp_path, 0).stat().st_size < BYTES
    other.exchange(status(9001))
    assert other.others[0].load == (False, False, 2)


def test_the_least_loaded_is_next() -> None:
    order = [status(1, 0), status(2, 3), status(3, 2, room=False), status(4, 0, serving=False)]
    assert sorted([order[2], order[0], order[3], order[1]], key=lambda each: each.load) == order


@given(st.integers(1, 10_000))
def test_the_pause_before_a_new_start_grows_to_its_bound(failures: int) -> None:
    assert backoff_s(1) == BACKOFF_S
    assert backoff_s(failures) <= backoff_s(failures + 1) <= BACKOFF_MAX_S


def test_ports_of_the_workers() -> None:
    assert own_ports(8765, 3, None) == [8766, 8767, 8768]
    assert own_ports(0, 2, None) == [0, 0]
    assert own_ports(8765, 2, (9000, 9005)) == [9000, 9001]
    with pytest.raises(ServeError, match="2 ports for 3 workers"):
        own_ports(8765, 3, (9000, 9001))
    with pytest.raises(ServeError, match="--worker-ports"):
        own_ports(65535, 1, None)


@pytest.mark.parametrize(
    ("public", "port", "base"),
    [
        ("", None, ""),
        ("", 8766, "{scheme}://{host}:8766"),
        ("https://m1.example", None, "https://m1.example"),
        ("https://m1.example:444", 8766, "https://m1.example:8766"),
        ("http://[::1]:80", 8766, "http://[::1]:8766"),
    ],
)
def test_what_stands_before_a_sessions_addresses(public: str, port: int | None, base: str) -> None:
    assert base_url(public, port) == base


def test_pages_may_reach_the_workers_ports_of_their_own_host_and_no_others() -> None:
    policy = content_policy("studio.example", (8765, 8766))
    sources = next(part for part in policy.split("; ") if part.startswith("connect-src")).split()[1:]
    assert set(sources) == {"'self'"} | {
        f"{scheme}://studio.example:{port}" for scheme in ("http", "https", "ws", "wss") for port in (8765, 8766)
    }
    assert "connect-src" not in content_policy("studio.example")
    assert "evil" not in content_policy("evil example; script-src *", (1,))
    assert content_policy("x", (), public_origins("https://m.example", (9,))).endswith(
        "connect-src 'self' https://m.example wss://m.example https://m.example:9 wss://m.example:9"
    )


def test_behind_a_balancer_a_sessions_addresses_name_the_machine(serving: Callable[..., Any], offer: str) -> None:
    options = {"public_url": "https://m1.example", "origins": ("https://live.example",)}
    with serving(**options) as running, httpx.Client(base_url=running.url) as client:
        answer = client.post("/whip", content=offer, headers=SDP | {"origin": "https://live.example"})
        location = answer.headers["location"]
        assert location.startswith("https://m1.example/whip/")
        (listed,) = client.get("/api/sessions").json()["sessions"]
        assert (
            listed["events"] == answer.headers["segue-events"] == f"https://m1.example/sessions/{listed['id']}/events"
        )
        assert (
            "connect-src 'self' https://m1.example wss://m1.example"
            in client.get("/").headers["content-security-policy"]
        )
        assert client.delete(location.removeprefix("https://m1.example")).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://studio.example:8765", "studio.example:8766", True),
        ("https://studio.example", "studio.example:8766", False),
        ("http://studio.example:8000", "studio.example:8766", False),
        ("http://evil.example:8765", "studio.example:8766", False),
        ("http://studio.example:x", "studio.example:8766", False),
        ("null", "studio.example:8766", False),
        ("http://:8765", ":8766", False),
        (None, "studio.example:8766", False),
    ],
)
def test_ports_that_belong_together_are_one_origin(origin: str | None, host: str, allowed: bool) -> None:
    assert of_ports(origin, host, (8765, 8766)) is allowed
