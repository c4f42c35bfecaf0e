"""What is on air, for overlays and other programs that ask by plain HTTP: ``/now`` and ``/now.txt``."""

import datetime
from typing import Any, Final, Protocol

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from catalog.errors import UnknownTrackError
from catalog.records import Track

from .access import AccessOptions, require
from .channel import Channel
from .now_text import FORMAT, FormatError, check_format, text_of
from .pick import Pick
from .whip import path_of

SILENT: Final[dict[str, Any]] = {
    "playing": False, "track": None, "title": None, "artist": None, "attribution": None, "licence": None,
    "position_s": None, "duration_s": None, "since": None,
}  # fmt: skip


class Shelf(Protocol):
    """The part of a ``Catalog`` that says what a track is called."""

    def track(self, track_id: str) -> Track: ...


def now_of(session: Channel | None, shelf: Shelf) -> dict[str, Any]:
    """The fields of ``/now`` beside ``v``; None for what is not known, and for all of them while nothing is heard.

    ``since``: when the track went on air, ISO 8601 in UTC.
    """
    role = None if session is None else session.role
    air = None if role is None else role.air
    if role is None or air is None or air.paused or role.player is None:
        return dict(SILENT)
    place_s = role.place_s()
    since = datetime.datetime.fromtimestamp(round(air.since), datetime.UTC).isoformat().replace("+00:00", "Z")
    known: dict[str, Any] = {"playing": True, "track": air.track, "since": since}
    try:
        track = shelf.track(air.track)
    except UnknownTrackError:  # a player's own
        return SILENT | known | {"position_s": None if place_s is None else round(place_s, 3)}
    if place_s is not None:
        place_s = round(min(place_s, track.duration_s), 3)
    return known | {
        "title": track.title,
        "artist": track.artist,
        "attribution": attribution_of(track),
        "licence": track.licence,
        "position_s": place_s,
        "duration_s": round(track.duration_s, 3),
    }


def attribution_of(track: Track) -> str:
    """The text that the licence asks for; empty where it is not known."""
    return str(getattr(track, "attribution", ""))


def now_routes(pick: Pick, shelf: Shelf, access: AccessOptions | None = None) -> APIRouter:
    """``/now`` and ``/now.txt``, for clients that may view. Pages of origins that the guard lets in may read them."""
    router = APIRouter(dependencies=[Depends(require(access or AccessOptions(), "view"))])

    @router.get("/now")
    async def now(request: Request, key: str = "") -> Response:
        if address := pick.elsewhere(key, request):
            return moved(address, request)
        return JSONResponse({"v": 1, **now_of(pick.session(key), shelf)}, headers=headers_for(request))

    @router.get("/now.txt")
    async def now_text(request: Request, key: str = "", format: str = FORMAT) -> Response:
        try:
            check_format(format)
        except FormatError as error:
            return PlainTextResponse(str(error), 400, headers_for(request))
        if address := pick.elsewhere(key, request):
            return moved(address, request)
        return PlainTextResponse(text_of(now_of(pick.session(key), shelf), format), headers=headers_for(request))

    return router


def moved(address: str, request: Request) -> Response:
    """To the worker that has the session."""
    return Response(status_code=307, headers={"location": f"{address}{path_of(request)}", **headers_for(request)})


def headers_for(request: Request) -> dict[str, str]:
    """Nothing is cached; the page that asks may read the answer: the guard has judged its origin."""
    origin = request.headers.get("origin")
    return {
        "cache-control": "no-store",
        **({"access-control-allow-origin": origin, "vary": "Origin"} if origin else {}),
    }
