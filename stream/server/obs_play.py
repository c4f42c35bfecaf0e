"""``--obs-play``: OBS as a player that every session of this server may take."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stream.obs.client import Subscription
from stream.obs.cuts import Cuts
from stream.obs.deck import DeckOptions, ObsDeck, Shelf
from stream.obs.seat import Seat

from .channel import Channel

CLOSE_S: Final = 8.0  # for the music to fade out


@dataclass(frozen=True)
class ObsPlayOptions:
    """``cuts``: the folder for the sound that OBS plays, None for a temporary one."""

    deck: DeckOptions = field(default_factory=DeckOptions)
    cuts: Path | None = None


class ObsPlay:
    """The deck and its seats, one in each session. ``deck`` is a part for the `ObsLink`, which must subscribe to
    ``subscriptions``. ``takes``: whether OBS plays in a session without being asked."""

    def __init__(
        self,
        shelf: Shelf,
        options: ObsPlayOptions,
        kit: Callable[[str], Mapping[str, Any]] | None = None,
        on_change: Callable[[], None] = lambda: None,
        takes: Callable[[Channel], bool] = lambda session: False,
    ) -> None:
        self.deck = ObsDeck(shelf, Cuts(options.cuts), options.deck, time.monotonic, kit, on_change)
        self.deck.on_ready = self._ready
        self.subscriptions = 0 if options.deck.microphone else int(Subscription.INPUT_VOLUME_METERS)
        self._takes = takes
        self._seats: dict[Seat, asyncio.Task[None]] = {}

    def opened(self, session: Channel) -> None:
        """Take a seat in a new session. For `Hub.on_open`."""
        seat = Seat(session, self.deck, self._takes(session))
        task = asyncio.get_running_loop().create_task(seat.run())
        self._seats[seat] = task
        task.add_done_callback(lambda _: self._seats.pop(seat, None))

    async def close(self) -> None:
        """Leave OBS silent."""
        for seat in self._seats:
            seat.close()
        if self._seats:
            await asyncio.wait(list(self._seats.values()), timeout=1.0)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.deck.close()
        except TimeoutError:
            pass

    def _ready(self, ready: bool) -> None:
        for seat in self._seats:
            seat.set_ready(ready)
