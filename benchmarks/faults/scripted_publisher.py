"""A publisher that sends pictures by a script, and the viewer beside it that keeps what its session says."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection

from benchmarks.load import CLOCK, CONNECT_S, offered, sending, view

from .waiting import together

MINUTES_S: Final = 120.0  # longer than any script lasts


@dataclass(frozen=True, slots=True)
class Step:
    """Pictures of a size, ``fps`` a second for so long; before the first the media's clock jumps by ``jump_s``."""

    seconds: float = MINUTES_S
    fps: float = 15
    width: int = 320
    height: int = 180
    jump_s: float = 0.0


def schedule(*steps: Step, begin_s: float = 0.0) -> Iterator[tuple[float, float, Step]]:
    """Of each picture when it is to be sent, what its time is to say (seconds, both), and its step."""
    sent_s, pts_s = 0.0, begin_s
    for step in steps:
        pts_s += step.jump_s
        for number in range(round(step.seconds * step.fps)):
            yield sent_s + number / step.fps, pts_s + number / step.fps, step
        sent_s += step.seconds
        pts_s += step.seconds


class ScriptedTrack(MediaStreamTrack):
    """A video track of these steps, paced by the clock; after the last it falls silent, but does not end."""

    kind = "video"

    def __init__(self, *steps: Step, begin_s: float = 0.0) -> None:
        super().__init__()
        self._schedule = enumerate(schedule(*steps, begin_s=begin_s), 1)
        self._begun_s: float | None = None

    async def recv(self) -> av.VideoFrame:
        for number, (sent_s, pts_s, step) in self._schedule:
            if self._begun_s is None:
                self._begun_s = time.monotonic()
            await asyncio.sleep(max(0.0, self._begun_s + sent_s - time.monotonic()))
            ramp = np.add.outer(np.arange(step.height * 3 // 2), np.arange(step.width)) + 5 * number
            frame = av.VideoFrame.from_ndarray((ramp % 256).astype(np.uint8), "yuv420p")
            frame.pts, frame.time_base = round(pts_s * CLOCK), Fraction(1, CLOCK)
            return frame
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


@dataclass
class Viewer:
    """What a viewer of one session was told, with the time of each message by the monotonic clock. ``url``: of the
    session's events; ``status``: of its publisher's offer, and if that was refused, the ``reason``."""

    url: str = ""
    label: str = ""
    status: int = 0
    reason: str = ""
    not_json: int = 0  # messages with a NaN or an infinity, which no browser can read
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    async def watch(self) -> None:
        """Keep every message of the session until it ends."""
        async for text in view(f"ws{self.url.removeprefix('http')}"):
            not_json: list[str] = []
            self.messages.append((time.monotonic(), json.loads(text, parse_constant=not_json.append)))
            self.not_json += bool(not_json)

    @property
    def session(self) -> str:
        return urlsplit(self.url).path.split("/")[2] if self.url else ""

    @property
    def kinds(self) -> Counter[str]:
        return Counter(str(message["type"]) for _, message in self.messages)

    @property
    def suggested_s(self) -> list[float]:
        """When suggestions came."""
        return [at_s for at_s, message in self.messages if message["type"] == "suggestions"]

    def late_ms(self, begin_s: float = -np.inf, end_s: float = np.inf) -> list[float]:
        """How old the newest picture was in each list of suggestions of an interval."""
        lists = (m for at_s, m in self.messages if m["type"] == "suggestions" and begin_s <= at_s < end_s)
        return [message["late_ms"] for message in lists if message["late_ms"] is not None]

    def reasons(self, kind: str) -> list[str]:
        return [str(message["reason"]) for _, message in self.messages if message["type"] == kind]


def scripted(*steps: Step) -> RTCPeerConnection:
    """A connection that is to send these steps in H.264."""
    return sending(ScriptedTrack(*steps))


@contextlib.asynccontextmanager
async def published(server: str, connection: RTCPeerConnection, key: str = "") -> AsyncIterator[Viewer]:
    """A connection offered by WHIP, and a viewer of its session, while the block lasts; it is left without goodbye."""
    try:
        async with httpx.AsyncClient(base_url=server, timeout=CONNECT_S, follow_redirects=True) as client:
            answer = await offered(client, connection, key=key)
        if answer.status_code != 201:
            yield Viewer(status=answer.status_code, reason=answer.text)
            return
        viewer = Viewer(urljoin(server, answer.headers["segue-events"]), status=answer.status_code)
        async with together(viewer.watch()):
            yield viewer
    finally:
        await connection.close()
