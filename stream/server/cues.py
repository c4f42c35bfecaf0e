"""The kept sessions by HTTP: lists, a session's cues, its exports, its page, and the history of all.

Exports name the files of tracks only for clients that may control; others get addresses of this server. *Bounds*:
``THREADS`` exports and pages at a time and ``WAITING`` behind them; as many lists, and ``LISTS_WAITING``.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from catalog.records import Track
from stream.cues.errors import CueError
from stream.cues.export.formats import BY_FILE, FORMATS, export, find
from stream.cues.export.options import CLOCKS, FPS, START, read_options
from stream.cues.known import Lookup, Shelf, complete, in_files, of_catalog
from stream.cues.lines import session_object
from stream.cues.model import Session
from stream.cues.report import POLICY, Choice, Link, page
from stream.cues.store import CueStore

from .access import AccessOptions, refusal, require
from .address import resolved
from .turns import Turns

LISTED: Final = 200
MOST: Final = 1000
THREADS: Final = 2  # that make exports and pages, and as many that read lists: one of a long session takes seconds
WAITING: Final = 16  # exports and pages; more get 503
LISTS_WAITING: Final = 1000  # every page asks for the history when it opens, and all do when a server is back
RATES: Final = ("23.976", "24", "25", "29.97", "30", "50", "59.94", "60")
WORDS: Final = {"pts": "this session", "stream": "OBS's stream", "record": "OBS's recording"}
MISSING: Final = 'pip install ".[otio]" brings what makes .otio files'


def cue_routes(store: CueStore, shelf: Shelf, access: AccessOptions | None = None, base_url: str = "") -> APIRouter:
    """``/api/cues``, ``/api/cues/ID``, ``/api/cues/ID/NAME.EXT``, ``/api/history`` and the page ``/cues/ID``.
    ``base_url``: see `address.resolved`."""
    rights = access or AccessOptions()
    router = APIRouter(dependencies=[Depends(require(rights, "view"))])
    making, listing = Turns(THREADS, WAITING), Turns(THREADS, LISTS_WAITING)

    def look_up(request: Request) -> Lookup:
        if refusal(request, rights, "control") is None:
            return of_catalog(shelf, in_files)
        base = (resolved(base_url, request) or str(request.base_url)).rstrip("/")

        def served(track: Track) -> tuple[str, float]:
            return f"{base}/tracks/{track.id}/audio", 0.0

        return of_catalog(shelf, served)

    def load(id: str) -> Session:
        try:
            return store.load(id)
        except CueError as error:
            raise HTTPException(404, "no session of that name is kept; /api/cues lists them") from error

    async def as_json(turns: Turns, make: Callable[[], dict[str, Any]]) -> Response:
        """Made and written in a thread: a long session would hold the event loop."""
        text = await turns.run(lambda: json.dumps(make(), ensure_ascii=False).encode("utf-8", "replace"))
        return Response(text, media_type="application/json")

    @router.get("/api/cues")
    async def sessions(limit: int = LISTED) -> Response:
        most = max(0, min(limit, MOST))
        return await as_json(listing, lambda: {"v": 1, "sessions": [*store.summaries(most)]})

    @router.get("/api/history")
    async def history(limit: int = 50) -> Response:
        most = max(0, min(limit, MOST))
        return await as_json(listing, lambda: {"v": 1, "history": store.history(most)})

    @router.get("/api/cues/{id}")
    async def session(request: Request, id: str) -> Response:
        return await as_json(making, lambda: session_object(complete(load(id).closed(), look_up(request))))

    @router.get("/api/cues/{id}/{file}")
    async def exported(
        request: Request, id: str, file: str, fps: str = FPS, drop: bool | None = None, start: str = START,
        clock: str = CLOCKS[0], kinds: str = "taken",
    ) -> Response:  # fmt: skip
        def make() -> Response:
            kept = load(id)
            if file not in BY_FILE:
                raise HTTPException(404, f"no such file; there are {', '.join(BY_FILE)}")
            format = find(file)
            try:
                text, _ = export(kept, format, read_options(fps, drop, start, clock, kinds), look_up(request))
            except CueError as error:
                raise HTTPException(422, str(error)) from error
            except ModuleNotFoundError as error:
                raise HTTPException(501, MISSING) from error
            name = f"segue-{kept.id}-{format.file}"
            headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
            return Response(text.encode("utf-8", "replace"), media_type=format.kind, headers=headers)

        return await making.run(make)

    @router.get("/cues/{id}")
    async def shown(request: Request, id: str, fps: str = FPS, clock: str = CLOCKS[0]) -> Response:
        def make() -> Response:
            kept = load(id)
            try:
                read_options(fps, clock=clock)
            except CueError as error:
                raise HTTPException(422, str(error)) from error
            asked = {"fps": fps, "clock": clock, "token": request.query_params.get("token", "")}
            headers = {"content-security-policy": POLICY, "cache-control": "no-store"}
            text = page(kept, look_up(request), _links(kept, asked), _choices(kept, asked))
            return HTMLResponse(text, headers=headers)

        return await making.run(make)

    return router


def _links(session: Session, asked: Mapping[str, str]) -> list[Link]:
    """The files of a session."""
    query, saved = _query(asked), f"segue-{session.id}"
    return [
        Link(f"/api/cues/{session.id}/{one.file}{query}", one.file, one.about, f"{saved}-{one.file}")
        for one in FORMATS.values()
    ]


def _choices(session: Session, asked: Mapping[str, str]) -> list[Choice]:
    """Frame rates; and clocks, where a cue has a time by another one."""
    rates = tuple((name, f"/cues/{session.id}{_query({**asked, 'fps': name})}") for name in RATES)
    clocks = session.clocks
    found = [Choice("Frames a second", rates, asked["fps"])]
    if len(clocks) > 1:
        times = tuple((_words(clock), f"/cues/{session.id}{_query({**asked, 'clock': clock})}") for clock in clocks)
        meant = [clock for clock in clocks if clock.partition("-")[0] == asked["clock"]]  # without a number: the newest
        found.append(Choice("Time of", times, _words(meant[-1] if meant else asked["clock"])))
    return found


def _words(clock: str) -> str:
    """A clock for people: "OBS's recording 2" for "record-2"."""
    name, _, take = clock.partition("-")
    return f"{WORDS[name]} {take}".strip()


def _query(asked: Mapping[str, str]) -> str:
    """The query of an address, without what goes without saying."""
    words = {name: word for name, word in asked.items() if word and word != {"fps": FPS, "clock": CLOCKS[0]}.get(name)}
    return f"?{urlencode(words)}" if words else ""
