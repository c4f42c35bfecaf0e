"""Which session a request is about that names none by its id: that of its key, else the newest that somebody plays in,
else the newest."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.requests import HTTPConnection

from .address import base_url, resolved
from .channel import Channel
from .hub import Hub
from .key_redirect import Redirect, no_redirect
from .place import Place

NEVER_S: Final = float("inf")


class Pick:
    """``redirect`` gives the address of a key's session where another process has it; ``place``: of one of several
    workers, ``public_url``: under which clients reach them."""

    def __init__(
        self, hub: Hub, redirect: Redirect = no_redirect, place: Place | None = None, public_url: str = ""
    ) -> None:
        self._hub, self._redirect, self._place, self._public_url = hub, redirect, place, public_url

    def session(self, key: str) -> Channel | None:
        """The session in this process."""
        return self._hub.by_key(key) if key else newest(self._hub.sessions)

    def elsewhere(self, key: str, request: HTTPConnection) -> str:
        """The address of the worker that has the session, if it is another one; else empty."""
        if key:
            return self._redirect(key, request)
        if self._place is None:
            return ""
        own = newest(self._hub.sessions)
        least_s, port = (NEVER_S if own is None else age_of(own.summary())), 0
        for other in self._place.statuses.others:
            age_s = min(map(age_of, other.sessions), default=NEVER_S)
            if other.serving and age_s < least_s and self._place.statuses.is_present(other):
                least_s, port = age_s, other.port
        return resolved(base_url(self._public_url, port), request) if port else ""


def newest(sessions: Iterable[Channel]) -> Channel | None:
    """The newest session in which somebody plays, else that has a player, else the newest; None if there is none that
    goes on. OBS is the player of its session before anything is on air there, and no player while it is away."""
    going = [session for session in sessions if session.ending is None]
    played = [session for session in going if session.role.player is not None and session.role.player.ready]
    on_air = [session for session in played if session.role.air is not None]
    return max(on_air or played or going, key=lambda session: session.started_s, default=None)


def age_of(summary: Mapping[str, Any]) -> float:
    """Of a session in a worker's status, which may have been too long to be told."""
    age_s = summary.get("age_s")
    return float(age_s) if isinstance(age_s, int | float) else NEVER_S
