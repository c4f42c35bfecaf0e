"""What the page shows and plays of a track. Opens only files of the catalogue."""

import stat
from math import isfinite
from pathlib import Path
from typing import Any, Final, Protocol

import anyio.to_thread
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, Response

from catalog.described import heard_json, rights_json
from catalog.energy import energy_curve
from catalog.errors import UnknownTrackError
from catalog.records import Outline, Track

from .access import AccessOptions, require
from .excerpts import Excerpts, MusicFile, parse_query

# the standard library's table depends on the machine
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
    def gain(self, track_id: str) -> float | None: ...
    def outline(self, track_id: str) -> Outline | None: ...


def preview_routes(shelf: Shelf, access: AccessOptions | None = None, excerpts: Excerpts | None = None) -> APIRouter:
    """``/api/tracks/ID`` and ``/tracks/ID/audio``: the file, or with ``start`` its sound from there on (see
    `excerpt`); both answer range requests. Only for clients that may view."""
    shared = excerpts or Excerpts()
    router = APIRouter(dependencies=[Depends(require(access or AccessOptions(), "view"))])

    def find_track(track_id: str) -> Track:
        try:
            return shelf.track(track_id)
        except UnknownTrackError as error:
            raise HTTPException(404, "no such track in this catalogue") from error

    @router.get("/api/tracks/{track_id}")
    def describe(track_id: str) -> dict[str, Any]:
        track, gain_db = find_track(track_id), shelf.gain(track_id)
        return {
            "v": 1,
            "track": track.id,
            "title": track.title,
            "artist": track.artist,
            "duration_s": round(track.duration_s, 3),
            "tempo_bpm": round(track.tempo_bpm, 1),
            "licence": track.licence,
            "tags": list(track.tags),
            "gain_db": None if gain_db is None else round(gain_db, 1),
            "audio": f"/tracks/{track.id}/audio",
            **rights_json(track),
            "key": track.key,
            **heard_json(track),
            "rating": track.rating,
            "playlists": list(track.playlists),
            **course_of(shelf.outline(track_id)),
        }

    def open_file(track_id: str) -> MusicFile:
        track = find_track(track_id)
        path = Path(track.path)
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
        file_s = track.begin_s + track.duration_s if track.end_s is None else None
        return MusicFile(path, status, track.duration_s, track.begin_s, file_s)

    @router.api_route("/tracks/{track_id}/audio", methods=["GET", "HEAD"])
    async def audio(request: Request, track_id: str, start: str | None = None, fade: str | None = None) -> Response:
        file = await anyio.to_thread.run_sync(open_file, track_id)
        if start is None and file.file_s != file.length_s:  # the track is only a part of its file
            start = "0"
        excerpt_request = parse_query(start, fade, file.length_s)
        if excerpt_request is not None:
            return await shared.answer(request, file, excerpt_request)
        kind = AUDIO_TYPES.get(file.path.suffix.lower(), "application/octet-stream")
        headers = {"cache-control": "private, max-age=3600"}
        return FileResponse(file.path, media_type=kind, stat_result=file.status, headers=headers)

    return router


def course_of(outline: Outline | None) -> dict[str, Any]:
    """What a page draws of a track's course: ``peaks`` of its waveform, evenly spaced, 0 to 255; where sections and
    bars begin, in seconds to 1 ms; its integrated loudness; its energy in each second, to a hundredth. None for what is
    not known."""
    if outline is None:
        return {"peaks": None, "sections_s": None, "downbeats_s": None, "lufs": None, "energies": None}
    return {
        "peaks": outline.peaks.tolist(),
        "sections_s": [round(float(place_s), 3) for place_s in outline.sections_s],
        "downbeats_s": [round(float(place_s), 3) for place_s in outline.downbeats_s],
        "lufs": round(outline.lufs, 1) if isfinite(outline.lufs) else None,
        "energies": [round(float(energy), 2) for energy in energy_curve(outline)],
    }
