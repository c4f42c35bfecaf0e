"""Which pages in a browser may talk to the server, and the headers that isolate its own page.

Every page in a browser on the same machine can reach a server on a loopback address, unless the server checks what the
browser sends: ``Host`` against names that an attacker's DNS points here, ``Origin`` against pages of other origins.
Programs that are not browsers send no ``Origin`` and are allowed.
"""

import ipaddress
import re
from collections.abc import Collection, Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.close_codes import Close

from .origin import PORTS, host_of, origin_of

WHIP_METHODS: Final = "POST, GET, HEAD, PATCH, DELETE, OPTIONS"
EVENTS: Final = "Segue-Events"

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    # the microphone: until it is allowed, browsers name no outputs, and headphones cannot be chosen; it is not used
    "permissions-policy": "camera=(self), display-capture=(self), microphone=(self), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without a port, is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def hostname(netloc: str) -> str:
    """The name of ``name:port`` or ``[address]:port`` in its one form (see `origin`), without brackets."""
    host = host_of(netloc)
    return "" if host is None else host.name


def origin_allowed(origin: str | None, host: str, extra: Collection[str] = (), secure: bool = False) -> bool:
    """Whether a request from a page at ``origin`` may reach the server that the browser calls ``host``.

    True without an origin (no browser), for the server's own page, for pages on loopback names where the server is
    called by one, and for the origins in ``extra``. ``secure``: the request is known to have come over TLS, so a page
    without TLS is not the server's own. Where it is not known, a proxy may have removed TLS.
    """
    if origin is None or origin in extra:
        return True
    page, server = origin_of(origin), host_of(host)
    if page is None:
        return False
    if page in (origin_of(allowed) for allowed in extra):
        return True
    if server is None:
        return False
    if is_loopback(page.name) and is_loopback(server.name):
        return True
    port = PORTS[page.scheme] if server.port is None else server.port
    return (page.name, page.port) == (server.name, port) and (page.scheme == "https" or not secure)


def of_ports(origin: str | None, host: str, ports: Collection[int]) -> bool:
    """Whether a page comes from the request's host, from one of these ports of it."""
    page = origin_of(origin or "")
    return page is not None and page.port in ports and page.name == hostname(host)


def content_policy(name: str, ports: Iterable[int] = (), public: Iterable[str] = ()) -> str:
    """The content security policy of a page requested from the host ``name``: the page may also reach these ports of it
    (with both schemes, since a proxy may change them) and these origins."""
    if not re.fullmatch(r"[a-z0-9.-]+", name):  # it goes into a header; the standard allows no IPv6 address as a source
        ports = ()
    sources = [f"{scheme}://{name}:{port}" for port in ports for scheme in ("http", "https", "ws", "wss")]
    for origin in public:
        sources += [origin, origin.replace("http", "ws", 1)]
    policy = HEADERS["content-security-policy"]
    return f"{policy}; connect-src 'self' {' '.join(sources)}" if sources else policy


def cors_headers(origin: str | None) -> dict[str, str]:
    """The headers that let a page at an allowed ``origin`` read an answer of the WHIP endpoint."""
    headers = {
        "Access-Control-Allow-Methods": WHIP_METHODS,
        "Access-Control-Allow-Headers": "Content-Type, Authorization, If-Match",
        "Access-Control-Expose-Headers": f"Location, {EVENTS}, ETag, Link, Retry-After, WWW-Authenticate",
        "Vary": "Origin",
    }
    return headers | ({"Access-Control-Allow-Origin": origin} if origin else {})


class Guard:
    """ASGI middleware: refuses foreign hosts on a loopback server and foreign origins on any, and adds the headers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        loopback_only: bool,
        origins: Iterable[str] = (),
        ports: Iterable[int] = (),
        public: Iterable[str] = (),
    ) -> None:
        """``ports``: the ports of this host that count as one origin. ``public``: the origins under which clients reach
        this server; its page has them and may open sockets to them. A loopback server behind a proxy of the same
        machine answers to their names too: nobody else's DNS can point them here."""
        self.app = app
        self.loopback_only = loopback_only
        self.ports = tuple(sorted(set(ports)))
        self.public = tuple(public)
        self.origins = (*origins, *self.public)
        self.names = {page.name: page.scheme for page in map(origin_of, self.public) if page is not None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        secure = scope.get("scheme") in ("https", "wss") or self.names.get(hostname(host)) == "https"
        reason = self._refusal(host, headers.get("origin"), secure)
        if reason is None:
            policy = content_policy(hostname(host), self.ports, self.public)
            return await self.app(scope, receive, _with_headers(send, policy))
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": int(Close.FOREIGN_ORIGIN), "reason": reason})
        return await PlainTextResponse(reason, 403)(scope, receive, send)

    def _refusal(self, host: str, origin: str | None, secure: bool) -> str | None:
        name = hostname(host)
        if self.loopback_only and not is_loopback(name) and name not in self.names:
            return (
                "this server answers to localhost only; start it with --host to be reached by other names, "
                "or with --public-url behind a proxy"
            )
        if not origin_allowed(origin, host, self.origins, secure) and not of_ports(origin, host, self.ports):
            return "this page's origin is not allowed here; --allow-origin lets it in"
        return None


def _with_headers(send: Send, policy: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in (HEADERS | {"content-security-policy": policy}).items():
                headers.setdefault(name, value)
        await send(message)

    return sending
