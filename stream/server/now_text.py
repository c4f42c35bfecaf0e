"""One line that says what is on air, by a format of a few fields."""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from stream.errors import StreamError

FORMAT: Final = "{artist} – {title}"
FORMAT_CHARACTERS: Final = 200
TEXT_CHARACTERS: Final = 500
FIELDS: Final = ("title", "artist", "attribution", "licence", "track", "position", "duration", "left")
MOVING: Final = ("position", "left")  # other with each second
PLACE: Final = re.compile(r"\{(\w*)\}")
EDGES: Final = " \t-–—|·•:,/"  # what joins two fields, of which one may be empty


class FormatError(StreamError):
    """A format of ``now.txt`` with fields that there are not."""


def check_format(text: str, fields: tuple[str, ...] = FIELDS) -> str:
    """The format. Raises `FormatError` for one that is too long or has other fields."""
    if len(text) > FORMAT_CHARACTERS:
        raise FormatError(f"a format has at most {FORMAT_CHARACTERS} characters")
    for name in PLACE.findall(text):
        if name not in fields:
            raise FormatError(f"{{{name[:40]}}} is no field; there are {', '.join(f'{{{each}}}' for each in fields)}")
    return text


def text_of(now: Mapping[str, Any], form: str = FORMAT) -> str:
    """One line of at most 500 characters; empty while nothing is heard. Where a field is empty, what would join it to
    another one at the edge of the line is left out as well."""
    if not now["playing"]:
        return ""
    values = {name: now[name] or "" for name in FIELDS[:5]}
    place_s, length_s = now["position_s"], now["duration_s"]
    left_s = None if place_s is None or length_s is None else max(0.0, length_s - place_s)
    values |= {"position": clock(place_s), "duration": clock(length_s), "left": clock(left_s)}
    if now["title"] is None:  # of a track that the catalogue does not have
        values["title"] = now["track"]
    line = PLACE.sub(lambda match: str(values[match[1]]), form)
    line = " ".join("".join(c if c.isprintable() else " " for c in line).split())
    if any(not values[name] for name in PLACE.findall(form)):
        line = line.strip(EDGES)
    return line[:TEXT_CHARACTERS].encode("utf-8", "replace").decode()


def clock(seconds: float | None) -> str:
    """``3:07``, ``1:02:33``; empty for None."""
    if seconds is None or not isfinite(seconds):
        return ""
    minutes, whole = divmod(int(seconds), 60)
    return f"{minutes}:{whole:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{whole:02}"
