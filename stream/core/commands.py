"""What a viewer may ask of a session: the checks that turn a message into a known command, or say why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.records import Filters

MAX_WORDS: Final = 32  # licences, tags
MAX_LENGTH: Final = 80  # of one of them, or of a track's id
MAX_BPM: Final = 1000.0
MAX_S: Final = 86_400.0  # of a track
MAX_WEIGHT: Final = 4.0
STEERS: Final = ("energy", "valence", "tension", "tempo")
WEIGHTS: Final = ("content", "rhythm", "mood")
KINDS: Final = ("filters", "like", "pin", "playing", "skip", "steer", "undo", "unlike", "weights")


class CommandError(ValueError):
    """A message that is no command; the text is for whoever sent it."""


@dataclass(frozen=True, slots=True)
class SetFilters:
    """Replace the filters."""

    filters: Filters


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave a track out for the rest of the session, and tracks like it a little behind."""

    track: str


@dataclass(frozen=True, slots=True)
class Pin:
    """Keep a track first; None lets go."""

    track: str | None


@dataclass(frozen=True, slots=True)
class Like:
    """More like this track."""

    track: str


@dataclass(frozen=True, slots=True)
class Unlike:
    """Take back a like."""

    track: str


@dataclass(frozen=True, slots=True)
class SetSteer:
    """Where to lean, each in [-1, 1]; None leaves a lean as it is."""

    energy: float | None
    valence: float | None
    tension: float | None
    tempo: float | None


@dataclass(frozen=True, slots=True)
class SetWeights:
    """How much each reason counts, from 0 to 4; None leaves it as it is."""

    content: float | None
    rhythm: float | None
    mood: float | None


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the newest wish."""


@dataclass(frozen=True, slots=True)
class Playing:
    """This track is on air, ``position_s`` into it if that is known; None: nothing of the catalogue is."""

    track: str | None
    position_s: float | None = None


Wish = SetFilters | Skip | Pin | Like | Unlike | SetSteer | SetWeights
Command = Wish | Undo | Playing


def read_command(message: Mapping[str, Any]) -> Command:
    """The command that a decoded message stands for; raises CommandError with the reason."""
    kind = message.get("type")
    fields = {name: value for name, value in message.items() if name not in ("v", "type")}
    match kind:
        case "filters":
            return SetFilters(_filters(fields))
        case "skip":
            return Skip(_some_track("skip", fields))
        case "like":
            return Like(_some_track("like", fields))
        case "unlike":
            return Unlike(_some_track("unlike", fields))
        case "pin":
            return Pin(_track(fields))
        case "steer":
            return SetSteer(**_numbers(fields, STEERS, -1.0, 1.0))
        case "weights":
            return SetWeights(**_numbers(fields, WEIGHTS, 0.0, MAX_WEIGHT))
        case "undo":
            _only(fields, ())
            return Undo()
        case "playing":
            position_s = _number(fields, "position_s", MAX_S)
            track = _track({name: value for name, value in fields.items() if name != "position_s"})
            if track is None and position_s is not None:
                raise CommandError("position_s needs a track")
            return Playing(track, position_s)
        case _:
            raise CommandError(f"unknown command; there are {', '.join(KINDS[:-1])} and {KINDS[-1]}")


def _some_track(kind: str, fields: Mapping[str, Any]) -> str:
    track = _track(fields)
    if track is None:
        raise CommandError(f"{kind} needs a track")
    return track


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
        min_duration_s=_number(fields, "min_duration_s", MAX_S) or 0.0,
    )


def _numbers(fields: Mapping[str, Any], names: tuple[str, ...], least: float, most: float) -> dict[str, float | None]:
    """All of ``names``, None where one is not given; at least one must be."""
    _only(fields, names)
    values = {name: _number(fields, name, most, least) for name in names}
    if all(value is None for value in values.values()):
        raise CommandError(f"give at least one of {', '.join(names)}")
    return values


def _number(fields: Mapping[str, Any], name: str, most: float, least: float = 0.0) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise CommandError(f"{name} must be a number from {least:g} to {most:g}, or null")
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
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise CommandError(f"unknown field {name[:40]!r}; {there}")
