"""The objects on the wire: events out, commands in. ``stream/PROTOCOL.md`` describes them.

Both ``watch --json`` (an object a line) and the websocket (an object a message) use them.
"""

import json
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from catalog.records import Filters
from stream.core.events import (
    Accepted,
    Cut,
    End,
    Failed,
    Message,
    Refused,
    Reset,
    Scene,
    Suggestions,
    ViewerState,
    Warned,
)
from stream.errors import MessageError

VERSION: Final = 1
COMMAND_BYTES: Final = 4096
KINDS: Final[dict[type, str]] = {
    Suggestions: "suggestions",
    Cut: "cut",
    Scene: "scene",
    Reset: "reset",
    Refused: "refused",
    Accepted: "accepted",
    Warned: "warning",
    Failed: "error",
    End: "end",
}


def encode(event: Message) -> dict[str, Any]:
    """The JSON object of an event: its fields, with as many digits as ``stream.core.events`` says."""
    return {"v": VERSION, "type": KINDS[type(event)], **_encode_value(event)}


def wishes_object(wishes: ViewerState) -> dict[str, Any]:
    """The JSON object ``asked`` of a list."""
    return dict(_encode_value(wishes))


def line(event: Message) -> str:
    """The event as one line of JSON, without the newline; the same event gives the same text.

    What UTF-8 cannot encode (half of a surrogate pair, from a file name in another encoding) becomes a question mark.
    """
    text = json.dumps(encode(event), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace").decode("utf-8")


def parse_command(data: str | bytes) -> dict[str, Any]:
    """A viewer's command: a JSON object with a string ``type``. The session decides what the type means.

    Raises MessageError for anything larger than ``COMMAND_BYTES``, for invalid JSON and for any other JSON.
    """
    size = len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    if size > COMMAND_BYTES:
        raise MessageError(f"a command of {size} bytes: at most {COMMAND_BYTES} are read; send less at a time")
    try:
        message = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"a command is not JSON ({error}); send one JSON object a message") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise MessageError('a command is no object with a "type"; send for example {"type":"skip","track":"ID"}')
    if message.get("v", VERSION) != VERSION:
        raise MessageError(f"command version {str(message['v'])[:20]}: this server speaks {VERSION}; reload the page")
    return message


def _encode_value(value: Any, digits: int | None = None) -> Any:
    """A value of an event as a JSON value."""
    if isinstance(value, Filters):
        return filters_object(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _encode_value(getattr(value, name), places) for name, places in _digits(type(value)).items()}
    if isinstance(value, tuple):
        return [_encode_value(part, digits) for part in value]
    return value if digits is None or not isinstance(value, float) else round(value, digits)


@cache
def _digits(kind: type) -> dict[str, int | None]:
    """Each field of a dataclass, and to how many digits its numbers are rounded; None: not rounded."""
    return {name: _places(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}


def _places(hint: Any) -> int | None:
    """The number that annotates a type, at any depth."""
    if get_origin(hint) is Annotated:
        return int(hint.__metadata__[0])
    return next((places for part in get_args(hint) if (places := _places(part)) is not None), None)


def filters_object(filters: Filters) -> dict[str, Any]:
    """The filters as the command ``filters`` takes them; None: no limit."""
    return {
        "min_bpm": filters.min_bpm,
        "max_bpm": filters.max_bpm,
        "licences": sorted(filters.licences) or None,
        "tags": sorted(filters.tags) or None,
        "min_duration_s": filters.min_duration_s or None,
        "jingles": filters.jingles or None,
        "instrumental": filters.instrumental or None,
        "live_ok": filters.live_ok or None,
        "vod_ok": filters.vod_ok or None,
        "moods": sorted(filters.moods) or None,
        "playlists": sorted(filters.playlists) or None,
        "keys": sorted(filters.keys) or None,
        "near_keys": filters.near_keys or None,
        "min_energy": filters.min_energy,
        "max_energy": filters.max_energy,
    }


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
