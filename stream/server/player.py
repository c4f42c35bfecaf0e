"""Which viewer of a session plays: one connection is the player, the others are its remotes.

The first viewer that sends ``playing`` is the player, until it leaves or another one takes its place. Requests of the
others to play, pause or seek are passed to the player unchanged (``do``). When the player has left, nobody plays, and
the place where the music stopped is kept for the next player. The Auto switch belongs to the session as well; only the
player acts on it.

*Bound*: one player, and the newest state of what is on air.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from stream.core.commands import MAX_LENGTH, MAX_S, CommandError, Playing, read_command
from stream.sinks.viewers import Viewer

from .access import same

KINDS: Final = ("auto", "do", "player", "playing")
ACTIONS: Final = {
    "play": ("track", "start_s"),
    "pause": (),
    "resume": (),
    "seek": ("position_s",),
    "stop": (),
    "duck": ("on",),
    "back": (),
    "level": ("db",),
    "remove": (),
}
LEAST_DB: Final = -60.0
NOBODY: Final = "nobody plays; start a track where it is to be heard, or take the player's place"
ABSENT: Final = "{name} cannot play here: it is not connected, or segue serve runs without --obs-play"
ANOTHER: Final = 'another one plays in this session; take its place first: {"type":"player","take":true}'


@dataclass(frozen=True, slots=True)
class Air:
    """What is on air: ``position_s`` into the track at ``at_s`` by the clock, if the player sent it. ``since``: when
    the track went on air, in seconds of Unix time."""

    track: str
    position_s: float | None
    paused: bool
    at_s: float
    since: float = 0.0

    def place_s(self, now_s: float) -> float | None:
        if self.position_s is None or self.paused:
            return self.position_s
        return self.position_s + now_s - self.at_s


class RoleSession(Protocol):
    """The part of a session that the role needs."""

    @property
    def viewers(self) -> Iterable[Viewer]: ...
    def command_core(self, message: dict[str, Any]) -> None:
        """Pass a command to the session's core."""

    def accept(self, command: str, track: str | None) -> None:
        """Notify every viewer that a command was carried out."""


class PlayerRole:
    """The player role of one session. On the event loop only; ``clock`` counts seconds and never goes back, ``wall`` is
    the time of day. ``duck``: what the player was last asked for; None: to duck as it decides itself. ``level_db``: the
    level that the player has told, beside the common loudness; None: it has not."""

    def __init__(self, session: RoleSession, clock: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        self._session = session
        self._clock, self._wall = clock, wall
        self.duck: bool | None = None
        self.level_db: float | None = None
        self.player: Viewer | None = None
        self.air: Air | None = None
        self.auto = False

    def viewer_joined(self, viewer: Viewer) -> None:
        """A viewer joined. If it is the player on a new connection, it becomes the player again."""
        if self.player is not None and viewer.may and viewer.page and same(self.player.page, viewer.page):
            self.player = viewer
            self._send_state()
        elif self.player is not None or self.air is not None or self.auto or not viewer.may:
            viewer.put_object(self._state_for(viewer))

    def viewer_left(self, viewer: Viewer) -> None:
        """A viewer left. If it was the player, the music stops where it is."""
        if viewer is not self.player:
            return
        self.player = self.duck = self.level_db = None
        if self.air is not None:
            place_s = self.air.place_s(self._clock())
            self.air = replace(self.air, position_s=place_s, paused=True)
            self._session.command_core(self._playing_command(self.air))
        self._send_state()

    def command(self, viewer: Viewer, message: Mapping[str, Any]) -> None:
        """Carry out a command of `KINDS`. Raises CommandError with the reason where it cannot."""
        fields = {name: value for name, value in message.items() if name not in ("v", "type")}
        match message["type"]:
            case "player":
                if name := fields.pop("name", None):
                    viewer = self._named(name)
                self._take(viewer, _flag(fields, "take"))
                self._session.accept("player", None)
            case "auto":
                self.auto = _flag(fields, "on")
                self._send_state()
                self._session.accept("auto", None)
            case "do":
                action = _action(fields)
                if self.player is None:
                    raise CommandError(NOBODY)
                self.player.put_object({"v": 1, "type": "do", **action}, answer=True)
                if action["do"] == "duck":
                    self.duck = action["on"]
                self._session.accept("do", action.get("track"))
            case _:
                self._play(viewer, message)

    def _take(self, viewer: Viewer, take: bool) -> None:
        if take:
            if viewer is not self.player:
                self.duck = self.level_db = None
            self.player = viewer
            self._send_state()
        else:
            self.viewer_left(viewer)

    def _named(self, name: Any) -> Viewer:
        """The player of that name, which is no page."""
        found = next((viewer for viewer in self._session.viewers if viewer.name and viewer.name == name), None)
        if found is None or not found.ready:
            raise CommandError(ABSENT.format(name=str(name)[:40]))
        return found

    def _play(self, viewer: Viewer, message: Mapping[str, Any]) -> None:
        message = dict(message)
        level_db = message.pop("level_db", None)  # no affair of the core's
        if level_db is not None:
            _check_db("level_db", level_db)
        command = read_command(message)
        assert isinstance(command, Playing)
        if self.player is None and command.track is not None:
            self.player = viewer
        elif self.player not in (None, viewer):
            raise CommandError(ANOTHER)
        if viewer is self.player:
            self.level_db = level_db
        self.air = self._next_air(command)
        self._session.command_core(message)
        self._send_state()

    def _next_air(self, command: Playing) -> Air | None:
        """What is on air from now on; a command without a position continues from the current place."""
        if command.track is None:
            return None
        now_s, place_s, since = self._clock(), command.position_s, self._wall()
        if self.air is not None and self.air.track == command.track:
            place_s = self.air.place_s(now_s) if place_s is None else place_s
            since = self.air.since
        return Air(command.track, place_s, command.paused, now_s, since)

    def place_s(self) -> float | None:
        """Where in the track on air its music is now, if that is known."""
        return None if self.air is None else self.air.place_s(self._clock())

    def _send_state(self) -> None:
        for viewer in self._session.viewers:
            viewer.put_object(self._state_for(viewer))

    def _state_for(self, viewer: Viewer) -> dict[str, Any]:
        """The player's state as one viewer sees it."""
        air, place_s = self.air, None
        if air is not None and (place_s := air.place_s(self._clock())) is not None:
            place_s = round(place_s, 3)
        return {
            "v": 1,
            "type": "player",
            "player": None if self.player is None else "here" if viewer is self.player else "elsewhere",
            "name": "" if self.player is None else self.player.name,
            "may": viewer.may,
            "auto": self.auto,
            "track": None if air is None else air.track,
            "position_s": place_s,
            "paused": air is not None and air.paused,
            "level_db": self.level_db,
        }

    @staticmethod
    def _playing_command(air: Air) -> dict[str, Any]:
        place_s = None if air.position_s is None else min(air.position_s, MAX_S)
        return {"type": "playing", "track": air.track, "position_s": place_s, "paused": air.paused}


def _check_db(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_DB <= value <= 0:
        raise CommandError(f"{name} must be a number from {LEAST_DB:g} to 0")


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    if set(fields) != {name} or not isinstance(fields[name], bool):
        raise CommandError(f"give {name}, true or false, and nothing else")
    return bool(fields[name])


def _action(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The checked request to the player."""
    action = fields.get("do")
    if not isinstance(action, str) or action not in ACTIONS:
        raise CommandError(f"do must be one of {', '.join(ACTIONS)}")
    fields_needed = ACTIONS[action]
    if set(fields) - {"do", *fields_needed}:
        raise CommandError(f"{action} takes {' and '.join(fields_needed) or 'nothing else'}")
    for name in fields_needed:
        value = fields.get(name)
        if name == "track":
            if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH:
                raise CommandError(f"track must be an id of at most {MAX_LENGTH} characters")
        elif name == "db":
            _check_db(name, value)
        elif name == "on":
            if name not in fields or not (value is None or isinstance(value, bool)):
                raise CommandError("on must be true, false, or null for as the player itself decides")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_S:
            raise CommandError(f"{name} must be a number from 0 to {MAX_S:g}")
    return dict(fields)
