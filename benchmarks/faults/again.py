"""Publishers that come back, in a process of their own.

    python -m benchmarks.faults.again URL FILE SESSIONS SECONDS KEY PATIENCE_S

Nobody watches. Who is lost posts again with a key of its own: when its connection fails, and, unless PATIENCE_S is 0,
when it heard nothing for so long. What happened is printed as JSON.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from benchmarks.load import Packets, read_packets

AGAIN_S = 3.0  # for an answer, before the next try
SDP = "application/sdp"
H264 = [codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.mimeType == "video/H264"]


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


async def load_again(
    url: str, path: Path, sessions: int, seconds: float, key: str, patience_s: float
) -> list[dict[str, Any]]:
    packets, fps = read_packets(path)
    until_s = time.monotonic() + seconds
    again = (publish_again(url, packets, fps, f"{key}-{number}", patience_s, until_s) for number in range(sessions))
    return await asyncio.gather(*again)


if __name__ == "__main__":
    url, path, sessions, seconds, key, patience = sys.argv[1:]
    told = load_again(url, Path(path), int(sessions), float(seconds), key, float(patience))
    json.dump(asyncio.run(told), sys.stdout)
