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

from benchmarks.load import watch
from benchmarks.served import loaded
from stream.sources.websocket.pictures import pack_picture

from . import mutate
from .fuzz import right_offers
from .material import JPEG, picture
from .outcome import Outcome, rate_and_gap
from .scene import Scene
from .sockets import command, ingest, ws
from .target import Target, together, unspoilt_log, until, without_sessions
from .wires import place, post, status_of

NEVER: Final = 100
LORIS: Final = 50
LORIS_S: Final = 15.0
SILENT_S: Final = 4.0  # the longest that the good publisher may hear nothing
SPARE: Final = 4  # descriptors: of a connection that is just being closed
MORE: Final = ("--max-sessions", "8", "--handshake-s", "2", "--idle-s", "3", "--max-late-ms", "0", "--allow-pull")
SDP: Final = {"content-type": "application/sdp"}
LOCAL: Final = b" HTTP/1.1\r\nhost: localhost\r\n"
REFUSED: Final = frozenset({"400", "414", "431", "closed"})


async def clients(scene: Scene, out: Outcome) -> None:
    """All of them, one after another, while a good publisher is served."""
    with scene.server(MORE) as server:
        idle = server.descriptors() + int(server.health()["tracks"]) + SPARE  # each track's file stays open
        with loaded(server.url, scene.stream, 1, 90.0, scene.cores):
            out.expect(await until(lambda: _alone(server)), "a good publisher was not let in")
            events = urlsplit(server.sessions()[0]["events"]).path
            heard: list[list[Any]] = []
            async with together(watch(f"{ws(server)}{events}", heard)):
                await asyncio.sleep(2)
                begun_s = time.monotonic()
                for act in (never_connect, slow_loris, oversized):
                    act_s, before = time.monotonic(), len(heard)
                    await act(server, events, out)
                    lasted_s, new = time.monotonic() - act_s, len(heard) - before
                    out.count("suggestions_a_second", new / lasted_s, new, "1/s", during=act.__name__)
                    out.count("lasted_s", lasted_s, 1, "s", act=act.__name__)
                ended_s = time.monotonic()
            rate, gap_s = rate_and_gap([message[0] for message in heard], begun_s, ended_s)
            out.count("suggestions_a_second", rate, len(heard), "1/s", during="all")
            out.count("longest_gap_s", gap_s, len(heard), "s", during="all")
            out.expect(gap_s < SILENT_S, f"the good publisher heard nothing for {gap_s:.1f} s")
        out.expect(await without_sessions(server), f"{len(server.sessions())} sessions are left")

        async def few() -> bool:
            return server.descriptors() <= idle

        out.expect(await until(few), f"{server.descriptors()} descriptors are open, an idle server has {idle} at most")
        out.count("descriptors", server.descriptors(), idle, "", when="afterwards")
        unspoilt_log(server, len(out.rows), out)


async def _alone(server: Target) -> bool:
    """Whether the good publisher's session is the only one."""
    return len(await asyncio.to_thread(server.sessions)) == 1


async def never_connect(server: Target, events: str, out: Outcome) -> None:
    """Offers from nobody: the places are taken for the time of a handshake and not longer."""
    (offer, _) = await right_offers()
    found: Counter[object] = Counter()
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        for _ in range(NEVER // 10):
            answers = await asyncio.gather(*(client.post("/whip", content=offer, headers=SDP) for _ in range(10)))
            found.update(answer.status_code for answer in answers)
            await asyncio.sleep(0.3)
    out.counts("offers_that_never_connect", found)
    out.expect(set(found) <= {201, 503}, f"offers from nobody were answered {dict(found)}")
    gone = await until(lambda: _alone(server))
    out.expect(gone, f"{len(server.sessions()) - 1} sessions are left of offers that never connected")


async def slow_loris(server: Target, events: str, out: Outcome) -> None:
    """Connections that send a byte a second; meanwhile others are answered."""
    begun_s = time.monotonic()
    idle = [asyncio.create_task(_loris(server, number, begun_s + LORIS_S)) for number in range(LORIS)]
    took_ms: list[float] = []
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        while time.monotonic() < begun_s + LORIS_S - 1:
            asked_s = time.monotonic()
            (await client.get("/healthz")).raise_for_status()
            took_ms.append(1000 * (time.monotonic() - asked_s))
            await asyncio.sleep(0.2)
    held = sum(await asyncio.gather(*idle))
    out.count("answer_p95_ms", float(np.percentile(took_ms, 95)), len(took_ms), "ms", during="slow_loris")
    out.count("slow_connections_still_open", held, LORIS, "", after_s=LORIS_S)
    out.expect(held == 0, f"{held} of {LORIS} slow connections are still open after {LORIS_S:g} s")


async def _loris(server: Target, number: int, until_s: float) -> bool:
    """Whether the server still listens at the end."""
    body = post("/whip", bytes(5000), SDP["content-type"])[:-5000]  # which never comes
    starts = (b"GET /", body, b"GET /ingest" + LOCAL + b"upgrade: websocket\r\n")
    reader, writer = await asyncio.open_connection(*place(server.url))
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
    padded = offer + "a=x:" + "y" * 70_000 + "\r\n"
    section = offer[offer.index("m=video") :]
    candidates = "".join(f"a=candidate:{n} 1 udp 1 127.0.0.1 {20_000 + n} typ host\r\n" for n in range(300))
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        own = await client.post("/whip", content=offer, headers=SDP)
        kind = {"content-type": "application/trickle-ice-sdpfrag", "if-match": own.headers.get("etag", "")}
        large = post("/whip", bytes(20_000_000), SDP["content-type"])
        wide = pack_picture(JPEG, 0, picture(0, ".jpg", 5000, 40))
        cases: dict[str, tuple[Awaitable[str], Collection[str]]] = {
            "offer": (_status(client.post("/whip", content=padded, headers=SDP)), {"413"}),
            "candidates, 300": (_status(client.post("/whip", content=offer + candidates, headers=SDP)), {"422"}),
            "media sections, 12": (
                _status(client.post("/whip", content=offer + 11 * section, headers=SDP)),
                {"400", "422"},
            ),
            "offer of 20 MB": (status_of(server.url, large, 10), {"413", "closed"}),
            "fragment": (_status(client.patch(_path(own), content="a=x:" + "y" * 17_000, headers=kind)), {"413"}),
            "request to pull": (_status(client.post("/api/pull", json={"url": "x" * 9000})), {"400"}),
            "URL to pull": (_status(client.post("/api/pull", json={"url": "http://x/" + "x" * 3000})), {"422"}),
            "key to pull": (_status(client.post("/api/pull", json={"url": "x", "key": "k" * 129})), {"400"}),
            "key": (_status(client.post("/whip", params={"key": "k" * 129}, content=offer, headers=SDP)), {"400"}),
            "header": (status_of(server.url, b"GET /" + LOCAL + b"x: " + b"a" * 200_000 + b"\r\n\r\n"), REFUSED),
            "headers, many": (status_of(server.url, b"GET /" + LOCAL + b"x: a\r\n" * 400_000 + b"\r\n"), REFUSED),
            "address": (status_of(server.url, b"GET /" + b"a" * 200_000 + LOCAL + b"\r\n"), REFUSED),
            "label": (_status(client.post("/whip?label=" + "l" * 5000, content=offer, headers=SDP)), {"201", "503"}),
            "hello": (ingest(server, json.dumps({**mutate.HELLOS[0], "label": "x" * 5000})), {"4400"}),
            "label of hello": (ingest(server, json.dumps({**mutate.HELLOS[0], "label": "x" * 1001})), {"4400"}),
            "message of 3 MB": (ingest(server, None, bytes(3_000_000)), {"4413"}),
            "message of 9 MB": (ingest(server, None, bytes(9_000_000)), {"1009"}),
            "image of 5000 pixels": (ingest(server, None, wide), {"4413"}),
            "viewers, 40": (_viewers(server, events, 40), {"4503"}),
            "command": (command(server, json.dumps({"type": "skip", "track": "x" * 5000}), events), {"refused"}),
            "command of 9 MB": (command(server, "x" * 9_000_000, events), {"1009"}),
        }
        for what, (asking, right) in cases.items():
            got = await asking
            out.count("oversized", 1, 1, "", what=what, answer=got)
            out.expect(got in right, f"{what} beyond its bound was answered {got}, not {' or '.join(sorted(right))}")


async def _viewers(server: Target, events: str, count: int) -> str:
    """What the last of so many viewers of one session is told."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count - 1):
            await stack.enter_async_context(connect(f"{ws(server)}{events}", close_timeout=1))
        return await command(server, "{}", events)


def _path(answer: httpx.Response) -> str:
    return urlsplit(str(answer.headers.get("location", "/whip/none"))).path


async def _status(asking: Awaitable[httpx.Response]) -> str:
    return str((await asking).status_code)
