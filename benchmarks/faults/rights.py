"""Who may do what: paths that lead out of folders, pages from elsewhere, and tokens that are none, on every route."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote, urlsplit

import httpx

from benchmarks.load import SDP

from .material import right_offers
from .outcome import Outcome
from .raw_socket import answer_of, command, ingest, status
from .routes import WEBSOCKET, Route, served_routes
from .target import Scene, Target

WORDS: Final = ("--max-sessions", "8", "--handshake-s", "2", "--max-late-ms", "0", "--allow-pull")
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
    {Route(path, "GET") for path in ("/", "/{name}", "/overlay", "/dock-file", "/healthz", "/readyz")}
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
    with scene.server(WORDS) as server:
        async with scene.good_publishers(server, 1, 60.0) as (viewer,):
            requests = await ways_out(
                routes, lambda request: answer_to(server, request), out, urlsplit(server.url).netloc
            )
            requests += await cross_origin(server, urlsplit(viewer.url).path, routes, out)
        server.expect_unspoilt_log(requests, out)
    words = [word for name, token in TOKENS.items() for word in (f"--{name}-token", token)]
    with scene.server([*WORDS, *words]) as server:
        server.expect_unspoilt_log(await tokens(server, routes, out), out)


async def answer_to(server: Target, request: str) -> bytes:
    """The whole answer; a websocket's as far as it comes at once, since nobody here closes it."""
    return await answer_of(server.url, request.encode(), SOCKET_S if "upgrade: websocket" in request else ANSWER_S)


def head_of(route: Route, path: str, host: str, *headers: str) -> str:
    """A request without a body, a websocket's handshake included."""
    shake = SHAKE.format(key=KEY) if route.method == WEBSOCKET else "connection: close\r\n"
    method = "GET" if route.method == WEBSOCKET else route.method
    more = "".join(f"{header}\r\n" for header in headers)
    return f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{shake}{more}\r\n"


async def ways_out(routes: list[Route], ask: Ask, out: Outcome, host: str = "localhost") -> int:
    """Paths that lead out of a folder, in every parameter of every route, in several encodings and none.

    ``ask``: a request's answer; returns how many were asked.
    """
    answers: Counter[object] = Counter()
    for route in routes:
        if not route.parameters or route.method == WEBSOCKET:  # a websocket's answer holds no file; see `cross_origin`
            continue
        for way in WAYS_OUT:
            for written in dict.fromkeys((way, quote(way, safe=""), quote(quote(way, safe=""), safe=""))):
                for path in route.filled(written):
                    answer = await ask(head_of(route, path, host))
                    code = status(answer)
                    answers[code] += 1
                    betrayed = any(mark in answer for mark in BETRAYED)
                    right = not betrayed and code != "200" and not code.startswith("5")
                    out.expect(right, f"{route.method} {path} was answered {answer[:120]!r}")
    out.counts("ways_out_of_a_folder", answers)
    return answers.total()


async def cross_origin(server: Target, events: str, routes: list[Route], out: Outcome) -> int:
    """Pages from elsewhere, and names that are not this machine's, on every route."""
    answers: Counter[object] = Counter()
    own = urlsplit(server.url).netloc
    for route in routes:
        path = events if route.path.startswith("/sessions/") else route.filled("x")[0]
        for host, header in [(own, f"origin: {origin}") for origin in EVIL] + [(host, "x: y") for host in HOSTS]:
            answer = await answer_to(server, head_of(route, path, host, header))
            code = status(answer)
            answers[f"websocket {code}" if route.method == WEBSOCKET else code] += 1
            right = code == "403" and b"access-control-allow-origin" not in answer.lower()
            out.expect(right, f"{route.method} {path} from {host}, {header!r}, was answered {answer[:60]!r}")
    out.counts("cross_origin", answers)
    return answers.total()


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
    answers: Counter[object] = Counter()

    def judge(got: str, right: str, what: str) -> None:
        answers[got] += 1
        out.expect(got == right, f"{what}: {got}, not {right}")

    own = urlsplit(server.url).netloc
    for route in routes:
        if route in OPEN:
            continue
        for name, header in wrong.items():
            answer = await answer_to(server, head_of(route, route.filled("x")[0], own, header))
            # a websocket is accepted, so that its code and reason can be read
            got, right = (close_code(answer), "4401") if route.method == WEBSOCKET else (status(answer), "401")
            judge(got, right, f"{route.method} {route.path} with a token {name}")
    async with httpx.AsyncClient(base_url=server.url, timeout=10, trust_env=False) as client:
        publisher, viewer = ({"authorization": f"Bearer {TOKENS[name]}"} for name in ("publish", "view"))
        for token, path in ((viewer, "/whip"), (publisher, "/api/sessions"), (publisher, "/metrics")):
            method = "POST" if path == "/whip" else "GET"
            answered = await client.request(method, path, content=offer, headers={**SDP, **token})
            judge(str(answered.status_code), "401", f"{path} with a token of another right")
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
    out.counts("tokens", answers)
    return answers.total()


def close_code(answer: bytes) -> str:
    """The code in the close frame that follows a handshake (RFC 6455, section 5.5.1); the status where it failed."""
    _, _, frames = answer.partition(b"\r\n\r\n")
    if status(answer) != "101" or len(frames) < 4 or frames[0] != 0x88:
        return status(answer)
    return str(int.from_bytes(frames[2:4]))
