"""Publishers whose pictures and times are chosen one by one, and what their viewers hear."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

CLOCK: Final = 90_000
SDP: Final = {"content-type": "application/sdp"}


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture: when it is sent, what its timestamp says, both in seconds, and its size."""

    sent_s: float
    pts_s: float
    width: int = 320
    height: int = 180


def steady(fps: float, seconds: float, width: int = 320, height: int = 180) -> Iterator[Shot]:
    """Nothing unusual."""
    for number in range(round(fps * seconds)):
        yield Shot(number / fps, number / fps, width, height)


class ShotTrack(MediaStreamTrack):
    """A video track of shots, paced by the clock; after the last one it falls silent, but does not end."""

    kind = "video"

    def __init__(self, shots: Iterable[Shot]) -> None:
        super().__init__()
        self.sent = 0
        self._shots = iter(shots)
        self._begun_s: float | None = None

    async def recv(self) -> av.VideoFrame:
        shot = next(self._shots, None)
        if shot is None:
            await asyncio.Event().wait()
        assert shot is not None
        if self._begun_s is None:
            self._begun_s = time.monotonic()
        await asyncio.sleep(max(0.0, self._begun_s + shot.sent_s - time.monotonic()))
        self.sent += 1
        ramp = np.add.outer(np.arange(shot.height * 3 // 2), np.arange(shot.width)) + 5 * self.sent
        frame = av.VideoFrame.from_ndarray((ramp % 256).astype(np.uint8), "yuv420p")
        frame.pts, frame.time_base = round(shot.pts_s * CLOCK), Fraction(1, CLOCK)
        return frame


@dataclass
class Heard:
    """What the viewers of one stream were told, with the time of each message."""

    session: str = ""
    events: str = ""
    status: int = 0
    reason: str = ""
    connection: RTCPeerConnection | None = None
    not_json: int = 0  # messages with a NaN or an infinity, which no browser can read
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @property
    def kinds(self) -> Counter[str]:
        return Counter(str(message["type"]) for _, message in self.messages)

    @property
    def suggested_s(self) -> list[float]:
        """When suggestions came, by the monotonic clock."""
        return [at_s for at_s, message in self.messages if message["type"] == "suggestions"]

    @property
    def late_ms(self) -> list[float]:
        """How old the newest picture was in each list of suggestions."""
        return [m["late_ms"] for _, m in self.messages if m["type"] == "suggestions" and m["late_ms"] is not None]

    def reasons(self, kind: str) -> list[str]:
        return [str(message["reason"]) for _, message in self.messages if message["type"] == kind]


async def hear(server: str, events: str, heard: Heard) -> None:
    """Note every message of a session until it ends; ``events`` is its path or URL, as the server told it."""
    heard.events = urljoin(server, events)
    heard.session = urlsplit(events).path.split("/")[2]
    with contextlib.suppress(ConnectionClosed):
        async with connect(f"ws{heard.events.removeprefix('http')}") as socket:
            async for text in socket:
                strange: list[str] = []
                heard.messages.append((time.monotonic(), json.loads(text, parse_constant=strange.append)))
                heard.not_json += bool(strange)


@contextlib.asynccontextmanager
async def published(
    server: str, tracks: Iterable[MediaStreamTrack], codec: str = "H264", key: str = ""
) -> AsyncIterator[Heard]:
    """A WHIP publisher of these tracks and a viewer of its session, while the block lasts. ``codec`` "": any.

    ``status`` other than 201: it was not let in, and ``reason`` says why. The session is left without goodbye.
    """
    connection = RTCPeerConnection()
    heard = Heard(connection=connection)
    viewer: asyncio.Task[None] | None = None
    try:
        for track in tracks:
            transceiver = connection.addTransceiver(track, direction="sendonly")
            if track.kind == "video":
                codecs = RTCRtpSender.getCapabilities("video").codecs
                transceiver.setCodecPreferences([c for c in codecs if c.mimeType == f"video/{codec}" or not codec])
        await connection.setLocalDescription()
        async with httpx.AsyncClient(base_url=server, timeout=20, follow_redirects=True) as client:
            offer = connection.localDescription.sdp
            answer = await client.post("/whip", params={"key": key}, content=offer, headers=SDP)
        heard.status, heard.reason = answer.status_code, answer.text if answer.status_code != 201 else ""
        if answer.status_code == 201:
            await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            viewer = asyncio.create_task(hear(server, answer.headers["segue-events"], heard))
            await asyncio.sleep(0)  # so that what is heard says at once where it is from
        yield heard
    finally:
        if viewer is not None:
            viewer.cancel()
            await asyncio.gather(viewer, return_exceptions=True)
        await connection.close()


def silence() -> MediaStreamTrack:
    """A sound track without sound."""
    return AudioStreamTrack()
