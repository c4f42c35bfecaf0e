"""What the page shows and plays of a track. Only files that the catalogue knows are ever opened."""

import stat
from pathlib import Path
from typing import Any, Final, Protocol

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import FileResponse

from catalog.errors import UnknownTrackError
from catalog.records import Track

from .access import AccessOptions, require

# the table of the standard library depends on the machine
AUDIO_TYPES: Final = {
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mka": "audio/x-matroska",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "audio/webm",
    ".wma": "audio/x-ms-wma",
}


class Shelf(Protocol):
    """The part of a ``Catalog`` that previews need."""

    def track(self, track_id: str) -> Track: ...


def preview_routes(shelf: Shelf, access: AccessOptions | None = None) -> APIRouter:
    """``/api/tracks/ID`` and ``/tracks/ID/audio``; the latter answers range requests. Both are for who may view."""
    router = APIRouter(dependencies=[Depends(require(access or AccessOptions(), "view"))])

    def known(track_id: str) -> Track:
        try:
            return shelf.track(track_id)
        except UnknownTrackError as error:
            raise HTTPException(404, "no such track in this catalogue") from error

    @router.get("/api/tracks/{track_id}")
    def describe(track_id: str) -> dict[str, Any]:
        track = known(track_id)
        return {
            "v": 1,
            "track": track.id,
            "title": track.title,
            "artist": track.artist,
            "duration_s": round(track.duration_s, 3),
            "tempo_bpm": round(track.tempo_bpm, 1),
            "licence": track.licence,
            "tags": list(track.tags),
            "audio": f"/tracks/{track.id}/audio",
        }

    @router.get("/tracks/{track_id}/audio")
    def audio(track_id: str) -> FileResponse:
        path = Path(known(track_id).path)
        try:
            status = path.stat()
            with path.open("rb"):
                pass
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise HTTPException(
                404, f"the file of this track cannot be read ({reason}); index the folder again"
            ) from error
        if not stat.S_ISREG(status.st_mode):
            raise HTTPException(404, "the file of this track is gone; index the folder again")
        kind = AUDIO_TYPES.get(path.suffix.lower(), "application/octet-stream")
        return FileResponse(
            path, media_type=kind, stat_result=status, headers={"cache-control": "private, max-age=3600"}
        )

    return router
