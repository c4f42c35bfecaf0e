"""Redirects publishers that come back: with several workers, another one may have the session of their key.

A publisher by HTTP is redirected by 307. A websocket sends its key in its first message, too late for an HTTP redirect;
a message names the other address. Every route checks its token first, so that only those with a token learn which keys
are in use, and where.
"""

import hashlib
from collections.abc import Callable

from starlette.requests import HTTPConnection

from .address import base_url, resolved
from .hub import Hub
from .place import Place
from .worker_status import Status


def digest(key: str) -> str:
    """What workers publish to each other for a key: not the key itself, since whoever has it can take over the
    session."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]


Redirect = Callable[[str, HTTPConnection], str]


def no_redirect(key: str, connection: HTTPConnection) -> str:
    """For a process without other workers: never redirects."""
    return ""


def holder_of(key: str, hub: Hub, place: Place) -> Status | None:
    """The other worker that has the session of a key, if any; its status may be a quarter of a second old."""
    if not key or hub.by_key(key) is not None:
        return None
    key_digest = digest(key)
    holders = (other for other in place.statuses.others if other.serving and key_digest in other.keys)
    return next((other for other in holders if place.statuses.is_present(other)), None)


def redirect_to_holder(hub: Hub, place: Place, public_url: str) -> Redirect:
    """A function of a key and a connection that returns the address (scheme, host and port) of the worker that has the
    key's session; empty if no other has it."""

    def address(key: str, connection: HTTPConnection) -> str:
        holder = holder_of(key, hub, place)
        return "" if holder is None else resolved(base_url(public_url, holder.port), connection)

    return address
