"""``/api/pull``: the server fetches a stream for a client that can only name it. Off by default.

`addresses` decides which URLs are allowed; every URL is pulled in a process of its own, see `RemotePull`.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from stream.errors import SourceError
from stream.sources.ended import STOPPED
from stream.sources.sandbox import landlock
from stream.sources.sandbox.addresses import Network, Target, checked, networks, target_of
from stream.sources.sandbox.confinement import UNCONFINED
from stream.sources.sandbox.remote_pull import RemoteOptions, RemotePull

from .access import AccessOptions, require
from .address import resolved
from .channel import KEY_CHARACTERS
from .errors import RETRY_AFTER_S, BusyError
from .inputs import OnEnd, OnFrame, OnSound
from .key_redirect import Redirect, no_redirect
from .publishing import Input, Sessions
from .whip import limited_body, path_of

log = logging.getLogger(__name__)

FLAG: Final = "--allow-pull"
BODY_BYTES: Final = 8192
LOOKUP_S: Final = 10.0
LOOKUPS: Final = 4  # at a time

InputT = TypeVar("InputT", bound=Input)


@dataclass(frozen=True)
class PullOptions:
    """``allowed``: whether clients may name URLs at all; ``networks``: networks that are allowed though not public."""

    allowed: bool = False
    networks: tuple[str, ...] = ()
    remote: RemoteOptions = field(default_factory=RemoteOptions)


@dataclass(frozen=True)
class _PullRequest:
    url: str
    label: str
    key: str


class Lookups:
    """Looks up names in threads of their own. A name server that does not answer blocks a thread long after its client
    has got an answer; other work of the process does not wait for these threads."""

    def __init__(self, rules: Sequence[Network]) -> None:
        self._rules = rules
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")
        self._free = asyncio.Semaphore(LOOKUPS)  # released by the thread, not by its waiter: nothing queues

    async def check(self, target: Target) -> None:
        """Return if the target may be reached, else raise SourceError. May wait for a thread."""
        loop = asyncio.get_running_loop()
        await self._free.acquire()
        job = self._threads.submit(checked, target, self._rules)

        def done(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._free.release)

        job.add_done_callback(done)
        await asyncio.wrap_future(job)


def pull_routes(
    hub: Sessions[InputT],
    options: PullOptions,
    access: AccessOptions | None = None,
    base_url: str = "",
    redirect: Redirect = no_redirect,
) -> APIRouter:
    """``POST /api/pull`` and ``DELETE /api/pull/SECRET``. Raises SourceError for invalid networks.

    ``base_url`` goes before the paths in answers (see `address.resolved`); ``redirect`` gives the address of a key's
    session, if another process has it (see `key_redirect`).
    """
    router = APIRouter(dependencies=[Depends(require(access or AccessOptions(), "publish"))])
    rules = networks(options.networks)
    if options.allowed and not landlock.version():
        log.warning("processes that pull clients' URLs can read this user's files: %s", UNCONFINED)
    lookups = Lookups(rules)

    @router.post("/api/pull")
    async def start(request: Request) -> Response:
        if not options.allowed:
            return _respond(403, f"this server pulls no URLs for its clients; its owner can allow it with {FLAG}")
        remotes: list[RemotePull] = []

        def connect(on_frame: OnFrame, on_sound: OnSound, on_end: OnEnd) -> RemotePull:
            remotes.append(RemotePull(pull.url, options.networks, on_frame, on_sound, on_end, options.remote))
            return remotes[0]

        try:
            pull = _parse_request(await limited_body(request, BODY_BYTES))
            if address := redirect(pull.key, request):
                moved = {"Location": f"{address}{path_of(request)}"}
                return _respond(307, "this key's session is at another port", moved)
            target = target_of(pull.url)
            async with asyncio.timeout(LOOKUP_S):
                await lookups.check(target)  # for a clear answer; the process checks again
            source = hub.begin(pull.label or target.host, pull.key, connect)
        except TimeoutError:
            return _respond(422, f"{target.host}: cannot be looked up within {LOOKUP_S:g} s; try again")
        except BusyError as error:
            return _respond(503, str(error), {"Retry-After": str(RETRY_AFTER_S)})
        except SourceError as error:
            return _respond(422, str(error))
        except ValueError as error:
            return _respond(400, str(error))
        try:
            await remotes[0].opened()
        except SourceError as error:
            return _respond(422, str(error))
        except asyncio.CancelledError:  # the client left meanwhile
            with contextlib.suppress(Exception):
                await hub.stop(source, STOPPED)
            raise
        base = resolved(base_url, request)
        place = {"Location": f"{base}/api/pull/{source.secret}"}
        events = f"{base}/sessions/{source.id}/events"
        return JSONResponse({"v": 1, "session": source.id, "events": events}, 201, place)

    @router.delete("/api/pull/{secret}")
    async def stop(secret: str) -> Response:
        source = hub.by_secret(secret)
        if source is None:
            return _respond(404, "no such session: it has ended, or the address is wrong")
        await hub.stop(source, STOPPED)
        return _respond(200, "stopped")

    return router


def _parse_request(body: bytes | None) -> _PullRequest:
    """Parse the request's body. Raises ValueError with the reason."""
    if body is None:
        raise ValueError(f"the body is longer than {BODY_BYTES} bytes; send a shorter one")
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError('the body is no JSON; send {"url":"https://...","label":"..."}') from error
    if not isinstance(message, dict) or not isinstance(message.get("url"), str):
        raise ValueError('the body has no "url"; send {"url":"https://...","label":"..."}')
    words = []
    for name, limit in (("label", 1000), ("key", KEY_CHARACTERS)):
        value = message.get(name, "")
        if not isinstance(value, str) or len(value) > limit:
            raise ValueError(f"{name} is no text of at most {limit} characters")
        words.append(value)
    return _PullRequest(message["url"], *words)


def _respond(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"v": 1, "error" if status >= 400 else "ok": text}, status, headers)
