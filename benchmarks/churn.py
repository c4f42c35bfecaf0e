"""Publishers that come and go, each with a viewer, in a process of their own.

    python -m benchmarks.churn URL FILE SESSIONS SECONDS

Each of SESSIONS places holds one stream after another, of 10 to 60 s. A stream ends by DELETE, or silently (its
sockets close and nothing is sent), or continues later with its key. At the end the counts are printed as JSON.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from .load import CONNECT_S, Packets, read_packets

LIFE_S: Final = (10.0, 60.0)
AWAY_S: Final = (1.0, 25.0)  # on either side of the server's 15 s without a picture
BETWEEN_S: Final = (0.2, 3.0)
AGAIN_S: Final = 5.0  # after a refusal
ENDINGS: Final = ("delete", "vanish", "return")
STAGGER_S: Final = 0.5  # between the first streams of two places


@dataclass
class Tally:
    """Counts of events. ``same_session``: streams that came back and got the session that they had left."""

    streams: int = 0
    deleted: int = 0
    vanished: int = 0
    came_back: int = 0
    same_session: int = 0
    refused: int = 0
    failed: int = 0
    suggestions: int = 0
    unanswered_deletes: int = 0


class Stream:
    """One WHIP publisher and one viewer of its session."""

    def __init__(self, client: httpx.AsyncClient, tally: Tally, track: Packets, key: str) -> None:
        self.client, self.tally, self.track, self.key = client, tally, track, key
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.location = self.events = ""

    async def open(self) -> bool:
        """Whether the server took it."""
        transceiver = self.connection.addTransceiver(self.track, direction="sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])
        await self.connection.setLocalDescription()
        sdp = self.connection.localDescription.sdp
        answer = await self.client.post(
            "/whip", params={"key": self.key}, content=sdp, headers={"content-type": "application/sdp"}
        )
        if answer.status_code != 201:
            self.tally.refused += 1
            return False
        self.location, self.events = answer.headers["location"], answer.headers["segue-events"]
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        return True

    async def watch(self, seconds: float) -> None:
        """Count suggestions for so long, or until the session ends."""
        url = self.client.base_url
        with contextlib.suppress(WebSocketException, InvalidStatus, OSError, TimeoutError):
            async with asyncio.timeout(seconds), connect(f"ws://{url.host}:{url.port}{self.events}") as socket:
                async for text in socket:
                    self.tally.suggestions += json.loads(text)["type"] == "suggestions"

    async def delete(self) -> None:
        answer = await self.client.delete(self.location)
        self.tally.unanswered_deletes += answer.status_code != 200
        await self.connection.close()

    async def vanish(self) -> None:
        """Close the sockets before anything can be said."""
        for transceiver in self.connection.getTransceivers():
            if transceiver.sender.transport is not None:
                await transceiver.sender.transport.transport.stop()
        await self.connection.close()


async def place(url: str, packets: list[bytes], fps: int, number: int, until_s: float, tally: Tally) -> None:
    """One stream after another, until the end."""
    rng = random.Random(number)
    await asyncio.sleep(number * STAGGER_S)
    key, left = "", ""
    async with httpx.AsyncClient(base_url=url, timeout=CONNECT_S) as client:
        while time.monotonic() < until_s:
            key = key or f"place-{number}-{tally.streams}"
            stream = Stream(client, tally, Packets(packets, fps), key)
            try:
                if not await stream.open():
                    await stream.connection.close()
                    await asyncio.sleep(AGAIN_S)
                    continue
                tally.streams += 1
                if left:
                    tally.came_back += 1
                    tally.same_session += left == stream.events
                key, left = await live(stream, rng, until_s)
            except (httpx.HTTPError, ConnectionError) as error:
                tally.failed += 1
                sys.stderr.write(f"a stream failed: {error!r}\n")
                await stream.connection.close()
            await asyncio.sleep(min(rng.uniform(*(AWAY_S if key else BETWEEN_S)), max(0.0, until_s - time.monotonic())))


async def live(stream: Stream, rng: random.Random, until_s: float) -> tuple[str, str]:
    """One stream's life; the key to come back with and the path of the session that was left, empty to begin anew."""
    life_s, ending = rng.uniform(*LIFE_S), rng.choice(ENDINGS)
    ends_s = min(time.monotonic() + life_s, until_s)
    await stream.watch(max(0.0, ends_s - time.monotonic()))
    await asyncio.sleep(max(0.0, ends_s - time.monotonic()))
    if ending == "delete":
        await stream.delete()
        stream.tally.deleted += 1
        return "", ""
    await stream.vanish()
    stream.tally.vanished += 1
    return (stream.key, stream.events) if ending == "return" else ("", "")


async def churn(url: str, path: Path, sessions: int, seconds: float) -> Tally:
    packets, fps = read_packets(path)
    tally, until_s = Tally(), time.monotonic() + seconds
    await asyncio.gather(*(place(url, packets, fps, number, until_s, tally) for number in range(sessions)))
    return tally


if __name__ == "__main__":
    url, path, sessions, seconds = sys.argv[1:5]
    json.dump(asdict(asyncio.run(churn(url, Path(path), int(sessions), float(seconds)))), sys.stdout)
