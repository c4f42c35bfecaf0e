"""Notes applied to a track: what counts of all that is said of it, and as JSON."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .circle import camelot
from .fields import as_answer, as_list
from .notes import Said, counting
from .records import Track, sings
from .rights import Rights


def described(track: Track, said: Said) -> Track:
    """The track with everything that is ``said`` of it; unchanged where nothing is."""
    values = {field: value for field, (value, _) in counting(said).items()}
    if not values:
        return track
    own = as_list(values.get("tags", ""))
    return replace(
        track,
        title=values.get("title", track.title),
        artist=values.get("artist", track.artist),
        licence=values.get("licence", track.licence),
        tags=tuple(dict.fromkeys((*track.tags, *own))),
        moods=as_list(values.get("moods", "")),
        sung=as_answer(values.get("vocals", "")),
        rights=_rights(values),
        hidden=as_answer(values.get("hidden", "")) is True,
    )


def _rights(values: Mapping[str, str]) -> Rights:
    return Rights(
        attribution=values.get("attribution", ""),
        live_ok=as_answer(values.get("live_ok", "")),
        vod_ok=as_answer(values.get("vod_ok", "")),
        source=values.get("source", ""),
        bought=values.get("bought", ""),
        list_at=values.get("list_at", ""),
    )


def said_value(field: str, own: Track) -> str:
    """What a file itself gives for a field, as it is written in a sidecar; empty where it gives nothing."""
    return {"licence": own.licence, "title": own.title, "artist": own.artist, "tags": "; ".join(own.tags)}.get(
        field, ""
    )


def rights_json(track: Track) -> dict[str, Any]:
    """What is known of a track's rights and moods; ``vocals``: whether anybody sings, null where it is not known."""
    rights = track.rights
    return {
        "attribution": track.attribution,
        "live_ok": rights.live_ok,
        "vod_ok": rights.vod_ok,
        "source": rights.source,
        "bought": rights.bought,
        "list_at": rights.list_at,
        "moods": list(track.moods),
        "vocals": sings(track),
        "marks": list(track.marks),
    }


def heard_json(track: Track) -> dict[str, Any]:
    """What was measured of a track's key and energy: the key that was heard, null where it is not known, how sure that
    is, and where it is on Camelot's wheel; its energy, [0, 1]."""
    return {
        "heard_key": track.heard_key or None,
        "key_confidence": round(track.key_confidence, 2) if track.heard_key else None,
        "camelot": camelot(track.usual_key) or None,
        "energy": None if track.energy is None else round(track.energy, 3),
    }
