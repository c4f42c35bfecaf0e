"""Publishers that come again: with several workers, the one that holds the session of a key need not be the one asked.

Who publishes by HTTP is sent on by 307. A websocket's key stands in its first message, where HTTP cannot redirect any
more; it is told in words. Each way in asks for its token first: which keys are in use, and where, is no affair of
others.
"""

import hashlib
from collections.abc import Callable
from typing import Final

from starlette.requests import HTTPConnection

from .address import base_url, resolved
from .hub import Hub
from .place import Place
from .worker_status import Status


def digest(key: str) -> str:
    """What workers tell each other of a key: whoever has it can take the session over, so not the key itself."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]


MOVED: Final = 4307  # the close code of a websocket whose session is at another port, after HTTP's 307
Redirect = Callable[[str, HTTPConnection], str]


def no_redirect(key: str, connection: HTTPConnection) -> str:
    """What a process that stands alone says: nothing is elsewhere."""
    return ""


def holder_of(key: str, hub: Hub, place: Place) -> Status | None:
    """The other worker that holds the session of a key, if any; what is known of it is up to a quarter of a second
    old."""
    if not key or hub.by_key(key) is not None:
        return None
    key_digest = digest(key)
    holders = (other for other in place.statuses.others if other.serving and key_digest in other.keys)
    return next((other for other in holders if place.statuses.is_present(other)), None)


def redirect_to_holder(hub: Hub, place: Place, public_url: str) -> Redirect:
    """What tells, of a key and who comes with it, the address (scheme, host and port) of the worker to go to; nothing
    where it may stay."""

    def address(key: str, connection: HTTPConnection) -> str:
        holder = holder_of(key, hub, place)
        return "" if holder is None else resolved(base_url(public_url, holder.port), connection)

    return address
