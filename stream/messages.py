"""The objects on the wire: events out, commands in. ``stream/PROTOCOL.md`` is this file in prose.

Both ``watch --json`` (an object a line) and the websocket (an object a message) use these.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from catalog.records import Filters
from stream.core.events import (
    Accepted,
    Asked,
    Cut,
    Effect,
    End,
    Fact,
    Failed,
    Item,
    Message,
    OnAirNow,
    Reasons,
    Refused,
    Reset,
    Scene,
    Seen,
    Steer,
    Suggestions,
    Switch,
    Warned,
    Weights,
    Wished,
)
from stream.errors import MessageError

VERSION: Final = 1
COMMAND_BYTES: Final = 4096


def encode(event: Message) -> dict[str, Any]:
    """The JSON object of an event; numbers are rounded (times 1 ms, scores 4 digits, levels 0.1 dB)."""
    match event:
        case Suggestions():
            return _object(
                "suggestions",
                pts_s=round(event.pts_s, 3),
                window_s=round(event.window_s, 3),
                advice=event.advice,
                late_ms=None if event.late_ms is None else round(event.late_ms, 1),
                items=[_item(item) for item in event.items],
                seen=None if event.seen is None else _seen(event.seen),
                switch=None if event.switch is None else _switch(event.switch),
                duck_db=None if event.duck_db is None else round(event.duck_db, 1),
                asked=None if event.asked is None else _asked(event.asked),
                on_air=None if event.on_air is None else _on_air(event.on_air),
                changed=event.changed,
                stale=event.stale,
            )
        case Cut():
            return _object("cut", pts_s=round(event.pts_s, 3), strength=round(event.strength, 4))
        case Scene():
            return _object("scene", pts_s=round(event.pts_s, 3))
        case Reset():
            return _object("reset", reason=event.reason)
        case Refused():
            return _object("refused", command=event.command, reason=event.reason)
        case Accepted():
            effect = None if event.effect is None else _effect(event.effect)
            return _object("accepted", command=event.command, track=event.track, effect=effect)
        case Warned():
            return _object("warning", reason=event.reason)
        case Failed():
            return _object("error", reason=event.reason)
        case End():
            return _object(
                "end",
                frames=event.frames,
                sampled=event.sampled,
                dropped=event.dropped,
                suggestions=event.suggestions,
                skipped_hops=event.skipped_hops,
            )


def line(event: Message) -> str:
    """The event as one line of JSON, without the newline; the same event gives the same text.

    What UTF-8 cannot say (half of a surrogate pair, out of a file name in another encoding) becomes a question mark.
    """
    text = json.dumps(encode(event), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace").decode("utf-8")


def decode(message: Mapping[str, Any]) -> Message:
    """The event that an object stands for. Raises MessageError when it is none."""
    if message.get("v") != VERSION:
        raise MessageError(
            f"message version {message.get('v')!r}: this program reads version {VERSION}; update one side"
        )
    try:
        return _decode(message)
    except (KeyError, TypeError, ValueError) as error:
        kind = message.get("type")
        raise MessageError(f"message of type {kind!r}: {error!r}; compare it with stream/PROTOCOL.md") from error


def parse_command(data: str | bytes) -> dict[str, Any]:
    """A viewer's command: a JSON object with a string ``type``; what the type means is the session's affair.

    Raises MessageError for anything larger than ``COMMAND_BYTES``, no JSON, or no such object.
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


def _object(kind: str, **fields: object) -> dict[str, Any]:
    return {"v": VERSION, "type": kind, **fields}


def _seen(seen: Seen) -> dict[str, float]:
    return {
        "tempo_bpm": round(seen.tempo_bpm, 1),
        "confidence": round(seen.confidence, 4),
        "speed": round(seen.speed, 4),
    }


def _switch(switch: Switch) -> dict[str, Any]:
    return {
        "track": switch.track,
        "at_s": [round(at_s, 3) for at_s in switch.at_s],
        "in_s": None if switch.in_s is None else round(switch.in_s, 3),
    }


def _asked(asked: Asked) -> dict[str, Any]:
    return {
        "steer": {name: round(value, 4) for name, value in asdict(asked.steer).items()},
        "weights": {name: round(value, 4) for name, value in asdict(asked.weights).items()},
        "pinned": asked.pinned,
        "undo": asked.undo,
        "liked": [{"track": wished.track, "title": wished.title} for wished in asked.liked],
        "skipped": [
            {"track": wished.track, "title": wished.title, "left_s": _seconds(wished.left_s)}
            for wished in asked.skipped
        ],
        "unlisted": asked.unlisted,
        "filters": filters_object(asked.filters),
    }


def filters_object(filters: Filters) -> dict[str, Any]:
    """As the command ``filters`` takes them; what is not limited is None."""
    return {
        "min_bpm": filters.min_bpm,
        "max_bpm": filters.max_bpm,
        "licences": sorted(filters.licences) or None,
        "tags": sorted(filters.tags) or None,
        "min_duration_s": filters.min_duration_s or None,
        "jingles": filters.jingles or None,
        "instrumental": filters.instrumental or None,
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {"text": effect.text, "up": effect.up, "down": effect.down, "most": round(effect.most, 4)}


def _on_air(now: OnAirNow) -> dict[str, Any]:
    return {
        "track": now.track,
        "position_s": _seconds(now.position_s),
        "left_s": _seconds(now.left_s),
        "leave_s": _seconds(now.leave_s),
        "next_in_s": _seconds(now.next_in_s),
        "loop": None if now.loop is None else [round(place, 3) for place in now.loop],
        "next": now.next,
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _item(item: Item) -> dict[str, Any]:
    return {
        "rank": item.rank,
        "track": item.track,
        "title": item.title,
        "artist": item.artist,
        "start_s": round(item.start_s, 3),
        "duration_s": round(item.duration_s, 3),
        "score": round(item.score, 4),
        "reasons": {
            "content": round(item.reasons.content, 4),
            "rhythm": round(item.reasons.rhythm, 4),
            "mood": round(item.reasons.mood, 4),
        },
        "tempo_bpm": round(item.tempo_bpm, 1),
        "licence": item.licence,
        "adjust": round(item.adjust, 4),
        "liked": item.liked,
        "held": item.held,
        "lift": round(item.lift, 4),
        "gain_db": None if item.gain_db is None else round(item.gain_db, 1),
        "leave_s": _seconds(item.leave_s),
        "loop": None if item.loop is None else [round(place, 3) for place in item.loop],
        "facts": [asdict(fact) for fact in item.facts],
    }


def _decode(message: Mapping[str, Any]) -> Message:
    fields = {name: value for name, value in message.items() if name not in ("v", "type")}
    match message.get("type"):
        case "suggestions":
            return _suggestions(fields)
        case "cut":
            return Cut(**fields)
        case "scene":
            return Scene(**fields)
        case "reset":
            return Reset(**fields)
        case "refused":
            return Refused(**fields)
        case "accepted":
            effect = fields.pop("effect", None)
            return Accepted(**fields, effect=None if effect is None else Effect(**effect))
        case "warning":
            return Warned(**fields)
        case "error":
            return Failed(**fields)
        case "end":
            return End(**fields)
        case other:
            raise ValueError(f"unknown type {other!r}")


def _suggestions(fields: dict[str, Any]) -> Suggestions:
    """Readers of newer lists know parts that older ones do not have."""
    items = tuple(_read_item(item) for item in fields.pop("items"))
    seen, switch, asked, on_air = (fields.pop(name, None) for name in ("seen", "switch", "asked", "on_air"))
    if switch is not None:
        switch = Switch(**{**switch, "at_s": tuple(switch["at_s"])})
    if asked is not None:
        asked = _read_asked(asked)
    if on_air is not None:
        on_air = OnAirNow(**{**on_air, "loop": _pair(on_air.get("loop"))})
    seen = None if seen is None else Seen(**seen)
    return Suggestions(items=items, seen=seen, switch=switch, asked=asked, on_air=on_air, **fields)


def _read_asked(fields: Mapping[str, Any]) -> Asked:
    filters = {name: value for name, value in fields.get("filters", {}).items() if value is not None}
    filters |= {name: frozenset(filters[name]) for name in ("licences", "tags") if name in filters}
    return Asked(
        **{
            **fields,
            "steer": Steer(**fields["steer"]),
            "weights": Weights(**fields["weights"]),
            "liked": tuple(Wished(**each) for each in fields.get("liked", ())),
            "skipped": tuple(Wished(**each) for each in fields.get("skipped", ())),
            "filters": Filters(**filters),
        }
    )


def _read_item(fields: Mapping[str, Any]) -> Item:
    facts = tuple(Fact(**fact) for fact in fields.get("facts", ()))
    return Item(
        **{**fields, "reasons": Reasons(**fields["reasons"]), "loop": _pair(fields.get("loop")), "facts": facts}
    )


def _pair(value: Sequence[float] | None) -> tuple[float, float] | None:
    return None if value is None else (value[0], value[1])


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
