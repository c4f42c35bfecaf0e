"""Publishers and viewers, in a process of their own, so that their work is not counted as the server's.

    python -m benchmarks.load URL FILE SESSIONS SECONDS [KEY PATIENCE_S]

Each session sends the packets of FILE round and round at their pace, encoded once and for all, and watches its own
suggestions. What happened is printed as JSON. Times are of the monotonic clock, which processes of one machine share.

With a KEY nobody watches, and who is lost posts again with a key of its own: when its connection fails, and, unless
PATIENCE_S is 0, when it heard nothing for so long.
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
AGAIN_S = 3.0  # for an answer, before the next try
SDP = "application/sdp"
H264 = [codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.mimeType == "video/H264"]


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


async def publish_again(
    url: str, packets: list[bytes], fps: int, key: str, patience_s: float, until_s: float
) -> dict[str, Any]:
    """One publisher without a viewer, which comes back until its time is over. ``posts`` are its offers: when they were
    answered, with what status, and the session; what gets no answer within `AGAIN_S` counts as status 0."""
    posts: list[list[Any]] = []
    while time.monotonic() < until_s:
        posts.append([0.0, 0, ""])
        connection = RTCPeerConnection()
        try:
            connection.addTransceiver(Packets(packets, fps), direction="sendonly").setCodecPreferences(H264)
            await connection.setLocalDescription()
            async with httpx.AsyncClient(base_url=url, timeout=AGAIN_S) as client:
                sdp, asked = connection.localDescription.sdp, {"key": key, "label": key}
                answer = await client.post("/whip", params=asked, content=sdp, headers={"content-type": SDP})
            posts[-1][1] = answer.status_code
            if answer.status_code == 201:
                posts[-1][2] = urlsplit(answer.headers["segue-events"]).path.split("/")[2]
                await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
                posts[-1][0] = time.monotonic()
                await until_lost(connection, patience_s, until_s)
        except httpx.HTTPError:
            pass
        finally:
            posts[-1][0] = posts[-1][0] or time.monotonic()
            await connection.close()
        await asyncio.sleep(max(0.0, min(AGAIN_S / 3, until_s - time.monotonic())))
    return {"key": key, "posts": posts}


async def until_lost(connection: RTCPeerConnection, patience_s: float, until_s: float) -> None:
    """Return when the connection is none any more, or nothing came from the other side for so long."""
    heard, heard_s = -1, time.monotonic()
    while (now_s := time.monotonic()) < until_s and connection.connectionState not in ("failed", "closed"):
        stats = await connection.getSenders()[0].getStats()
        received = sum(one.bytesReceived for one in stats.values() if one.type == "transport")
        if received != heard:
            heard, heard_s = received, now_s
        if patience_s and now_s - heard_s > patience_s:
            return
        await asyncio.sleep(0.25)


async def view(url: str, messages: list[list[Any]]) -> None:
    with contextlib.suppress(ConnectionClosed):
        async with connect(url) as socket:
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "suggestions":
                    top = [item["track"] for item in message["items"]]
                    messages.append([time.monotonic(), message["pts_s"], message["late_ms"], top])


async def load_again(
    url: str, path: Path, sessions: int, seconds: float, key: str, patience_s: float
) -> list[dict[str, Any]]:
    packets, fps = read_packets(path)
    until_s = time.monotonic() + seconds
    again = (publish_again(url, packets, fps, f"{key}-{number}", patience_s, until_s) for number in range(sessions))
    return await asyncio.gather(*again)


async def load(url: str, path: Path, sessions: int, seconds: float) -> list[dict[str, Any]]:
    packets, fps = read_packets(path)
    until_s = time.monotonic() + seconds
    return await asyncio.gather(*(publish(url, packets, fps, number, until_s) for number in range(sessions)))


if __name__ == "__main__":
    url, path, sessions, seconds, *again = sys.argv[1:]
    what: tuple[str, Path, int, float] = url, Path(path), int(sessions), float(seconds)
    json.dump(asyncio.run(load_again(*what, again[0], float(again[1])) if again else load(*what)), sys.stdout)
