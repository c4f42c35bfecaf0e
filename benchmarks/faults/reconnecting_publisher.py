"""Publishers without viewers that offer again with their key when they are lost, from a stream encoded before."""

import asyncio
import time
from pathlib import Path
from typing import Final

import httpx
from aiortc import RTCPeerConnection

from benchmarks.load import Packets, offered, read_packets, sending

AGAIN_S: Final = 3.0  # for an answer, before the next try


def publish(url: str, path: Path, keys: list[str], seconds: float, patience_s: float) -> list[int]:
    """One publisher a key for so long, side by side. They come back when their connection fails, and, unless
    ``patience_s`` is 0, when for so long nothing came from the server.

    Returns the status of each offer; what gets no answer within `AGAIN_S` counts as 0.
    """
    packets, fps = read_packets(path)
    statuses: list[int] = []

    async def one(key: str) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            status, connection = 0, sending(Packets(packets, fps))
            try:
                async with httpx.AsyncClient(base_url=url, timeout=AGAIN_S) as client:
                    status = (await offered(client, connection, key=key, label=key)).status_code
                if status == 201:
                    await until_lost(connection, patience_s, until_s)
            except httpx.HTTPError:
                pass
            finally:
                statuses.append(status)
                await connection.close()
            await asyncio.sleep(max(0.0, min(AGAIN_S / 3, until_s - time.monotonic())))

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, keys))

    asyncio.run(all_of_them())
    return statuses


async def until_lost(connection: RTCPeerConnection, patience_s: float, until_s: float) -> None:
    """Return when the connection is none any more, or nothing came from the other side for so long."""
    before, changed_s = -1, time.monotonic()
    while (now_s := time.monotonic()) < until_s and connection.connectionState not in ("failed", "closed"):
        stats = await connection.getSenders()[0].getStats()
        received = sum(one.bytesReceived for one in stats.values() if one.type == "transport")
        if received != before:
            before, changed_s = received, now_s
        if patience_s and now_s - changed_s > patience_s:
            return
        await asyncio.sleep(0.25)
