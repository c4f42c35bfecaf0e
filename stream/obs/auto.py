"""Auto in OBS: what is begun by itself while the session's switch is on, and a long track's next file, in any case.

It does what the page's player does. A track that cannot be played is left alone for a minute.
"""

import math
from collections.abc import Callable
from typing import Any, Final, Protocol

from .cut import READ_AHEAD_S
from .deck_parts import Held, Host
from .leaving import NEAR_S, SHORT_S, Item, choose, follow_up, leave_at, loop_of
from .media import HEARD_S
from .sources import Sources

FADE_S: Final = 2.5  # between tracks that follow by themselves
AHEAD_S: Final = READ_AHEAD_S + HEARD_S + 1.0  # before a track is left, its follower is asked for
NEXT_FILE_S: Final = 2.0  # before the end of a file that is not the track's last
VAIN_S: Final = 60.0
MOST_VAIN: Final = 64


class Player(Protocol):
    """The part of the deck that Auto plays with."""

    sources: Sources
    held: Held | None
    item: Item | None

    @property
    def plays(self) -> str | None: ...
    def begin(
        self,
        track: str,
        start_s: float,
        fade_s: float | None = None,
        *,
        on_bar: bool = False,
        back: bool = False,
        leave_s: float | None = None,
    ) -> None: ...


class Auto:
    """*Bound*: the newest ``MOST_VAIN`` tracks that could not be played are remembered."""

    def __init__(self, player: Player, clock: Callable[[], float]) -> None:
        self._player, self._clock = player, clock
        self._vain: dict[str, float] = {}

    def failed(self, track: str) -> None:
        """A track could not be played."""
        self._vain.pop(track, None)
        self._vain[track] = self._clock()
        if len(self._vain) > MOST_VAIN:
            del self._vain[next(iter(self._vain))]

    def listed(self, host: Host) -> None:
        """A new list came: begin, or change where it says so."""
        player, rows = self._player, self._rows(host)
        first = choose(rows)
        if not host.auto or first is None:
            return
        if player.plays is None and player.held is None and player.sources.now is None:
            player.begin(first["track"], first["start_s"], FADE_S)
        elif rows.get("advice") == "switch" and player.plays not in (None, first["track"]):
            player.begin(first["track"], first["start_s"], FADE_S, on_bar=True)

    def ended(self, host: Host, track: str) -> bool:
        """A track came to its end; returns whether another one follows."""
        following = follow_up(self._rows(host), track) if host.auto else None
        if following is None:
            return False
        self._player.begin(following["track"], following["start_s"])
        return True

    def watch(self, host: Host | None) -> None:
        """Time passes: is it time for the next file, the next track, or a loop?"""
        player = self._player
        now = player.sources.now
        if now is None or now.paused:
            return
        track, place_s, piece = now.track.id, now.place_s(self._clock()), now.cut.piece
        if not piece.whole and place_s > piece.end_s - NEXT_FILE_S - SHORT_S - AHEAD_S:
            leave_s = piece.end_s - NEXT_FILE_S
            player.begin(track, leave_s + SHORT_S, SHORT_S, back=True, leave_s=leave_s)
            return
        if host is None or not host.auto:
            return
        rows = self._rows(host)
        on_air = rows.get("on_air")
        leave_s = leave_at(track, now.asked_s, now.track.duration_s, on_air, player.item, FADE_S)
        following = follow_up(rows, track)
        if following is not None:
            if place_s >= leave_s - AHEAD_S:
                player.begin(following["track"], following["start_s"], FADE_S, leave_s=leave_s)
            return
        _, to_s = loop = loop_of(track, on_air, player.item) or (0.0, math.inf)
        if -AHEAD_S <= place_s - to_s < NEAR_S - AHEAD_S:
            player.begin(track, loop[0] + SHORT_S, SHORT_S, back=True, leave_s=to_s)

    def _rows(self, host: Host) -> dict[str, Any]:
        """The newest list without what cannot be played."""
        rows, now_s = dict(host.newest or {}), self._clock()
        vain = {track for track, at_s in self._vain.items() if now_s - at_s < VAIN_S}
        rows["items"] = [item for item in rows.get("items") or () if item["track"] not in vain]
        return rows
