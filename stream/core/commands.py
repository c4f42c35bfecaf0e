"""The commands of a viewer, and the checks that turn a message into one of them or say why it is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.libraries.keys import key_of
from catalog.records import Filters

FILTER_VALUES: Final = (
    "min_bpm", "max_bpm", "licences", "tags", "moods", "playlists", "min_duration_s", "keys", "min_energy", "max_energy"
)  # fmt: skip
FILTER_SWITCHES: Final = ("jingles", "instrumental", "live_ok", "vod_ok", "near_keys")
MAX_WORDS: Final = 32  # licences, tags, moods, playlists
MAX_LENGTH: Final = 80  # of one of them, or of a track's id
MAX_NAME: Final = 300  # of a playlist's name, as ``catalog.tags.one_line`` leaves it
MAX_BPM: Final = 1000.0
MAX_S: Final = 86_400.0  # of a track
MAX_WEIGHT: Final = 4.0
STEERS: Final = ("energy", "valence", "tension", "tempo")
WEIGHTS: Final = ("content", "rhythm", "mood")
RESETS: Final = ("filters", "liked", "pinned", "skipped", "steer", "weights")
MAX_TRACKS: Final = 200  # named in one command
KINDS: Final = (  # of viewers; the source's own command, place, is not among them
    "filters", "like", "pin", "playing", "reset", "skip", "steer", "undo", "unlike", "unskip", "weights", "wishes"
)  # fmt: skip


class CommandError(ValueError):
    """A message that is no command; the text is for its sender."""


@dataclass(frozen=True, slots=True)
class SetFilters:
    """Replace the filters."""

    filters: Filters


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave a track out for ``for_s`` seconds (None: the rest of the session), and tracks like it a little behind."""

    track: str
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unskip:
    """Take back a skip."""

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
class SetBack:
    """Undo all wishes of these kinds (of ``RESETS``)."""

    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Preferences of a session that was lost, for the one in its place. None leaves a wish as it is; ``liked`` and
    ``skipped`` are added to the present ones."""

    filters: Filters | None
    steer: SetSteer | None
    weights: SetWeights | None
    pinned: str | None
    liked: tuple[str, ...]
    skipped: tuple[Skip, ...]


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the newest wish."""


@dataclass(frozen=True, slots=True)
class Playing:
    """This track is on air, ``position_s`` into it if that is known; None: no track of the catalogue is. ``paused``: it
    stands still there."""

    track: str | None
    position_s: float | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class SetPlace:
    """The source calls what is on air so from now on; "" forgets it. ``cut``: the picture is another one, too."""

    name: str
    cut: bool = True


Wish = SetFilters | Skip | Unskip | Pin | Like | Unlike | SetSteer | SetWeights | SetBack | GiveBack
Command = Wish | Undo | Playing | SetPlace


def read_command(message: Mapping[str, Any]) -> Command:
    """The command that a decoded message stands for; raises CommandError with the reason."""
    kind = message.get("type")
    fields = {name: value for name, value in message.items() if name not in ("v", "type")}
    match kind:
        case "filters":
            return SetFilters(_filters(fields))
        case "skip":
            return _skip(fields)
        case "unskip":
            return Unskip(_some_track("unskip", fields))
        case "reset":
            return _set_back(fields)
        case "wishes":
            return _give_back(fields)
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
            return _playing(fields)
        case "place":
            return _place(fields)
        case _:
            raise CommandError(f"unknown command; there are {', '.join(KINDS[:-1])} and {KINDS[-1]}")


def _skip(fields: Mapping[str, Any]) -> Skip:
    for_s = _number(fields, "for_s", MAX_S, 1.0)
    return Skip(_some_track("skip", {name: value for name, value in fields.items() if name != "for_s"}), for_s)


def _playing(fields: Mapping[str, Any]) -> Playing:
    position_s = _number(fields, "position_s", MAX_S)
    paused = fields.get("paused")
    if not (paused is None or isinstance(paused, bool)):
        raise CommandError("paused must be true, false or null")
    track = _track({name: value for name, value in fields.items() if name not in ("position_s", "paused")})
    if track is None and (position_s is not None or paused):
        raise CommandError("position_s and paused need a track")
    return Playing(track, position_s, bool(paused))


def _place(fields: Mapping[str, Any]) -> SetPlace:
    _only(fields, ("name", "cut"))
    name, cut = fields.get("name"), fields.get("cut", True)
    if not isinstance(name, str) or len(name) > MAX_LENGTH:
        raise CommandError(f"name must be a text of at most {MAX_LENGTH} characters")
    if not isinstance(cut, bool):
        raise CommandError("cut must be true or false")
    return SetPlace(name.strip(), cut)


def _set_back(fields: Mapping[str, Any]) -> SetBack:
    _only(fields, ("what",))
    what = fields.get("what")
    named = RESETS if what is None else tuple(what) if isinstance(what, list) else (what,)
    if not named or not all(isinstance(name, str) and name in RESETS for name in named):
        raise CommandError(f"what must be one or a list of {', '.join(RESETS)}, or null for all")
    return SetBack(tuple(sorted(set(named))))


def _give_back(fields: Mapping[str, Any]) -> GiveBack:
    _only(fields, ("filters", "liked", "pinned", "skipped", "steer", "weights"))
    filters, steer, weights = (_part(fields, name) for name in ("filters", "steer", "weights"))
    pinned = _track({"track": fields.get("pinned")})
    liked = [_some_track("liked", {"track": track}) for track in _tracks(fields, "liked")]
    skipped = [_skipped(message) for message in _tracks(fields, "skipped")]
    return GiveBack(
        None if filters is None else _filters(filters),
        None if steer is None else SetSteer(**_numbers(steer, STEERS, -1.0, 1.0)),
        None if weights is None else SetWeights(**_numbers(weights, WEIGHTS, 0.0, MAX_WEIGHT)),
        pinned,
        tuple(liked),
        tuple(skipped),
    )


def _skipped(message: object) -> Skip:
    """As `ViewerState` has it, without its title."""
    if not isinstance(message, Mapping):
        raise CommandError('skipped must hold objects such as {"track":"ID","left_s":null}')
    left_s = _number(message, "left_s", MAX_S)
    track = _some_track("skipped", {name: value for name, value in message.items() if name != "left_s"})
    return Skip(track, None if left_s is None else max(1.0, left_s))


def _part(fields: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    part = fields.get(name)
    if part is not None and not isinstance(part, Mapping):
        raise CommandError(f"{name} must be an object, or null")
    return part


def _tracks(fields: Mapping[str, Any], name: str) -> list[Any]:
    tracks = fields.get(name)
    if tracks is None:
        return []
    if not isinstance(tracks, list) or len(tracks) > MAX_TRACKS:
        raise CommandError(f"{name} must be a list of at most {MAX_TRACKS}")
    return tracks


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
    _only(fields, (*FILTER_VALUES, *FILTER_SWITCHES))
    for name in FILTER_SWITCHES:
        if not (fields.get(name) is None or isinstance(fields[name], bool)):
            raise CommandError(f"{name} must be true, false or null")
    low = _number(fields, "min_bpm", MAX_BPM)
    high = _number(fields, "max_bpm", MAX_BPM)
    if low is not None and high is not None and low > high:
        raise CommandError(f"min_bpm {low:g} is above max_bpm {high:g}")
    calm, lively = _number(fields, "min_energy", 1.0), _number(fields, "max_energy", 1.0)
    if calm is not None and lively is not None and calm > lively:
        raise CommandError(f"min_energy {calm:g} is above max_energy {lively:g}")
    return Filters(
        min_bpm=low,
        max_bpm=high,
        licences=_words(fields, "licences"),
        tags=_words(fields, "tags"),
        min_duration_s=_number(fields, "min_duration_s", MAX_S) or 0.0,
        jingles=bool(fields.get("jingles")),
        instrumental=bool(fields.get("instrumental")),
        live_ok=bool(fields.get("live_ok")),
        vod_ok=bool(fields.get("vod_ok")),
        moods=_words(fields, "moods"),
        playlists=_words(fields, "playlists", MAX_NAME),
        keys=_keys(fields),
        near_keys=bool(fields.get("near_keys")),
        min_energy=calm,
        max_energy=lively,
    )


def _keys(fields: Mapping[str, Any]) -> frozenset[str]:
    """Musical keys in one spelling, whichever they are given in."""
    found = {given: key_of(given) for given in _words(fields, "keys")}
    if unknown := sorted(given for given, key in found.items() if not key):
        raise CommandError(f"keys: {unknown[0]!r} is no key; give some as F#m, Db or 8A")
    return frozenset(found.values())


def _numbers(fields: Mapping[str, Any], names: tuple[str, ...], least: float, most: float) -> dict[str, float | None]:
    """All of ``names``, None for one that is missing; at least one must be there."""
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


def _words(fields: Mapping[str, Any], name: str, longest: int = MAX_LENGTH) -> frozenset[str]:
    words = fields.get(name)
    if words is None:
        return frozenset()
    if not isinstance(words, list) or len(words) > MAX_WORDS:
        raise CommandError(f"{name} must be a list of at most {MAX_WORDS} texts")
    if not all(isinstance(word, str) and 0 < len(word) <= longest for word in words):
        raise CommandError(f"{name} must hold texts of 1 to {longest} characters")
    return frozenset(words)


def _only(fields: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in fields:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise CommandError(f"unknown field {name[:40]!r}; {there}")
