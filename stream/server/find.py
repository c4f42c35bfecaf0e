"""``GET /api/tracks?q=``: tracks of the catalogue by words."""

from typing import Any, Protocol

from fastapi import APIRouter, Depends, Query

from catalog.described import heard_json, rights_json
from catalog.records import Track
from catalog.words import MOST_CHARACTERS

from .access import AccessOptions, require

MOST = 200  # tracks of one answer


class Shelf(Protocol):
    """The part of a ``Catalog`` that this needs."""

    def named(self, text: str) -> list[Track]: ...


def find_routes(shelf: Shelf, access: AccessOptions | None = None) -> APIRouter:
    """The best ``limit`` of the tracks that have all words of ``q``, and how many there are. Only for clients that may
    view."""
    router = APIRouter(dependencies=[Depends(require(access or AccessOptions(), "view"))])

    @router.get("/api/tracks")
    def find(q: str = Query(max_length=MOST_CHARACTERS), limit: int = Query(20, ge=1, le=MOST)) -> dict[str, Any]:
        found = shelf.named(q)
        return {"v": 1, "found": len(found), "tracks": [_facts(track) for track in found[:limit]]}

    return router


def _facts(track: Track) -> dict[str, Any]:
    return {
        "track": track.id,
        "title": track.title,
        "artist": track.artist,
        "duration_s": round(track.duration_s, 3),
        "tempo_bpm": round(track.tempo_bpm, 1),
        "licence": track.licence,
        **rights_json(track),
        "key": track.key,
        **heard_json(track),
    }
