"""Publishers and viewers, in their own process, so that their work does not count as the server's.

    python -m benchmarks.load URL FILE SESSIONS SECONDS [whip|fastrtc]

Each session sends the packets of FILE again and again at their pace, encoded only once, and watches its own
suggestions. The results are printed as JSON. Times are of the monotonic clock, which processes of one machine share.
"""

import asyncio
import contextlib
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from stream.sources.webrtc.stun_retries import wait_for_consent

CLOCK = 90_000
STAGGER_S = 0.1  # between two publishers; without it all key frames would coincide
CONNECT_S = 20.0
SDP = {"content-type": "application/sdp"}


class Packets(MediaStreamTrack):
    """A track of encoded packets, paced by the clock; a late packet is sent at once."""

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
        packets = [bytes(part) for packet in container.demux(stream) if packet.size for part in convert.filter(packet)]
        return packets, round(float(stream.average_rate or 30))


def sending(*tracks: MediaStreamTrack, codec: str = "H264") -> RTCPeerConnection:
    """A connection that is to send these, its video in this codec; "": any that both sides know."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    codecs = RTCRtpSender.getCapabilities("video").codecs
    for track in tracks:
        transceiver = connection.addTransceiver(track, direction="sendonly")
        if track.kind == "video":
            transceiver.setCodecPreferences([one for one in codecs if one.mimeType == f"video/{codec}" or not codec])
    return connection


async def offered(client: httpx.AsyncClient, connection: RTCPeerConnection, **query: str) -> httpx.Response:
    """The answer to a connection's offer by WHIP; where the server takes it, the two connect."""
    await connection.setLocalDescription()
    answer = await client.post("/whip", params=query, content=connection.localDescription.sdp, headers=SDP)
    if answer.status_code == 201:
        await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
    return answer


async def publish(url: str, packets: list[bytes], fps: int, number: int, until_s: float, way: str) -> dict[str, Any]:
    """One publisher with one viewer."""
    await asyncio.sleep(number * STAGGER_S)
    track = Packets(packets, fps)
    connection = sending(track)
    messages: list[list[Any]] = []
    result: dict[str, Any] = {"messages": messages, "refused": ""}
    try:
        async with httpx.AsyncClient(base_url=url, timeout=CONNECT_S) as client:
            signal = {"whip": by_whip, "fastrtc": by_fastrtc}[way]
            try:
                texts, resource = await signal(client, connection)
            except RefusedError as error:
                return result | {"refused": str(error)}
            with contextlib.suppress(TimeoutError, httpx.TransportError):
                async with asyncio.timeout(max(0.0, until_s - time.monotonic())):
                    async for text in texts:
                        take(text, messages)
            await asyncio.sleep(max(0.0, until_s - time.monotonic()))
            if resource:
                await client.delete(resource)
    finally:
        await connection.close()
    return result | {"sent": track.sent, "first_s": track.first_s}


class RefusedError(Exception):
    """The server refuses the publisher."""


async def by_whip(client: httpx.AsyncClient, connection: RTCPeerConnection) -> tuple[AsyncIterator[str], str]:
    """Connect; the messages to come, and the path to delete at the end."""
    answer = await offered(client, connection)
    if answer.status_code != 201:
        raise RefusedError(f"{answer.status_code} {answer.text}")
    events = answer.headers.get("segue-events")
    texts = view(f"ws://{client.base_url.host}:{client.base_url.port}{events}") if events else nothing()
    return texts, answer.headers["location"]


async def by_fastrtc(client: httpx.AsyncClient, connection: RTCPeerConnection) -> tuple[AsyncIterator[str], str]:
    """As fastrtc's own client does: the client makes up a name, and opens a data channel, without which the server
    handles no frame. Nothing is deleted: a session ends with its connection."""
    name = secrets.token_urlsafe(8)
    connection.createDataChannel("text")
    await connection.setLocalDescription()
    offer = {"sdp": connection.localDescription.sdp, "type": "offer", "webrtc_id": name}
    answer = (await client.post("/webrtc/offer", json=offer)).json()
    if "sdp" not in answer:
        raise RefusedError(str(answer))
    (await client.post(f"/inputs/{name}")).raise_for_status()
    await connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
    return server_sent(client, f"/outputs/{name}"), ""


async def nothing() -> AsyncIterator[str]:
    """No messages, for a server without events."""
    return
    yield


async def view(url: str) -> AsyncIterator[str]:
    with contextlib.suppress(ConnectionClosed):
        async with connect(url) as socket:
            async for text in socket:
                yield str(text)


async def server_sent(client: httpx.AsyncClient, path: str) -> AsyncIterator[str]:
    async with client.stream("GET", path, timeout=None) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield line.removeprefix("data: ")


def take(text: str, messages: list[list[Any]]) -> None:
    """Append a list of suggestions, with the time of its arrival, to ``messages``."""
    message = json.loads(text)
    if message["type"] == "suggestions":
        top = [item["track"] for item in message["items"]]
        messages.append([time.monotonic(), message["pts_s"], message["late_ms"], top])


async def load(url: str, path: Path, sessions: int, seconds: float, way: str) -> list[dict[str, Any]]:
    packets, fps = read_packets(path)
    until_s = time.monotonic() + seconds
    return await asyncio.gather(*(publish(url, packets, fps, number, until_s, way) for number in range(sessions)))


if __name__ == "__main__":
    url, path, sessions, seconds, way = (*sys.argv[1:], "whip")[:5]
    wait_for_consent()  # as browsers and OBS do; aiortc would leave a busy server after half a minute
    json.dump(asyncio.run(load(url, Path(path), int(sessions), float(seconds), way)), sys.stdout)
