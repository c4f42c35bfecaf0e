"""Publishers and viewers, in a process of their own, so that their work is not counted as the server's.

    python -m benchmarks.load URL FILE SESSIONS SECONDS

Each session sends the packets of FILE round and round at their pace, encoded once and for all, and watches its own
suggestions. What happened is printed as JSON. Times are of the monotonic clock, which processes of one machine share.
"""

import asyncio
import contextlib
import json
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import httpx
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

CLOCK = 90_000
STAGGER_S = 0.1  # between two publishers: together they would share every key frame
CONNECT_S = 20.0


class Packets(MediaStreamTrack):
    """A track of encoded packets, paced by the clock; what is late is sent at once."""

    kind = "video"

    def __init__(self, packets: list[bytes], fps: int) -> None:
        super().__init__()
        self.packets, self.fps = packets, fps
        self.sent = 0
        self.first_s: float | None = None

    async def recv(self) -> av.Packet:  # type: ignore[type-arg]
        now_s = time.monotonic()
        if self.first_s is None:
            self.first_s = now_s
        await asyncio.sleep(max(0.0, self.first_s + self.sent / self.fps - now_s))
        packet = av.Packet(self.packets[self.sent % len(self.packets)])
        packet.pts = packet.dts = self.sent * CLOCK // self.fps
        packet.time_base = Fraction(1, CLOCK)
        self.sent += 1
        return packet


def read_packets(path: Path) -> tuple[list[bytes], int]:
    """Packets in Annex B form, and frames a second."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        convert = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        packets = [bytes(one) for packet in container.demux(stream) if packet.size for one in convert.filter(packet)]
        return packets, round(float(stream.average_rate or 30))


async def publish(url: str, packets: list[bytes], fps: int, number: int, until_s: float) -> dict[str, Any]:
    """One publisher with one viewer."""
    await asyncio.sleep(number * STAGGER_S)
    track = Packets(packets, fps)
    connection = RTCPeerConnection()
    transceiver = connection.addTransceiver(track, direction="sendonly")
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])
    messages: list[list[Any]] = []
    told: dict[str, Any] = {"messages": messages, "refused": ""}
    try:
        await connection.setLocalDescription()
        async with httpx.AsyncClient(base_url=url, timeout=CONNECT_S) as client:
            sdp = connection.localDescription.sdp
            answer = await client.post("/whip", content=sdp, headers={"content-type": "application/sdp"})
            if answer.status_code != 201:
                return told | {"refused": f"{answer.status_code} {answer.text}"}
            await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            if events := answer.headers.get("segue-events"):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, until_s - time.monotonic())):
                        await view(f"ws://{urlsplit(url).netloc}{events}", messages)
            await asyncio.sleep(max(0.0, until_s - time.monotonic()))
            await client.delete(answer.headers["location"])
    finally:
        await connection.close()
    return told | {"sent": track.sent, "first_s": track.first_s}


async def view(url: str, messages: list[list[Any]]) -> None:
    with contextlib.suppress(ConnectionClosed):
        async with connect(url) as socket:
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "suggestions":
                    top = [item["track"] for item in message["items"]]
                    messages.append([time.monotonic(), message["pts_s"], message["late_ms"], top])


async def load(url: str, path: Path, sessions: int, seconds: float) -> list[dict[str, Any]]:
    packets, fps = read_packets(path)
    until_s = time.monotonic() + seconds
    return await asyncio.gather(*(publish(url, packets, fps, number, until_s) for number in range(sessions)))


if __name__ == "__main__":
    url, path, sessions, seconds = sys.argv[1:5]
    json.dump(asyncio.run(load(url, Path(path), int(sessions), float(seconds))), sys.stdout)
