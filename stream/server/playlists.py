"""The playlists that tracks of the catalogue are in, to choose among by the command ``filters``."""

from typing import Any, Protocol

from fastapi import APIRouter, Depends

from .access import AccessOptions, require


class Playlists(Protocol):
    """The part of a ``Catalog`` that this needs."""

    def playlists(self) -> dict[str, int]: ...


def playlist_routes(catalog: Playlists, access: AccessOptions | None = None) -> APIRouter:
    """``GET /api/playlists``: each one's name and how many tracks it has here. Only for clients that may view."""
    router = APIRouter(dependencies=[Depends(require(access or AccessOptions(), "view"))])

    @router.get("/api/playlists")
    def playlists() -> dict[str, Any]:
        return {
            "v": 1,
            "playlists": [{"name": name, "tracks": count} for name, count in catalog.playlists().items()],
        }

    return router
