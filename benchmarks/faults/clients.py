"""Clients that behave badly: never connect, never finish, send too much, have no right, look where they may not."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Collection
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from benchmarks.load import watch
from benchmarks.served import loaded
from stream.sources.frames_socket import pack_picture

from . import mutate
from .fuzz import right_offers
from .material import JPEG, picture
from .outcome import Outcome
from .scene import Scene
from .target import GOOD_ENOUGH, Target, together, unspoilt_log, until
from .wires import place, post, status_of

NEVER: Final = 100
LORIS: Final = 50
LORIS_S: Final = 15.0
MORE: Final = ("--max-sessions", "8", "--handshake-s", "2", "--idle-s", "3", "--max-late-ms", "0", "--allow-pull")
SDP: Final = {"content-type": "application/sdp"}
OF_SDP: Final = {b"content-type": b"application/sdp"}
LOCAL: Final = b" HTTP/1.1\r\nhost: localhost\r\n"
REFUSED: Final = frozenset({"400", "414", "431", "closed"})
TOKENS: Final = {"publish": "publish-token-of-a-test", "view": "view-token-of-a-test", "control": "control-token-of-it"}
WAYS_OUT: Final = (
    "../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/%2e%2e/etc/passwd", "..%252f..",
    "%252e%252e%252fetc%252fpasswd", "..\\..\\..\\etc\\passwd", "..%5c..%5cetc%5cpasswd", "%c0%ae%c0%ae/etc/passwd",
    "....//....//etc/passwd", "/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "main.js%00.txt",
    "..;/..;/etc/passwd", "./main.js/../../app.py", "%2e%2e%2fapp.py", "app.py", "__init__.py", "catalog.sqlite",
    "%uff0e%uff0e/etc/passwd", "~/.bashrc", "\uff0e\uff0e/etc/passwd",
)  # fmt: skip
FILE_ROUTES: Final = ("/{}", "/api/tracks/{}", "/tracks/{}/audio", "/tracks/{}", "/whip/{}", "/sessions/{}/events")
BETRAYED: Final = (b"root:", b"SQLite format", b"import ", b"docstring")
ASKED: Final = (("POST", "/whip"), ("GET", "/api/sessions"), ("POST", "/api/pull"), ("OPTIONS", "/whip"), ("GET", "/"))
EVIL: Final = (
    "https://evil.example",
    "null",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "x",
    "",
)


async def clients(scene: Scene, out: Outcome) -> None:
    """All of them, one after another, while a good publisher is served."""
    with scene.server(MORE) as server, loaded(server.url, scene.stream, 1, 90.0, scene.cores):
        await _good(server)
        (session,) = server.sessions()
        heard: list[list[Any]] = []
        async with together(watch(f"{_ws(server)}{urlsplit(session['events']).path}", heard)):
            for act in (never_connect, slow_loris, oversized, ways_out, cross_origin):
                begun_s, before = time.monotonic(), len(heard)
                await act(server, out)
                lasted_s = time.monotonic() - begun_s
                new = len(heard) - before
                out.count("suggestions_a_second", new / lasted_s, new, "1/s", during=act.__name__)
                promised = new >= min(GOOD_ENOUGH, int(lasted_s / 2))
                out.expect(promised, f"the good publisher got {new} suggestions in {lasted_s:.0f} s ({act.__name__})")
        unspoilt_log(server, len(out.rows), out)
    words = [word for name, token in TOKENS.items() for word in (f"--{name}-token", token)]
    with scene.server([*MORE, *words]) as server:
        await tokens(server, out)
        unspoilt_log(server, len(out.rows), out)


async def _good(server: Target) -> None:
    async def let_in() -> bool:
        return len(await asyncio.to_thread(server.sessions)) == 1

    await until(let_in)


def _ws(server: Target) -> str:
    return f"ws{server.url.removeprefix('http')}"


async def never_connect(server: Target, out: Outcome) -> None:
    """Offers from nobody: the places are taken for the time of a handshake and not longer."""
    (offer, _) = await right_offers()
    before = server.descriptors()
    found: Counter[object] = Counter()
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        for _ in range(NEVER // 10):
            answers = await asyncio.gather(*(client.post("/whip", content=offer, headers=SDP) for _ in range(10)))
            found.update(answer.status_code for answer in answers)
            await asyncio.sleep(0.3)
    out.counts("offers_that_never_connect", found)
    out.expect(set(found) <= {201, 503}, f"offers from nobody were answered {dict(found)}")

    async def gone() -> bool:
        return len(await asyncio.to_thread(server.sessions)) == 1

    out.expect(await until(gone), f"{len(server.sessions())} sessions are left of offers that never connected")
    out.count("descriptors", server.descriptors() - before, NEVER, "", when="afterwards, more than before")


async def slow_loris(server: Target, out: Outcome) -> None:
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


async def oversized(server: Target, out: Outcome) -> None:
    """Everything that has a bound, beyond it."""
    (offer, _) = await right_offers()
    padded = offer + "a=x:" + "y" * 70_000 + "\r\n"
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        own = await client.post("/whip", content=offer, headers=SDP)
        kind = {"content-type": "application/trickle-ice-sdpfrag", "if-match": own.headers.get("etag", "")}
        large = post("/whip", bytes(20_000_000), SDP["content-type"])
        wide = pack_picture(JPEG, 0, picture(0, ".jpg", 5000, 40))
        cases: dict[str, tuple[Awaitable[str], Collection[str]]] = {
            "offer": (_status(client.post("/whip", content=padded, headers=SDP)), {"413"}),
            "offer of 20 MB": (status_of(server.url, large, 10), {"413", "closed"}),
            "fragment": (_status(client.patch(_path(own), content="a=x:" + "y" * 17_000, headers=kind)), {"413"}),
            "request to pull": (_status(client.post("/api/pull", json={"url": "x" * 9000})), {"400"}),
            "URL to pull": (_status(client.post("/api/pull", json={"url": "http://x/" + "x" * 3000})), {"422"}),
            "key": (_status(client.post("/whip", params={"key": "k" * 129}, content=offer, headers=SDP)), {"400"}),
            "header": (status_of(server.url, b"GET /" + LOCAL + b"x: " + b"a" * 200_000 + b"\r\n\r\n"), REFUSED),
            "headers, many": (status_of(server.url, b"GET /" + LOCAL + b"x: a\r\n" * 400_000 + b"\r\n"), REFUSED),
            "address": (status_of(server.url, b"GET /" + b"a" * 200_000 + LOCAL + b"\r\n"), REFUSED),
            "label": (_status(client.post("/whip?label=" + "l" * 5000, content=offer, headers=SDP)), {"201", "503"}),
            "hello": (_ingest(server, json.dumps({**mutate.HELLOS[0], "label": "x" * 5000})), {"4400"}),
            "label of hello": (_ingest(server, json.dumps({**mutate.HELLOS[0], "label": "x" * 1001})), {"4400"}),
            "message of 3 MB": (_ingest(server, None, bytes(3_000_000)), {"4413"}),
            "message of 9 MB": (_ingest(server, None, bytes(9_000_000)), {"1009"}),
            "image of 5000 pixels": (_ingest(server, None, wide), {"4413"}),
            "command": (_command(server, json.dumps({"type": "skip", "track": "x" * 5000})), {"refused"}),
            "command of 9 MB": (_command(server, "x" * 9_000_000), {"1009"}),
        }
        for what, (asking, right) in cases.items():
            got = await asking
            out.count("oversized", 1, 1, "", what=what, answer=got)
            out.expect(got in right, f"{what} beyond its bound was answered {got}, not {' or '.join(sorted(right))}")


def _path(answer: httpx.Response) -> str:
    return urlsplit(str(answer.headers.get("location", "/whip/none"))).path


async def _status(asking: Awaitable[httpx.Response]) -> str:
    return str((await asking).status_code)


async def _ingest(server: Target, hello: str | None, *messages: bytes, **options: Any) -> str:
    """The code with which the socket is closed, or ``taken``."""
    try:
        async with connect(f"{_ws(server)}/ingest", close_timeout=1, **options) as socket:
            await socket.send(json.dumps(mutate.HELLOS[0]) if hello is None else hello)
            for message in messages:
                await socket.send(message)
            async with asyncio.timeout(4):
                while True:
                    await socket.recv()
    except TimeoutError:
        return "taken"
    except InvalidStatus as refused:
        return str(refused.response.status_code)
    except ConnectionClosed as closed:
        return str(closed.rcvd.code if closed.rcvd else 1006)


async def _command(server: Target, text: str, path: str = "", **options: Any) -> str:
    """The answer to a command of a viewer of the first session, or the code with which the socket is closed."""
    path = path or urlsplit(server.sessions()[0]["events"]).path
    try:
        async with connect(f"{_ws(server)}{path}", close_timeout=1, **options) as socket, asyncio.timeout(5):
            await socket.send(text)
            async for message in socket:
                if (kind := json.loads(message)["type"]) in ("accepted", "refused"):
                    return str(kind)
    except TimeoutError:
        return "no answer"
    except InvalidStatus as refused:
        return str(refused.response.status_code)
    except ConnectionClosed as closed:
        return str(closed.rcvd.code if closed.rcvd else 1006)
    return str(socket.close_code)


async def ways_out(server: Target, out: Outcome) -> None:
    """Paths that lead out of a folder, on every route that names something, in several encodings and none."""
    found: Counter[object] = Counter()
    host, port = place(server.url)
    for route in FILE_ROUTES:
        for way in WAYS_OUT:
            for written in dict.fromkeys((way, quote(way, safe=""), quote(quote(way, safe=""), safe=""))):
                line = f"GET {route.format(written)} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n"
                answer = await _whole(server, line.encode())
                status = answer.partition(b" ")[2][:3].decode("latin-1") or "closed"
                found[status] += 1
                told = any(mark in answer for mark in BETRAYED)
                out.expect(not told and status != "200", f"{route.format(written)} was answered {answer[:120]!r}")
    out.counts("ways_out_of_a_folder", found)


async def _whole(server: Target, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*place(server.url))
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            return await reader.read(200_000)
    finally:
        writer.close()


async def cross_origin(server: Target, out: Outcome) -> None:
    """Pages from elsewhere, and names that are not this machine's."""
    (offer, _) = await right_offers()
    found: Counter[object] = Counter()
    events = urlsplit(server.sessions()[0]["events"]).path
    strange = [{"origin": origin} for origin in EVIL] + [{"host": "evil.example"}, {"host": "127.0.0.1.evil.example"}]
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        for headers in strange:
            for method, path in ASKED:
                answer = await client.request(method, path, content=offer, headers={**SDP, **headers})
                found[answer.status_code] += 1
                right = answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
                out.expect(right, f"{method} {path} with {headers} was answered {answer.status_code}")
        for origin in EVIL[:4]:
            for got in (
                await _command(server, "{}", events, origin=origin),
                await _ingest(server, None, origin=origin),
            ):
                found[f"websocket {got}"] += 1
                out.expect(got in ("403", "4403"), f"a websocket from {origin} got {got}")
    out.counts("cross_origin", found)


async def tokens(server: Target, out: Outcome) -> None:
    """Missing, wrong, of another right, and addresses that were used before."""
    (offer, _) = await right_offers()
    wrong: dict[str, dict[str, str]] = {
        "missing": {},
        "wrong": {"authorization": "Bearer wrong"},
        "no bearer": {"authorization": f"Basic {TOKENS['publish']}"},
        "of viewers": {"authorization": f"Bearer {TOKENS['view']}"},
        "cut short": {"authorization": f"Bearer {TOKENS['publish'][:-1]}"},
        "too long": {"authorization": f"Bearer {TOKENS['publish']}x"},
        "not ASCII": {"authorization": "Bearer \u00e9"},
    }
    found: Counter[object] = Counter()

    def judge(got: str, right: str, what: str) -> None:
        found[got] += 1
        out.expect(got == right, f"{what}: {got}, not {right}")

    async with httpx.AsyncClient(base_url=server.url, timeout=10, trust_env=False) as client:
        for name, told in wrong.items():
            headers = {key.encode(): text.encode() for key, text in told.items()}
            posted = client.post("/whip", content=offer, headers=headers | OF_SDP)
            judge(await _status(posted), "401", f"an offer with a token {name}")
            judge(await _status(client.post("/api/pull", json={}, headers=headers)), "401", f"a pull, token {name}")
            if name != "not ASCII":
                judge(await _ingest(server, None, additional_headers=told), "4401", f"/ingest with a token {name}")
            if name != "of viewers":
                for path in ("/api/sessions", "/api/tracks/x", "/tracks/x/audio", "/metrics"):
                    judge(await _status(client.get(path, headers=headers)), "401", f"{path}, token {name}")
        publisher, viewer = ({"authorization": f"Bearer {TOKENS[name]}"} for name in ("publish", "view"))
        first = await client.post("/whip", params={"key": "k"}, content=offer, headers={**SDP, **publisher})
        events = urlsplit(first.headers["segue-events"]).path
        judge(await _command(server, '{"type":"undo"}', events), "4401", "a viewer without a token")
        judge(
            await _command(server, '{"type":"undo"}', events, additional_headers=viewer),
            "refused",
            "a viewer's command",
        )
        second = await client.post("/whip", params={"key": "k"}, content=offer, headers={**SDP, **publisher})
        judge(await _status(client.delete(_path(first), headers=publisher)), "404", "the address of who was taken over")
        judge(await _status(client.patch(_path(first), headers=publisher)), "404", "the address of who was taken over")
        judge(await _status(client.delete(_path(second), headers=publisher)), "200", "the address of who publishes")
        judge(await _status(client.delete(_path(second), headers=publisher)), "404", "the same, a second time")
    out.counts("tokens", found)
