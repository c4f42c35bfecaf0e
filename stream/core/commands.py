"""What a viewer may ask of a session: the checks that turn a message into a known command, or say why not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.records import Filters

MAX_WORDS: Final = 32  # licences, tags
MAX_LENGTH: Final = 80  # of one of them, or of a track's id
MAX_BPM: Final = 1000.0


class CommandError(ValueError):
    """A message that is no command; the text is for whoever sent it."""


@dataclass(frozen=True, slots=True)
class SetFilters:
    """Replace the filters."""

    filters: Filters


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave a track out for the rest of the session."""

    track: str


@dataclass(frozen=True, slots=True)
class Pin:
    """Keep a track first; None lets go."""

    track: str | None


@dataclass(frozen=True, slots=True)
class Playing:
    """This track is on air; None: nothing of the catalogue is."""

    track: str | None


Command = SetFilters | Skip | Pin | Playing


def read_command(message: Mapping[str, Any]) -> Command:
    """The command that a decoded message stands for; raises CommandError with the reason."""
    kind = message.get("type")
    fields = {name: value for name, value in message.items() if name not in ("v", "type")}
    match kind:
        case "filters":
            return SetFilters(_filters(fields))
        case "skip":
            track = _track(fields)
            if track is None:
                raise CommandError("skip needs a track")
            return Skip(track)
        case "pin":
            return Pin(_track(fields))
        case "playing":
            return Playing(_track(fields))
        case _:
            raise CommandError("unknown command; there are filters, pin, skip and playing")


def _track(fields: Mapping[str, Any]) -> str | None:
    _only(fields, ("track",))
    if "track" not in fields:
        raise CommandError("the field track is missing")
    track = fields["track"]
    if track is not None and not (isinstance(track, str) and 0 < len(track) <= MAX_LENGTH):
        raise CommandError(f"track must be an id of at most {MAX_LENGTH} characters, or null")
    return track


def _filters(fields: Mapping[str, Any]) -> Filters:
    _only(fields, ("min_bpm", "max_bpm", "licences", "tags", "min_duration_s"))
    low = _number(fields, "min_bpm", MAX_BPM)
    high = _number(fields, "max_bpm", MAX_BPM)
    if low is not None and high is not None and low > high:
        raise CommandError(f"min_bpm {low:g} is above max_bpm {high:g}")
    return Filters(
        min_bpm=low,
        max_bpm=high,
        licences=_words(fields, "licences"),
        tags=_words(fields, "tags"),
        min_duration_s=_number(fields, "min_duration_s", 86_400.0) or 0.0,
    )


def _number(fields: Mapping[str, Any], name: str, most: float) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or math.isnan(value):
        raise CommandError(f"{name} must be a number from 0 to {most:g}, or null")
    return float(value)


def _words(fields: Mapping[str, Any], name: str) -> frozenset[str]:
    words = fields.get(name)
    if words is None:
        return frozenset()
    if not isinstance(words, list) or len(words) > MAX_WORDS:
        raise CommandError(f"{name} must be a list of at most {MAX_WORDS} texts")
    if not all(isinstance(word, str) and 0 < len(word) <= MAX_LENGTH for word in words):
        raise CommandError(f"{name} must hold texts of 1 to {MAX_LENGTH} characters")
    return frozenset(words)


def _only(fields: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in fields:
        if name not in known:
            raise CommandError(f"unknown field {name[:40]!r}; there are {', '.join(known)}")
