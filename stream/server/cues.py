"""The kept sessions by HTTP: lists, a session's cues, its exports, its page, and the history of all.

Exports name the files of tracks only for clients that may control; others get addresses of this server.
"""

from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from catalog.records import Track
from stream.cues.errors import CueError
from stream.cues.export.formats import BY_FILE, FORMATS, export, find
from stream.cues.export.options import START, read_options
from stream.cues.known import Lookup, Shelf, complete, in_files, of_catalog
from stream.cues.lines import session_object
from stream.cues.model import Session
from stream.cues.report import POLICY, Link, page
from stream.cues.store import CueStore

from .access import AccessOptions, refusal, require
from .address import resolved

LISTED: Final = 200
MOST: Final = 1000
MISSING: Final = 'pip install ".[otio]" brings what makes .otio files'


def cue_routes(store: CueStore, shelf: Shelf, access: AccessOptions | None = None, base_url: str = "") -> APIRouter:
    """``/api/cues``, ``/api/cues/ID``, ``/api/cues/ID/NAME.EXT``, ``/api/history`` and the page ``/cues/ID``.
    ``base_url``: see `address.resolved`."""
    rights = access or AccessOptions()
    router = APIRouter(dependencies=[Depends(require(rights, "view"))])

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

    @router.get("/api/cues")
    def sessions(limit: int = LISTED) -> dict[str, Any]:
        return {"v": 1, "sessions": [*store.summaries(max(0, min(limit, MOST)))]}

    @router.get("/api/history")
    def history(limit: int = 50) -> dict[str, Any]:
        return {"v": 1, "history": store.history(max(0, min(limit, MOST)))}

    @router.get("/api/cues/{id}")
    def session(request: Request, id: str) -> dict[str, Any]:
        return session_object(complete(load(id).closed(), look_up(request)))

    @router.get("/api/cues/{id}/{file}")
    def exported(
        request: Request, id: str, file: str, fps: str = "30", drop: bool | None = None, start: str = START,
        clock: str = "pts", kinds: str = "taken",
    ) -> Response:  # fmt: skip
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

    @router.get("/cues/{id}")
    def shown(request: Request, id: str) -> HTMLResponse:
        kept = load(id)
        token = request.query_params.get("token", "")
        links = _links(kept, token)
        headers = {"content-security-policy": POLICY, "cache-control": "no-store"}
        return HTMLResponse(page(kept, look_up(request), links), headers=headers)

    return router


def _links(session: Session, token: str) -> list[Link]:
    """The files of a session; ``token`` is that of the page's own address."""
    query = f"?{urlencode({'token': token})}" if token else ""
    prefix = f"/api/cues/{session.id}"
    return [
        Link(f"{prefix}/{one.file}{query}", f"segue-{session.id}-{one.file}", one.about) for one in FORMATS.values()
    ]
