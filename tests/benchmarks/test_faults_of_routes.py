"""Every route is attacked, a new one too; the way out of a folder is found where there is one."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.responses import FileResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import BaseRoute

from benchmarks.errors import BenchError
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.rights import OPEN, head_of, ways_out
from benchmarks.faults.routes import WEBSOCKET, Route, routes_of
from stream.server.app import create_app
from stream.server.options import ServeOptions
from stream.server.parts import open_parts
from stream.server.pulls import PullOptions


@pytest.fixture(scope="module")
def app(catalogue: Path, tiny_bundle: Path) -> FastAPI:
    options = ServeOptions(catalogue, bundle=tiny_bundle, pull=PullOptions(allowed=True))
    with open_parts(options) as parts:
        return create_app(parts, options)


def test_the_servers_routes_are_read_from_it(app: FastAPI) -> None:
    found = set(routes_of(app))
    for path, method in (
        ("/whip", "POST"), ("/whip/{secret}", "DELETE"), ("/ingest", WEBSOCKET), ("/{name}", "GET"),
        ("/sessions/{session_id}/events", WEBSOCKET), ("/api/pull/{secret}", "DELETE"), ("/metrics", "GET"),
    ):  # fmt: skip
        assert Route(path, method) in found, (path, method, sorted(found))
    assert found >= OPEN, sorted(OPEN - found)  # what is said to be open is there


def test_a_route_that_is_added_is_seen_and_an_unknown_kind_is_no_secret(tmp_path: Path) -> None:
    app, router, inner = FastAPI(), APIRouter(prefix="/a"), APIRouter()

    @inner.put("/b/{x}/{y:path}")
    def put(x: str, y: str) -> str:
        return x + y

    @inner.websocket("/s/{x}")
    async def socket(socket: WebSocket, x: str) -> None:
        await socket.close()

    router.include_router(inner)
    app.include_router(router)
    app.mount("/files", StaticFiles(directory=tmp_path))
    found = set(routes_of(app))
    assert {route.path.replace("/a/a", "/a") for route in found} >= {"/a/b/{x}/{y:path}", "/files/{rest}"}
    assert any(route.method == WEBSOCKET for route in found) and any(route.method == "PUT" for route in found)
    app.router.routes.append(BaseRoute())
    with pytest.raises(BenchError, match="BaseRoute"):
        routes_of(app)


@given(st.integers(0, 4), st.text("ab%/.", max_size=8))
def test_each_parameter_is_filled_in_turn(count: int, text: str) -> None:
    route = Route("/r" + "".join(f"/{{p{number}}}" for number in range(count)), "GET")
    found = route.filled(text)
    assert len(found) == max(1, count)
    for at, path in enumerate(found):
        assert path == "/r" + "".join(f"/{text if number == at else 'x'}" for number in range(count))


async def answered(app: FastAPI, request: str) -> bytes:
    """The answer of an application in this process, asked as uvicorn asks it: no client mends the path."""
    method, target, _ = request.split("\r\n")[0].split(" ")
    if not target.isascii():
        return b"HTTP/1.1 400 x\r\n\r\n"  # as far as it comes
    raw, _, query = target.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    sent: list[Any] = []

    bodies = iter([b""])

    async def receive() -> dict[str, Any]:
        if next(bodies, None) is None:
            await asyncio.Event().wait()  # nobody leaves
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    with contextlib.suppress(Exception):  # it is answered with 500 before
        await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return f"HTTP/1.1 {sent[0]['status']} x\r\n\r\n".encode() + body


def attacked(app: FastAPI, routes: list[Route]) -> Outcome:
    """What `ways_out` finds, in this process."""
    out = Outcome("rights")
    asyncio.run(ways_out(routes, partial(answered, app), out))
    return out


def test_no_route_of_the_server_leads_out_of_a_folder(app: FastAPI) -> None:
    routes = routes_of(app)
    out = attacked(app, routes)
    assert out.broken == []
    with_parameters = {route for route in routes if route.parameters and route.method != WEBSOCKET}
    assert sum(row.value for row in out.rows) >= 40 * len(with_parameters) > 200


def unlocked(text: str) -> Response:
    return FileResponse(Path("/srv/music") / text)


def echo(text: str) -> Response:
    return PlainTextResponse(text)


@pytest.mark.parametrize("answer", [unlocked, echo])
def test_a_route_that_gives_any_file_or_any_200_is_found(answer: Callable[[str], Response]) -> None:
    app = FastAPI()
    app.add_api_route("/files/{text:path}", answer, methods=["GET"])
    assert attacked(app, routes_of(app)).broken


def test_a_websockets_handshake_is_a_whole_request() -> None:
    lines = head_of(Route("/ingest", WEBSOCKET), "/ingest", "h:1", "origin: x").split("\r\n")
    assert lines[0] == "GET /ingest HTTP/1.1" and lines[-2:] == ["", ""]
    assert {"host: h:1", "upgrade: websocket", "origin: x"} <= set(lines)
