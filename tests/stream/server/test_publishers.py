"""Media end to end, from a WHIP client that is not ours to the suggestions on the websocket."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from websockets.sync.client import connect

from stream.server.hub import HubOptions
from stream.sources.webrtc.peer import PeerOptions

CLIENT = Path(__file__).with_name("publisher.py")

pytestmark = pytest.mark.skipif("whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer")


@pytest.fixture
def publish(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """``publish(url, seconds, *words)`` starts a client; whatever still runs at the end is stopped."""
    started: list[subprocess.Popen[bytes]] = []

    def start(url: str, seconds: float, *words: str) -> subprocess.Popen[bytes]:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        command = [sys.executable, str(CLIENT), f"{url}whip?label=FFmpeg", str(seconds), str(folder), *words]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for client in started:
        client.kill()
        client.communicate()


def first_session(client: httpx.Client, seconds: float = 15.0) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for session in client.get("/api/sessions").json()["sessions"]:
            if session["connected"]:
                return dict(session)
        time.sleep(0.05)
    raise AssertionError("no session came up")


@pytest.mark.parametrize(
    "words", [(), ("audio",), ("audio", "default")], ids=["video", "video and audio", "high profile"]
)
def test_suggestions_follow_from_an_ffmpeg_stream(server: Any, publish: Callable[..., Any], words: tuple[str]) -> None:
    ffmpeg = publish(server.url, 6.0, *words)
    with httpx.Client(base_url=server.url) as client:
        session = first_session(client)
        assert session["label"] == "FFmpeg"
        with connect(f"ws://{server.netloc}{session['events']}") as viewer:
            heard = [json.loads(text) for text in viewer]
        assert viewer.protocol.close_code == 1000
        assert client.get("/api/sessions").json()["sessions"] == []
    _, errors = ffmpeg.communicate(timeout=20)
    assert ffmpeg.returncode == 0, errors.decode()
    suggestions = [message for message in heard if message["type"] == "suggestions"]
    assert len(suggestions) >= 3
    assert [message["pts_s"] for message in suggestions] == sorted(message["pts_s"] for message in suggestions)
    for message in suggestions:
        assert len({item["track"] for item in message["items"]}) == 5
        for item in message["items"]:
            assert 0 <= item["start_s"] < item["duration_s"]
            assert set(item["reasons"]) == {"content", "rhythm", "mood"}
    assert heard[-1]["type"] == "end"
    assert heard[-1]["frames"] >= 100  # 6 s of 25 fps, less what was lost at the start


def test_a_stream_that_falls_silent_is_closed_and_counted(
    serving: Callable[..., Any], publish: Callable[..., Any]
) -> None:
    patience = PeerOptions(idle_timeout_s=1.0)
    with serving(hub=HubOptions(peer=patience)) as running, httpx.Client(base_url=running.url) as client:
        ffmpeg = publish(running.url, 30.0)
        session = first_session(client)
        with connect(f"ws://{running.netloc}{session['events']}") as viewer:
            json.loads(viewer.recv(timeout=10))
            ffmpeg.kill()
            heard = [json.loads(text) for text in viewer]
            assert "no video for 1 s" in viewer.protocol.close_reason
        assert [message["reason"] for message in heard if message["type"] == "warning"] == ["no video for 1 s"]
        assert [message["type"] for message in heard].count("end") == 1 and heard[-1]["type"] == "end"
        counters = client.get("/healthz").json()["counters"]
        assert counters["idle"] == 1 and counters["ended"] == 1


def test_commands_change_what_is_suggested_for_every_viewer(server: Any, publish: Callable[..., Any]) -> None:
    publish(server.url, 20.0)
    with httpx.Client(base_url=server.url) as client:
        session = first_session(client)
        address = f"ws://{server.netloc}{session['events']}"
        with connect(address) as viewer, connect(address) as other:
            first = next_of(viewer, "suggestions")["items"][0]
            unwanted = first["track"]
            viewer.send(json.dumps({"v": 1, "type": "skip", "track": unwanted}))
            accepted = next_of(other, "accepted")
            assert (accepted["command"], accepted["track"]) == ("skip", unwanted)
            assert accepted["effect"]["text"].startswith("left out for the rest of this stream")
            for _ in range(2):
                listed = [item["track"] for item in next_of(other, "suggestions")["items"]]
            assert unwanted not in listed
            viewer.send(json.dumps({"v": 1, "type": "playing", "track": listed[0]}))
            next_of(viewer, "accepted")
            with connect(address) as late:  # the state at once, without waiting for the next hop
                state = {message["type"]: message for message in (json.loads(late.recv(timeout=2)) for _ in range(3))}
            assert state["accepted"]["track"] == state["player"]["track"] == listed[0]
            skipped = {"track": unwanted, "title": first["title"], "left_s": None}
            assert state["suggestions"]["asked"]["skipped"] == [skipped]
            assert unwanted not in [item["track"] for item in state["suggestions"]["items"]]


def next_of(viewer: Any, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    while (message := json.loads(viewer.recv(timeout=10)))["type"] != kind:
        pass
    return dict(message)
