"""The end of a server, as a process: what SIGTERM does to those who come, watch and publish."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

SDP = {"content-type": "application/sdp"}
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@contextlib.contextmanager
def segue_serve(*words: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and its URL; killed at the latest after two minutes."""
    command = [sys.executable, "-m", "segue", "serve", "--port", "0", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://" in line, line
            yield process, next(word for word in line.split() if word.startswith("http://"))
        finally:
            watchdog.cancel()
            process.kill()


def wait_for(url: str, status: int) -> httpx.Response:
    deadline = time.monotonic() + 20
    while (answer := httpx.get(url)).status_code != status and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answer.status_code == status, answer.text
    return answer


def test_a_drained_server_warns_refuses_waits_and_ends_with_0(
    small_catalog: Path, tiny_bundle: Path, offer: str
) -> None:
    words = ("-c", small_catalog, "--bundle", tiny_bundle, "--drain-s", "60", "--log-format", "json")
    with segue_serve(*words, "--log-level", "info") as (process, url):
        assert httpx.get(f"{url}readyz").json() == {"ready": True}
        first = httpx.post(f"{url}whip", content=offer, headers=SDP)
        (listed,) = httpx.get(f"{url}api/sessions").json()["sessions"]
        with connect(f"ws{url.removeprefix('http').rstrip('/')}{listed['events']}") as viewer:
            process.send_signal(signal.SIGTERM)
            refused = wait_for(f"{url}readyz", 503)
            assert refused.json()["reason"].startswith("draining") and int(refused.headers["retry-after"]) > 0
            alive = httpx.get(f"{url}healthz")
            assert alive.status_code == 200 and alive.json()["phase"] == "draining"
            late = httpx.post(f"{url}whip", content=offer, headers=SDP)
            assert late.status_code == 503 and int(late.headers["retry-after"]) > 0 and "stopping" in late.text
            warning = json.loads(viewer.recv(timeout=10))
            assert warning["type"] == "warning" and "60 s" in warning["reason"]
            # the one that runs goes on, and can be ended by its publisher: then nothing is left to wait for
            assert httpx.delete(url.rstrip("/") + first.headers["location"]).status_code == 200
            assert [json.loads(text)["type"] for text in viewer][-1] == "end"
            assert viewer.protocol.close_code == 1000
        _, errors = process.communicate(timeout=40)
    assert process.returncode == 0, errors
    events = [json.loads(line) for line in errors.splitlines()]
    messages = [event["message"] for event in events]
    assert "session opened: WHIP" in messages and "draining: 1 sessions may go on for 60 s" in messages
    ended = next(event for event in events if event["message"].startswith("session ended"))
    assert ended["session"] == listed["id"] and ended["level"] == "info"
    assert first.headers["location"].rpartition("/")[2] not in errors


def test_sessions_are_ended_when_the_time_is_over(small_catalog: Path, tiny_bundle: Path, offer: str) -> None:
    words = ("-c", small_catalog, "--bundle", tiny_bundle, "--drain-s", "0.5")
    with segue_serve(*words) as (process, url):
        assert httpx.post(f"{url}whip", content=offer, headers=SDP).status_code == 201
        (listed,) = httpx.get(f"{url}api/sessions").json()["sessions"]
        with connect(f"ws{url.removeprefix('http').rstrip('/')}{listed['events']}") as viewer:
            process.send_signal(signal.SIGTERM)
            assert [json.loads(text)["type"] for text in viewer] == ["warning", "end"]
            assert viewer.protocol.close_reason == "the server is stopping"
            assert viewer.protocol.close_code == 1001  # lost, not ended: who was told may look for it again
        _, errors = process.communicate(timeout=40)
    assert process.returncode == 0 and errors == ""


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_wait(
    small_catalog: Path, tiny_bundle: Path, offer: str, second: signal.Signals
) -> None:
    words = ("-c", small_catalog, "--bundle", tiny_bundle, "--drain-s", "3600")
    with segue_serve(*words) as (process, url):
        assert httpx.post(f"{url}whip", content=offer, headers=SDP).status_code == 201
        process.send_signal(signal.SIGTERM)
        wait_for(f"{url}readyz", 503)
        process.send_signal(second)
        _, errors = process.communicate(timeout=40)  # the session alone would have lasted longer
    assert process.returncode == 0 and errors == ""
