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
from aiortc import RTCPeerConnection
from websockets.exceptions import WebSocketException

from .load import CONNECT_S, Packets, offered, read_packets, sending, view

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


async def place(url: str, packets: list[bytes], fps: int, number: int, until_s: float, tally: Tally) -> None:
    """One stream after another, until the end."""
    rng = random.Random(number)
    await asyncio.sleep(number * STAGGER_S)
    key, left = "", ""
    async with httpx.AsyncClient(base_url=url, timeout=CONNECT_S) as client:
        while time.monotonic() < until_s:
            key = key or f"place-{number}-{tally.streams}"
            connection = sending(Packets(packets, fps))
            try:
                answer = await offered(client, connection, key=key)
                if answer.status_code != 201:
                    tally.refused += 1
                    await connection.close()
                    await asyncio.sleep(AGAIN_S)
                    continue
                tally.streams += 1
                events = answer.headers["segue-events"]
                if left:
                    tally.came_back += 1
                    tally.same_session += left == events
                returns = await live(client, connection, answer, tally, rng, until_s)
                key, left = (key, events) if returns else ("", "")
            except (httpx.HTTPError, ConnectionError) as error:
                tally.failed += 1
                sys.stderr.write(f"a stream failed: {error!r}\n")
                await connection.close()
            await asyncio.sleep(min(rng.uniform(*(AWAY_S if key else BETWEEN_S)), max(0.0, until_s - time.monotonic())))


async def live(
    client: httpx.AsyncClient,
    connection: RTCPeerConnection,
    answer: httpx.Response,
    tally: Tally,
    rng: random.Random,
    until_s: float,
) -> bool:
    """One stream's life, with a viewer; whether it is to come back."""
    life_s, ending = rng.uniform(*LIFE_S), rng.choice(ENDINGS)
    ends_s = min(time.monotonic() + life_s, until_s)
    events = f"ws://{client.base_url.host}:{client.base_url.port}{answer.headers['segue-events']}"
    with contextlib.suppress(WebSocketException, OSError, TimeoutError):
        async with asyncio.timeout(max(0.0, ends_s - time.monotonic())):
            async for text in view(events):
                tally.suggestions += json.loads(text)["type"] == "suggestions"
    await asyncio.sleep(max(0.0, ends_s - time.monotonic()))
    if ending == "delete":
        tally.unanswered_deletes += (await client.delete(answer.headers["location"])).status_code != 200
        tally.deleted += 1
    else:
        tally.vanished += 1
        for transceiver in connection.getTransceivers():  # the sockets, before anything can be said
            if transceiver.sender.transport is not None:
                await transceiver.sender.transport.transport.stop()
    await connection.close()
    return ending == "return"


async def churn(url: str, path: Path, sessions: int, seconds: float) -> Tally:
    packets, fps = read_packets(path)
    tally, until_s = Tally(), time.monotonic() + seconds
    await asyncio.gather(*(place(url, packets, fps, number, until_s, tally) for number in range(sessions)))
    return tally


if __name__ == "__main__":
    url, path, sessions, seconds = sys.argv[1:5]
    json.dump(asdict(asyncio.run(churn(url, Path(path), int(sessions), float(seconds)))), sys.stdout)
