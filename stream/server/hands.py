"""What a key does in a session: the actions, each in terms of the commands that viewers send.

An action says what is to be, not what to switch: play while the music plays changes nothing. A key that is pressed
twice in a row acts once: while the player still brings a track on air, it is not asked for it again.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from stream.core.commands import CommandError
from stream.core.events import Item
from stream.core.preferences import Preferences, apply_wish
from stream.errors import StreamError
from stream.sinks.viewers import Viewer

from .channel import Channel
from .kits import Kit, wish_of
from .player import NOBODY

COMING_S: Final = 3.0  # what a player may take to bring a track on air
ON: Final[dict[str, bool | None]] = {"1": True, "0": False, "true": True, "false": False, "auto": None}
EMPTY: Final = "there is no list yet: the first comes a second or two after the first picture"
SILENT: Final = "nothing is on air; name a row of the list by n=1"

Options = Mapping[str, str]


class ActionError(StreamError):
    """An action with options that make no sense."""


class Hands:
    """The keys of one session. On the event loop only; ``clock`` counts seconds and never goes back."""

    def __init__(self, session: Channel, clock: Callable[[], float]) -> None:
        self._session, self._clock = session, clock
        self._coming: tuple[str, float] | None = None  # the track that the player was asked for, and when

    def do(self, action: str, options: Options) -> bool:
        """Carry out one of `ACTIONS`; whether it changed anything.

        Raises `ActionError` for options that make no sense, CommandError with the reason for what cannot be done now.
        """
        return ACTIONS[action](self, options)

    def apply(self, kit: Kit) -> bool:
        """Wish for what a kit holds, as one step for undo; whether it changes anything. Raises CommandError."""
        before = self._asked
        try:
            same = apply_wish(before, wish_of(kit)) == before
        except CommandError as error:
            raise CommandError(f"the kit does not fit this version: {error}") from error
        return not same and self._wish({**kit, "type": "wishes"})

    def _play(self, _: Options) -> bool:
        air = self._session.role.air
        if self._session.role.player is None:
            raise CommandError(NOBODY)
        if air is None:
            return self._start(self._row(1))
        return air.paused and self._ask("resume")

    def _pause(self, _: Options) -> bool:
        return self._heard and self._ask("pause")

    def _stop(self, _: Options) -> bool:
        self._coming = None
        return self._session.role.air is not None and self._session.role.player is not None and self._ask("stop")

    def _next(self, _: Options) -> bool:
        return self._start(self._following())

    def _take(self, options: Options) -> bool:
        item, air = self._row(number_of(options)), self._session.role.air
        if air is not None and air.track == item.track and self._session.role.player is not None:
            return air.paused and self._ask("resume")
        return self._start(item)

    def _pin(self, options: Options) -> bool:
        track = self._row(number_of(options)).track
        return self._asked.pinned != track and self._wish({"type": "pin", "track": track})

    def _unpin(self, _: Options) -> bool:
        return self._asked.pinned is not None and self._wish({"type": "pin", "track": None})

    def _like(self, options: Options) -> bool:
        track = self._chosen(options)
        return track not in self._asked.liked and self._wish({"type": "like", "track": track})

    def _skip(self, options: Options) -> bool:
        """Without ``n``, the next track takes over from the one that is left out."""
        track = self._chosen(options)
        if "n" in options or not self._heard:
            return track not in self._asked.skipped and self._wish({"type": "skip", "track": track})
        if self._is_coming(None):
            return False
        follower = next((item for item in self._items if item.track != track), None)
        self._wish({"type": "skip", "track": track})
        return self._ask("stop") if follower is None else self._start(follower)

    def _duck(self, options: Options) -> bool:
        on = on_of(options)
        return self._session.role.duck is not on and self._ask("duck", on=on)

    def _auto(self, options: Options) -> bool:
        on = on_of(options)
        if on is None:
            raise ActionError("on is 1 or 0")
        if self._session.role.auto is on:
            return False
        self._session.role.command(Viewer(), {"type": "auto", "on": on})
        return True

    def _undo(self, _: Options) -> bool:
        return self._session.live.asked.undo > 0 and self._wish({"type": "undo"})

    @property
    def _heard(self) -> bool:
        """Whether somebody plays something."""
        role = self._session.role
        return role.player is not None and role.air is not None and not role.air.paused

    @property
    def _items(self) -> tuple[Item, ...]:
        newest = self._session.viewers.newest
        return () if newest is None else newest.items

    @property
    def _asked(self) -> Preferences:
        """The wishes as they stand."""
        asked = self._session.live.asked
        return Preferences(
            asked.filters,
            tuple(each.track for each in asked.skipped),
            tuple(each.track for each in asked.liked),
            asked.pinned,
            asked.steer,
            asked.weights,
        )

    def _row(self, number: int) -> Item:
        items = self._items
        if not items:
            raise CommandError(EMPTY)
        if number > len(items):
            raise CommandError(f"there is no row {number}: the list has {len(items)} now")
        return items[number - 1]

    def _following(self) -> Item:
        """The best row that is not on air."""
        air = self._session.role.air
        item = next((item for item in self._items if air is None or item.track != air.track), None)
        if item is None:
            raise CommandError("the list has no other track" if self._items else EMPTY)
        return item

    def _chosen(self, options: Options) -> str:
        """The track of row ``n``, without it the one on air."""
        if "n" in options:
            return self._row(number_of(options)).track
        air = self._session.role.air
        if air is None:
            raise CommandError(SILENT)
        return air.track

    def _start(self, item: Item) -> bool:
        if self._is_coming(item.track):
            return False
        self._ask("play", track=item.track, start_s=item.start_s)
        self._coming = (item.track, self._clock())
        return True

    def _is_coming(self, track: str | None) -> bool:
        """Whether the player was just asked for ``track`` (None: for any) and does not play it yet."""
        if self._coming is None or self._clock() - self._coming[1] > COMING_S:
            return False
        air = self._session.role.air
        return track in (None, self._coming[0]) and (air is None or air.track != self._coming[0])

    def _ask(self, what: str, **fields: Any) -> bool:
        self._session.role.command(Viewer(), {"type": "do", "do": what, **fields})
        return True

    def _wish(self, command: dict[str, Any]) -> bool:
        """Pass a command to the core; its answer goes to every viewer. Raises CommandError where it is refused."""
        hand = Viewer()
        self._session.viewers.join(hand)
        try:
            self._session.command_core(command)
        finally:
            self._session.viewers.leave(hand)
        for text in hand.waiting:
            message = json.loads(text)
            if message["type"] == "refused" and message["command"] == command["type"]:
                raise CommandError(message["reason"])
        return True


def number_of(options: Options) -> int:
    """``n``, 1 where it is left out. Raises `ActionError`."""
    text = options.get("n", "1")
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text)):
        raise ActionError("n is the number of a row of the list, from 1")
    return int(text)


def on_of(options: Options) -> bool | None:
    """``on``; None for auto. Raises `ActionError`."""
    text = options.get("on", "").lower()
    if text not in ON:
        raise ActionError("on is 1, 0 or auto")
    return ON[text]


ACTIONS: Final[dict[str, Callable[[Hands, Options], bool]]] = {
    "play": Hands._play,
    "pause": Hands._pause,
    "stop": Hands._stop,
    "next": Hands._next,
    "take": Hands._take,
    "pin": Hands._pin,
    "unpin": Hands._unpin,
    "like": Hands._like,
    "skip": Hands._skip,
    "duck": Hands._duck,
    "auto": Hands._auto,
    "undo": Hands._undo,
}
