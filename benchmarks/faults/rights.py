"""Who may do what: paths that lead out of folders, pages from elsewhere, and tokens that are none, on every route."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote, urlsplit

import httpx

from benchmarks.served import loaded

from .fuzz import right_offers
from .outcome import Outcome
from .routes import WEBSOCKET, Route, served_routes
from .scene import Scene
from .sockets import command, ingest
from .target import Target, unspoilt_log, until
from .wires import answer_of, place

WORDS: Final = ("--max-sessions", "8", "--handshake-s", "2", "--max-late-ms", "0", "--allow-pull")
SDP: Final = {"content-type": "application/sdp"}
TOKENS: Final = {"publish": "publish-token-of-a-test", "view": "view-token-of-a-test", "control": "control-token-of-it"}
WAYS_OUT: Final = (
    "../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/%2e%2e/etc/passwd", "..%252f..",
    "%252e%252e%252fetc%252fpasswd", "..\\..\\..\\etc\\passwd", "..%5c..%5cetc%5cpasswd", "%c0%ae%c0%ae/etc/passwd",
    "....//....//etc/passwd", "/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "main.js%00.txt",
    "..;/..;/etc/passwd", "./main.js/../../app.py", "%2e%2e%2fapp.py", "app.py", "__init__.py", "catalog.sqlite",
    "%uff0e%uff0e/etc/passwd", "~/.bashrc", "\uff0e\uff0e/etc/passwd",
)  # fmt: skip
BETRAYED: Final = (b"root:", b"SQLite format", b"import ", b"docstring")
EVIL: Final = (
    "https://evil.example",
    "null",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "x",
    "",
)
HOSTS: Final = ("evil.example", "127.0.0.1.evil.example")
# what needs no token: no secret is told, or the address itself is the secret
OPEN: Final = frozenset(
    {Route(path, "GET") for path in ("/", "/{name}", "/healthz", "/readyz")}
    | {Route("/whip", method) for method in ("GET", "HEAD", "OPTIONS")}
    | {Route("/whip/{secret}", method) for method in ("GET", "HEAD", "OPTIONS", "PATCH", "DELETE")}
)
SHAKE: Final = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n"
KEY: Final = "x3JJHMbDL1EzLkh9GBhXDw=="
ANSWER_S: Final = 5.0
SOCKET_S: Final = 0.5
Ask = Callable[[str], Awaitable[bytes]]


async def rights(scene: Scene, out: Outcome) -> None:
    """A server that asks for no tokens, then one that does."""
    routes = served_routes(scene.catalog)
    out.count("routes", len(routes), len(routes))
    with scene.server(WORDS) as server, loaded(server.url, scene.stream, 1, 60.0, scene.cores):

        async def let_in() -> bool:
            return len(await asyncio.to_thread(server.sessions)) == 1

        out.expect(await until(let_in), "a good publisher was not let in")
        asked = await ways_out(routes, lambda request: _asked(server, request), out, place(server.url))
        asked += await cross_origin(server, routes, out)
        unspoilt_log(server, asked, out)
    words = [word for name, token in TOKENS.items() for word in (f"--{name}-token", token)]
    with scene.server([*WORDS, *words]) as server:
        unspoilt_log(server, await tokens(server, routes, out), out)


async def _asked(server: Target, request: str) -> bytes:
    """The whole answer; a websocket's as far as it comes at once, since nobody here closes it."""
    return await answer_of(server.url, request.encode(), SOCKET_S if "upgrade: websocket" in request else ANSWER_S)


def head_of(route: Route, path: str, host: str, *headers: str) -> str:
    """A request without a body, a websocket's handshake included."""
    shake = SHAKE.format(key=KEY) if route.method == WEBSOCKET else "connection: close\r\n"
    method = "GET" if route.method == WEBSOCKET else route.method
    more = "".join(f"{header}\r\n" for header in headers)
    return f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{shake}{more}\r\n"


async def ways_out(routes: list[Route], ask: Ask, out: Outcome, at: tuple[str, int] = ("localhost", 80)) -> int:
    """Paths that lead out of a folder, in every parameter of every route, in several encodings and none.

    ``ask``: a request's answer; returns how many were asked.
    """
    found: Counter[object] = Counter()
    for route in routes:
        if not route.parameters or route.method == WEBSOCKET:  # a websocket's answer holds no file; see `cross_origin`
            continue
        for way in WAYS_OUT:
            for written in dict.fromkeys((way, quote(way, safe=""), quote(quote(way, safe=""), safe=""))):
                for path in route.filled(written):
                    answer = await ask(head_of(route, path, f"{at[0]}:{at[1]}"))
                    status = answer.partition(b" ")[2][:3].decode("latin-1") or "closed"
                    found[status] += 1
                    told = any(mark in answer for mark in BETRAYED)
                    right = not told and status != "200" and (not status.startswith("5"))
                    out.expect(right, f"{route.method} {path} was answered {answer[:120]!r}")
    out.counts("ways_out_of_a_folder", found)
    return found.total()


async def cross_origin(server: Target, routes: list[Route], out: Outcome) -> int:
    """Pages from elsewhere, and names that are not this machine's, on every route."""
    found: Counter[object] = Counter()
    own = "{}:{}".format(*place(server.url))
    events = urlsplit(server.sessions()[0]["events"]).path
    for route in routes:
        path = events if route.path.startswith("/sessions/") else route.filled("x")[0]
        for host, header in [(own, f"origin: {origin}") for origin in EVIL] + [(host, "x: y") for host in HOSTS]:
            answer = await _asked(server, head_of(route, path, host, header))
            status = answer.partition(b" ")[2][:3].decode("latin-1")
            found[f"websocket {status}" if route.method == WEBSOCKET else status] += 1
            right = status == "403" and b"access-control-allow-origin" not in answer.lower()
            out.expect(right, f"{route.method} {path} from {host}, {header!r}, was answered {answer[:60]!r}")
    out.counts("cross_origin", found)
    return found.total()


async def tokens(server: Target, routes: list[Route], out: Outcome) -> int:
    """Missing, wrong and of another right on every route; and addresses that were used before."""
    (offer, _) = await right_offers()
    wrong: dict[str, str] = {
        "missing": "x: y",
        "wrong": "authorization: Bearer wrong",
        "no bearer": f"authorization: Basic {TOKENS['publish']}",
        "cut short": f"authorization: Bearer {TOKENS['publish'][:-1]}",
        "too long": f"authorization: Bearer {TOKENS['publish']}x",
        "not ASCII": "authorization: Bearer \u00e9",
        "empty": "authorization: Bearer ",
    }
    found: Counter[object] = Counter()

    def judge(got: str, right: str, what: str) -> None:
        found[got] += 1
        out.expect(got == right, f"{what}: {got}, not {right}")

    own = "{}:{}".format(*place(server.url))
    for route in routes:
        if route in OPEN:
            continue
        for name, header in wrong.items():
            answer = await _asked(server, head_of(route, route.filled("x")[0], own, header))
            # a websocket is accepted, so that its code and reason can be read
            told = _close_code(answer) if route.method == WEBSOCKET else answer.partition(b" ")[2][:3].decode("latin-1")
            right = "4401" if route.method == WEBSOCKET else "401"
            judge(told, right, f"{route.method} {route.path} with a token {name}")
    async with httpx.AsyncClient(base_url=server.url, timeout=10, trust_env=False) as client:
        publisher, viewer = ({"authorization": f"Bearer {TOKENS[name]}"} for name in ("publish", "view"))
        for token, path in ((viewer, "/whip"), (publisher, "/api/sessions"), (publisher, "/metrics")):
            method = "POST" if path == "/whip" else "GET"
            said = await client.request(method, path, content=offer, headers={**SDP, **token})
            judge(str(said.status_code), "401", f"{path} with a token of another right")
        judge(await ingest(server, None, additional_headers=viewer), "4401", "/ingest with a viewer's token")
        first = await client.post("/whip", params={"key": "k"}, content=offer, headers={**SDP, **publisher})
        events, undo = urlsplit(first.headers["segue-events"]).path, '{"type":"undo"}'
        judge(await command(server, undo, events), "4401", "a viewer without a token")
        judge(await command(server, undo, events, additional_headers=publisher), "4401", "a publisher as a viewer")
        judge(await command(server, undo, events, additional_headers=viewer), "refused", "a viewer's command")
        second = await client.post("/whip", params={"key": "k"}, content=offer, headers={**SDP, **publisher})
        old, new = (urlsplit(answer.headers["location"]).path for answer in (first, second))
        for method, path, right, what in (
            ("DELETE", old, "404", "the address of who was taken over"),
            ("PATCH", old, "404", "the address of who was taken over"),
            ("DELETE", new, "200", "the address of who publishes"),
            ("DELETE", new, "404", "the same, a second time"),
            ("PATCH", new, "404", "the same, after its end"),
        ):
            judge(str((await client.request(method, path, headers=publisher)).status_code), right, what)
    out.counts("tokens", found)
    return found.total()


def _close_code(answer: bytes) -> str:
    """The code in the close frame that follows a handshake (RFC 6455, section 5.5.1); the status where it failed."""
    head, _, frames = answer.partition(b"\r\n\r\n")
    status = head.partition(b" ")[2][:3].decode("latin-1")
    if status != "101" or len(frames) < 4 or frames[0] != 0x88:
        return status
    return str(int.from_bytes(frames[2:4]))
