"""Lowering the music in OBS while somebody speaks, as `Duck` says: by small steps of our sources, or by OBS itself
where a microphone is named."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from .client import ObsClient
from .duck import Duck
from .errands import Errands
from .media import Media
from .rig import Rig

MOST_MICROPHONES: Final = 4  # in OBS's audio settings


class Ducking:
    """``on_change`` is called when the music is to be lowered, or no longer."""

    def __init__(
        self, media: Media, rig: Rig, clock: Callable[[], float], errands: Errands, on_change: Callable[[], None]
    ) -> None:
        self._duck = Duck()
        self._media, self._rig, self._clock, self._errands, self._on_change = media, rig, clock, errands, on_change

    @property
    def db(self) -> float:
        """How far the music is lowered."""
        return self._media.fader.shared.get("duck", 0.0)

    async def listen_to(self, client: ObsClient) -> None:
        """Find out which sources are microphones. Raises ObsError."""
        special = {} if self._rig.microphone else await client.request("GetSpecialInputs")
        names = [special.get(f"mic{number}") for number in range(1, MOST_MICROPHONES + 1)]
        self._duck.microphones = frozenset(name for name in names if name)

    def by_hand(self, on: bool | None) -> None:
        """Somebody asks for it, or against it; None: automatic again."""
        self._duck.by_hand = on
        self.look()
        if (client := self._media.client) is not None:
            self._errands.spawn(self._rig.duck_in_obs(client, on is not False))

    def meters(self, inputs: Iterable[Mapping[str, Any]]) -> None:
        """OBS's ``InputVolumeMeters``."""
        self._duck.meters(inputs, self._clock())
        self.look()

    def session(self, db: float | None) -> None:
        """What the session proposes, None for nothing."""
        self._duck.session_db = db
        self.look()

    def look(self) -> None:
        """Lower the music, or no longer, if it is time."""
        target_db = self._duck.target_db(self._clock())
        if self._rig.microphone and self._duck.by_hand is None:
            target_db = 0.0  # OBS does it
        if target_db != self.db:
            self._media.level("duck", target_db)
            self._on_change()
