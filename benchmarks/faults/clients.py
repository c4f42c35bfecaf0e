"""Clients that behave badly: never connect, never finish, send too much."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Collection
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import numpy as np
from websockets.asyncio.client import connect

from benchmarks.load import SDP
from stream.sources.websocket.pictures import pack_picture

from . import mutate
from .material import JPEG, picture, right_offers
from .outcome import Outcome, rate_and_gap
from .raw_socket import CLOSED, command, ingest, post, status_of
from .target import Scene, Target
from .waiting import until

NEVER: Final = 100
LORIS: Final = 50
LORIS_S: Final = 15.0
SILENT_S: Final = 4.0  # the longest that the good publisher's viewer may be told nothing
WORDS: Final = ("--max-sessions", "8", "--handshake-s", "2", "--idle-s", "3", "--max-late-ms", "0", "--allow-pull")
LOCAL: Final = b" HTTP/1.1\r\nhost: localhost\r\n"
REFUSED: Final = frozenset({"400", "414", "431", CLOSED})


async def clients(scene: Scene, out: Outcome) -> None:
    """All of them, one after another, while a good publisher is served."""
    with scene.server(WORDS) as server:
        most = server.most_descriptors()
        async with scene.good_publishers(server, 1, 90.0) as (viewer,):
            await asyncio.sleep(2)
            begun_s = time.monotonic()
            for act in (never_connect, slow_loris, oversized):
                act_s = time.monotonic()
                await act(server, urlsplit(viewer.url).path, out)
                ended_s = time.monotonic()
                rate, _ = rate_and_gap(viewer.suggested_s, act_s, ended_s)
                out.count("suggestions_a_second", rate, round(rate * (ended_s - act_s)), "1/s", during=act.__name__)
                out.count("lasted_s", ended_s - act_s, 1, "s", act=act.__name__)
            rate, gap_s = rate_and_gap(viewer.suggested_s, begun_s, ended_s)
            out.count("suggestions_a_second", rate, viewer.kinds["suggestions"], "1/s", during="all")
            out.count("longest_gap_s", gap_s, viewer.kinds["suggestions"], "s", at_most=SILENT_S, during="all")
        await server.expect_no_sessions(out)
        await server.expect_few_descriptors(most, out)
        server.expect_unspoilt_log(len(out.rows), out)


async def never_connect(server: Target, events: str, out: Outcome) -> None:
    """Offers from nobody: the places are taken for the time of a handshake and not longer."""
    (offer, _) = await right_offers()
    statuses: Counter[object] = Counter()
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        for _ in range(NEVER // 10):
            answers = await asyncio.gather(*(client.post("/whip", content=offer, headers=SDP) for _ in range(10)))
            statuses.update(answer.status_code for answer in answers)
            await asyncio.sleep(0.3)
    out.counts("offers_that_never_connect", statuses)
    out.expect(set(statuses) <= {201, 503}, f"offers from nobody were answered {dict(statuses)}")
    gone = await until(lambda: len(server.sessions()) == 1)
    out.expect(gone, f"{len(server.sessions()) - 1} sessions are left of offers that never connected")


async def slow_loris(server: Target, events: str, out: Outcome) -> None:
    """Connections that send a byte a second; meanwhile others are answered."""
    begun_s = time.monotonic()
    slow = [asyncio.create_task(_loris(server, number, begun_s + LORIS_S)) for number in range(LORIS)]
    took_ms: list[float] = []
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        while time.monotonic() < begun_s + LORIS_S - 1:
            begin_s = time.monotonic()
            (await client.get("/healthz")).raise_for_status()
            took_ms.append(1000 * (time.monotonic() - begin_s))
            await asyncio.sleep(0.2)
    still_open = sum(await asyncio.gather(*slow))
    out.count("answer_p95_ms", float(np.percentile(took_ms, 95)), len(took_ms), "ms", during="slow_loris")
    out.count("slow_connections_still_open", still_open, LORIS, at_most=0, after_s=LORIS_S)


async def _loris(server: Target, number: int, until_s: float) -> bool:
    """Whether the server still listens at the end."""
    body = post("/whip", bytes(5000), SDP["content-type"])[:-5000]  # which never comes
    starts = (b"GET /", body, b"GET /ingest" + LOCAL + b"upgrade: websocket\r\n")
    place = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(starts[number % len(starts)])
        while time.monotonic() < until_s:
            await asyncio.sleep(1)
            writer.write(b"a")
            await writer.drain()
            if reader.at_eof():
                return False
    except OSError:
        return False
    finally:
        writer.close()
    return True


async def oversized(server: Target, events: str, out: Outcome) -> None:
    """Everything that has a bound, beyond it."""
    (offer, _) = await right_offers()
    section = offer[offer.index("m=video") :]
    candidates = "".join(f"a=candidate:{n} 1 udp 1 127.0.0.1 {20_000 + n} typ host\r\n" for n in range(300))
    wide = pack_picture(JPEG, 0, picture(0, ".jpg", 5000, 40))
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        own = await client.post("/whip", content=offer, headers=SDP)
        resource = urlsplit(str(own.headers.get("location", "/whip/none"))).path
        kind = {"content-type": "application/trickle-ice-sdpfrag", "if-match": own.headers.get("etag", "")}

        async def request(method: str, path: str, **options: Any) -> str:
            return str((await client.request(method, path, **options)).status_code)

        def whip(sdp: str, query: str = "") -> Awaitable[str]:
            return request("POST", f"/whip{query}", content=sdp, headers=SDP)

        def pull(**wanted: str) -> Awaitable[str]:
            return request("POST", "/api/pull", json=wanted)

        def raw(data: bytes) -> Awaitable[str]:
            return status_of(server.url, data, 10)

        cases: dict[str, tuple[Awaitable[str], Collection[str]]] = {
            "offer": (whip(offer + "a=x:" + "y" * 70_000 + "\r\n"), {"413"}),
            "candidates, 300": (whip(offer + candidates), {"422"}),
            "media sections, 12": (whip(offer + 11 * section), {"400", "422"}),
            "offer of 20 MB": (raw(post("/whip", bytes(20_000_000), SDP["content-type"])), {"413", CLOSED}),
            "fragment": (request("PATCH", resource, content="a=x:" + "y" * 17_000, headers=kind), {"413"}),
            "request to pull": (pull(url="x" * 9000), {"400"}),
            "URL to pull": (pull(url="http://x/" + "x" * 3000), {"422"}),
            "key to pull": (pull(url="x", key="k" * 129), {"400"}),
            "key": (whip(offer, "?key=" + "k" * 129), {"400"}),
            "header": (raw(b"GET /" + LOCAL + b"x: " + b"a" * 200_000 + b"\r\n\r\n"), REFUSED),
            "headers, many": (raw(b"GET /" + LOCAL + b"x: a\r\n" * 400_000 + b"\r\n"), REFUSED),
            "address": (raw(b"GET /" + b"a" * 200_000 + LOCAL + b"\r\n"), REFUSED),
            "label": (whip(offer, "?label=" + "l" * 5000), {"201", "503"}),
            "hello": (ingest(server, json.dumps({**mutate.HELLOS[0], "label": "x" * 5000})), {"4400"}),
            "label of hello": (ingest(server, json.dumps({**mutate.HELLOS[0], "label": "x" * 1001})), {"4400"}),
            "message of 3 MB": (ingest(server, None, bytes(3_000_000)), {"4413"}),
            "message of 9 MB": (ingest(server, None, bytes(9_000_000)), {"1009"}),
            "image of 5000 pixels": (ingest(server, None, wide), {"4413"}),
            "viewers, 40": (_viewers(server, events, 40), {"4503"}),
            "command": (command(server, json.dumps({"type": "skip", "track": "x" * 5000}), events), {"refused"}),
            "command of 9 MB": (command(server, "x" * 9_000_000, events), {"1009"}),
        }
        for what, (answer, right) in cases.items():
            got = await answer
            out.count("oversized", 1, 1, what=what, answer=got)
            out.expect(got in right, f"{what} beyond its bound was answered {got}, not {' or '.join(sorted(right))}")


async def _viewers(server: Target, events: str, count: int) -> str:
    """What the last of so many viewers of one session is told."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count - 1):
            await stack.enter_async_context(connect(f"{server.ws}{events}", close_timeout=1))
        return await command(server, "{}", events)
