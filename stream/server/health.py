"""Whether this process lives, and whether it takes publishers.

``/healthz`` is for a supervisor that restarts processes: 200 as long as the event loop runs. ``/readyz`` is for a load
balancer that sends publishers here: 503 with the reason while the server starts, drains or is full. Before the engine
is ready there is no event loop; until then `starting` answers both on the socket.
"""

import contextlib
import json
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from .drain import Drain, Phase
from .errors import RETRY_AFTER_S
from .hub import Hub

STARTING_CLIENT_S: Final = 1.0  # the most time for one client of `starting`
STARTING_BYTES: Final = 64 * 1024  # the most that is read of a request
LOOK_S: Final = 0.05


def unready(phase: Phase, refusal: str | None) -> str:
    """Why publishers should not come here now; empty if they may. ``refusal`` is the hub's: full, or already late."""
    if phase is Phase.STARTING:
        return "starting"
    if phase is Phase.DRAINING:
        return "draining: this server is stopping"
    return f"full: {refusal}" if refusal else ""


def health_routes(
    hub: Hub, drain: Drain, facts: Callable[[], dict[str, object]], degraded: Callable[[], str] = lambda: ""
) -> APIRouter:
    """``/healthz`` and ``/readyz``. ``facts`` gives further fields of the first; ``degraded`` says what does not work
    as it should though publishers may come."""
    router = APIRouter()

    @router.get("/healthz")
    async def health() -> dict[str, object]:
        return {
            "status": "ok",
            "phase": drain.phase.value,
            "pid": os.getpid(),
            "sessions": len(hub.sessions),
            "max_sessions": hub.options.max_sessions,
            "pace": hub.shedding.level.name,
            **facts(),
            "counters": asdict(hub.counters),
        }

    @router.get("/readyz")
    async def ready() -> JSONResponse:
        reason = unready(drain.phase, hub.refusal())
        if reason:
            return JSONResponse({"ready": False, "reason": reason}, 503, {"retry-after": str(RETRY_AFTER_S)})
        lack = degraded()
        return JSONResponse({"ready": True, "degraded": lack} if lack else {"ready": True})

    return router


@contextlib.contextmanager
def starting(bound: socket.socket, tls: ssl.SSLContext | None = None) -> Iterator[None]:
    """Answer requests on a listening socket with "starting" until the block ends; the socket stays open.

    ``/healthz`` is 200, everything else 503 with ``Retry-After``. One client at a time, each for at most
    ``STARTING_CLIENT_S``; others wait in the socket's backlog, and the server answers those left over.
    """
    over = threading.Event()
    thread = threading.Thread(target=_answer_until, args=(over, bound, tls), name="starting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _answer_until(over: threading.Event, bound: socket.socket, tls: ssl.SSLContext | None) -> None:
    bound.setblocking(False)  # another process may have accepted the connection that woke us
    while not over.is_set():
        if not select.select([bound], [], [], LOOK_S)[0]:
            continue
        with contextlib.suppress(OSError):  # a client that leaves or speaks no TLS does not matter
            client, _ = bound.accept()
            with client:
                _answer(client, tls, time.monotonic() + STARTING_CLIENT_S)


def _answer(client: socket.socket, tls: ssl.SSLContext | None, until_s: float) -> None:
    client.settimeout(STARTING_CLIENT_S)
    if tls is not None:
        client = tls.wrap_socket(client, server_side=True)
    with client:
        request = b""
        while b"\r\n\r\n" not in request and len(request) < STARTING_BYTES:
            if not (part := _receive(client, until_s)):
                return
            request += part
        client.sendall(_words(request))
        client.shutdown(socket.SHUT_WR)
        while _receive(client, until_s):  # closing with unread data would discard the answer
            pass


def _receive(client: socket.socket, until_s: float) -> bytes:
    """The next bytes; raises TimeoutError once the time is over, even if bytes still drip in."""
    client.settimeout(max(0.001, until_s - time.monotonic()))
    if time.monotonic() >= until_s:
        raise TimeoutError
    return client.recv(STARTING_BYTES)


def _words(request: bytes) -> bytes:
    """The whole answer to a request's head."""
    target = (request.split(maxsplit=2)[1:2] or [b""])[0]
    alive = target.partition(b"?")[0] == b"/healthz"
    fields = {"status": "ok", "phase": "starting"} if alive else {"ready": False, "reason": "starting"}
    body = json.dumps(fields)
    lines = (
        "HTTP/1.1 200 OK" if alive else f"HTTP/1.1 503 Service Unavailable\r\nretry-after: {RETRY_AFTER_S}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        "",
        "" if request.startswith(b"HEAD ") else body,
    )
    return "\r\n".join(lines).encode()
