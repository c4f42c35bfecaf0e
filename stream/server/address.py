"""Where a server listens, and at which addresses its clients reach it."""

import os
import re
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from .errors import ServeError
from .security import hostname

BACKLOG: Final = 128
EVERYWHERE: Final = ("0.0.0.0", "::", "")


def bind(host: str, port: int, flag: str = "--port") -> socket.socket:
    """A listening socket, opened before anything slow is started. Raises `ServeError` with the cause."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServeError(f"{host}: not an address to listen on ({error.strerror}); try --host 127.0.0.1") from error
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        cure = f"stop what listens there, or choose another with {flag}"
        raise ServeError(f"port {port} of {host} cannot be used ({error.strerror}); {cure}") from error
    return bound


def port_of(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])


def address_of(bound: socket.socket, host: str, scheme: str = "http") -> str:
    """The page's URL. A server that listens on all addresses is reached as localhost."""
    return f"{scheme}://{named(host)}:{port_of(bound)}/"


def named(host: str) -> str:
    """The host that a server listens on, as URLs write it."""
    return "localhost" if host in EVERYWHERE else f"[{host}]" if ":" in host else host


def base_url(public_url: str, port: int | None) -> str:
    """What goes before the paths of one process's sessions; `resolved` fills in scheme and host.

    Empty for a process that clients reach at the address of their request. ``port`` is a worker's own.
    """
    if port is None:
        return public_url
    if not public_url:
        return f"{{scheme}}://{{host}}:{port}"
    parts = urlsplit(public_url)
    name = parts.hostname or ""
    return f"{parts.scheme}://{f'[{name}]' if ':' in name else name}:{port}"


def public_origins(public_url: str, ports: Iterable[int]) -> list[str]:
    """The origins under which clients reach this machine, if ``public_url`` is set."""
    return list(dict.fromkeys(base_url(public_url, port) for port in (None, *ports))) if public_url else []


def resolved(base: str, request: HTTPConnection) -> str:
    """``base`` for this request's client: with the request's scheme, and the host that its client used."""
    scheme = "https" if request.url.scheme in ("https", "wss") else "http"
    return base.replace("{scheme}", scheme).replace("{host}", named_host(request.headers.get("host", "")))


def named_host(netloc: str) -> str:
    """The host of a ``Host`` header as URLs write it, without port; localhost where the header names none."""
    name = hostname(netloc)
    if re.fullmatch(r"[a-z0-9.-]+", name):
        return name
    return f"[{name}]" if re.fullmatch(r"[0-9a-f:.]+", name) else "localhost"
