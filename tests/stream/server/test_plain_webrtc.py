"""aiortc left alone: video comes by its plain path, and the server says so."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from aiortc import rtcrtpreceiver
from websockets.sync.client import connect

from stream.sources.webrtc import aiortc_compat
from stream.sources.webrtc import peer as peers
from stream.sources.webrtc.adapt import adapt_aiortc
from stream.sources.webrtc.aiortc_compat import RELIED, Relied
from stream.sources.webrtc.decoding import Refused
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer

CLIENT = Path(__file__).with_name("publisher.py")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    adapt_aiortc(plain=True)
    aiortc_compat.leave_alone("")


def events_of(client: httpx.Client) -> str:
    """Of the first session that is connected."""
    deadline_s = time.monotonic() + 15
    while time.monotonic() < deadline_s:
        for session in client.get("/api/sessions").json()["sessions"]:
            if session["connected"]:
                return str(session["events"])
        time.sleep(0.05)
    raise AssertionError("no session came up")


@pytest.mark.skipif("whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer")
def test_a_stream_is_served_as_ever(serving: Callable[..., Any], tmp_path: Path) -> None:
    adapt_aiortc()  # in this process, before: it is given back
    with serving(plain_webrtc=True) as running, httpx.Client(base_url=running.url) as client:
        assert rtcrtpreceiver.JitterBuffer.__module__ == "aiortc.jitterbuffer"
        assert client.get("/healthz").json()["webrtc"] == "plain"
        assert client.get("/readyz").json() == {"ready": True}, "it was asked for"
        command = [sys.executable, str(CLIENT), f"{running.url}whip?key=plain", "5", str(tmp_path), "audio"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as publisher:
            with connect(f"ws://{running.netloc}{events_of(client)}") as viewer:
                heard = [json.loads(text) for text in viewer]
            _, errors = publisher.communicate(timeout=20)
        assert publisher.returncode == 0, errors.decode()
    suggestions = [message for message in heard if message["type"] == "suggestions"]
    assert len(suggestions) >= 3 and all(message["items"] for message in suggestions)
    assert heard[-1]["frames"] >= 80  # 5 s of 25 fps, less what was lost at the start


def test_other_releases_are_told_to_whoever_asks(
    serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(aiortc_compat, "RELIED", (*RELIED, Relied("aiortc.rate", "Odd.add", "self")))
    with serving() as running, httpx.Client(base_url=running.url) as client:
        assert client.get("/healthz").json()["webrtc"] == "plain"
        assert client.get("/readyz").json() == {"ready": True, "degraded": "WebRTC goes the plain path"}
    assert [one.levelname for one in caplog.records if "aiortc.rate.Odd.add is missing" in one.getMessage()] == [
        "WARNING"
    ]
    monkeypatch.setattr(aiortc_compat, "RELIED", RELIED)
    with serving() as running:
        assert httpx.get(f"{running.url}healthz").json()["webrtc"] == "short"


def test_a_picture_that_is_too_large_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could refuse it before it was decoded."""

    async def scene() -> list[str]:
        adapt_aiortc(plain=True)
        reasons: list[str] = []
        peer = WebRtcPeer(PeerOptions())
        peer.feed(
            lambda *frame: reasons.append("a frame"), lambda sound: None, lambda ended: reasons.append(ended.text)
        )
        peer._take_frame(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24"))
        peer._take_frame(av.VideoFrame(8208, 8208, "gray"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await peer.close()
        return reasons

    frame, reason = asyncio.run(scene())
    assert frame == "a frame" and "8208" in reason
    assert isinstance(peers._bounded(av.VideoFrame(8208, 8208, "gray"), 0.0), Refused)
