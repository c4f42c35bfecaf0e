"""Playlists of what was on air: M3U8, which VLC starts at the offset (``#EXTVLCOPT:start-time``; other players begin at
0), and JSPF, whose ``extension`` holds the offset for programs that know it. Never ``#t=``: mpv then finds no file."""

import json
import re
from typing import Any, Final

from .sheet import Sheet, Span
from .texts import one_line, url_of

EXTENSION: Final = "urn:segue:cue:1"


def make_m3u8(sheet: Sheet) -> str:
    """Lasting as long as each was heard; where the file of a track is not known, its title stands as a comment."""
    lines = ["#EXTM3U", f"#PLAYLIST:{one_line(sheet.title)}"]
    for span in sheet.spans:
        if not span.cue.track:
            continue
        words = one_line(span.cue.words)
        if not span.known.place:
            lines.append(f"# not in the catalogue: {words}")
            continue
        length = round(span.known.duration_s) if span.known.duration_s else -1
        lines += [f"#EXTINF:{length},{words}", f"#EXTVLCOPT:start-time={_offset(span):g}", _entry(span.known.place)]
    return "\n".join([*lines, ""])


def make_jspf(sheet: Sheet) -> str:
    """JSON of xspf.org/jspf."""
    tracks = [_track(span) for span in sheet.spans if span.cue.track]
    playlist = {"title": sheet.title, "creator": "Segue", "date": sheet.session.started, "track": tracks}
    return json.dumps({"playlist": playlist}, ensure_ascii=False, indent=1) + "\n"


def _offset(span: Span) -> float:
    return round(span.known.begin_s + (span.cue.from_s or 0.0), 3)


def _entry(place: str) -> str:
    """A path as it is, unless a line of UTF-8 cannot hold it or would be read as a comment."""
    return url_of(place) if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]|^#|^\s|\s$", place) else place


def _track(span: Span) -> dict[str, Any]:
    cue, known = span.cue, span.known
    track: dict[str, Any] = {"title": cue.title or cue.track, "creator": cue.artist, "annotation": cue.attribution}
    if known.place:
        track["location"] = [url_of(known.place)]
    if known.duration_s:
        track["duration"] = round(1000 * known.duration_s)
    track = {name: value for name, value in track.items() if value}
    played = {"from_s": _offset(span), "begin_s": float(span.begin_s), "end_s": float(span.end_s)}
    track["extension"] = {EXTENSION: [{**played, "cue": cue.name, "wall": cue.start.wall, "licence": cue.licence}]}
    return track
