"""Publishers that come again: with several workers, the one that holds the session of a key need not be the one asked.

For WHIP, RFC 9725 has the answer: its clients follow redirections, and 307 keeps the POST a POST. Requests to pull get
the same. A websocket's key stands in its first message, where HTTP cannot redirect any more; it is told in words.
"""

import hashlib
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .address import base_url, resolved
from .board import Status
from .hub import Hub
from .security import cors_headers
from .workers import Place


def digest(key: str) -> str:
    """What workers tell each other of a key: whoever has it can take the session over, so not the key itself."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]


Elsewhere = Callable[[str, HTTPConnection], str]


def nowhere(key: str, connection: HTTPConnection) -> str:
    """What a process that stands alone says: nothing is elsewhere."""
    return ""


def holder_of(key: str, hub: Hub, place: Place) -> Status | None:
    """The other worker that holds the session of a key, if any; what is known of it is up to a quarter of a second
    old."""
    if not key or hub.by_key(key) is not None:
        return None
    wanted = digest(key)
    held = (other for other in place.board.others if other.serving and wanted in other.keys)
    return next((other for other in held if place.board.stands(other)), None)


def elsewhere(hub: Hub, place: Place, public_url: str) -> Elsewhere:
    """What tells, of a key and who comes with it, the address (scheme, host and port) of the worker to go to; nothing
    where it may stay."""

    def address(key: str, connection: HTTPConnection) -> str:
        holder = holder_of(key, hub, place)
        return "" if holder is None else resolved(base_url(public_url, holder.port), connection)

    return address


class Takeover:
    """ASGI middleware: an offer with a key that another worker holds is sent there."""

    def __init__(self, app: ASGIApp, *, hub: Hub, place: Place, public_url: str) -> None:
        self.app, self.hub, self.place, self.public_url = app, hub, place, public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        holder = self._holder(scope)
        if holder is None:
            return await self.app(scope, receive, send)
        request = Request(scope)
        where = f"{resolved(base_url(self.public_url, holder.port), request)}/whip?{request.url.query}"
        headers = {**cors_headers(request.headers.get("origin")), "Location": where}
        return await PlainTextResponse("this key's session is at another port", 307, headers)(scope, receive, send)

    def _holder(self, scope: Scope) -> Status | None:
        """The other worker that should get this request, if any."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != "/whip":
            return None
        key = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[0]
        return holder_of(key, self.hub, self.place)
