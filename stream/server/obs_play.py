"""``--obs-play``: OBS as a player that every session of this server may take. In the session of OBS's own picture it
plays without being asked, unless somebody else does."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stream.obs.client import Subscription
from stream.obs.cuts import Cuts
from stream.obs.deck import ObsDeck
from stream.obs.deck_parts import DeckOptions, Shelf
from stream.obs.seat import Seat

from .channel import Channel
from .hub import Hub
from .obs_input import ObsInput

CLOSE_S: Final = 8.0  # for the music to fade out


@dataclass(frozen=True)
class ObsPlayOptions:
    """``cuts``: where the folder for the sound that OBS plays is made; None: in the system's for temporary files."""

    deck: DeckOptions = field(default_factory=DeckOptions)
    cuts: Path | None = None


class ObsPlay:
    """The deck and its seats, one in each session. ``kit`` gives the wishes of a kit by its name."""

    def __init__(
        self,
        shelf: Shelf,
        options: ObsPlayOptions,
        kit: Callable[[str], Mapping[str, Any]] | None = None,
    ) -> None:
        self.deck = ObsDeck(shelf, Cuts(options.cuts), options.deck, time.monotonic, kit)
        self.deck.in_obs.on_ready = self._ready
        self._own_key, self._over = "", False
        self._meters = 0 if options.deck.microphone else int(Subscription.INPUT_VOLUME_METERS)
        self._seats: dict[Seat, asyncio.Task[None]] = {}
        self._of: dict[Seat, Channel] = {}

    def join(self, hub: Hub, obs: ObsInput) -> None:
        """Use OBS's connection, before it starts, and take a seat in each new session."""
        self._own_key = obs.key
        obs.link.add(self.deck.in_obs, self._meters)
        obs.on_scene = self.deck.enter
        obs.also = self.sessions
        self.deck.on_change = lambda: obs.board.set(**self.deck.state)
        hub.on_open.append(self._opened)

    def sessions(self) -> list[Channel]:
        """That in which OBS is the player."""
        return [session for seat, session in self._of.items() if seat is self.deck.host]

    def _opened(self, session: Channel) -> None:
        seat = Seat(session, self.deck, session.key == self._own_key)
        self._of[seat] = session
        task = asyncio.get_running_loop().create_task(seat.run())
        self._seats[seat] = task
        task.add_done_callback(lambda _: self._closed(seat))

    async def close(self) -> None:
        """Leave OBS silent."""
        self._over = True
        for seat in self._seats:
            seat.close()
        if self._seats:
            await asyncio.wait(list(self._seats.values()), timeout=1.0)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.deck.close()
        except TimeoutError:
            pass

    def _closed(self, seat: Seat) -> None:
        self._seats.pop(seat, None)
        self._of.pop(seat, None)
        if not self._over:
            self._ready(self.deck.ready)  # OBS may be free now

    def _ready(self, ready: bool) -> None:
        for seat in self._seats:
            seat.set_ready(ready)
