"""What the deck works with: the catalogue, a session, its settings, and a track that waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from catalog.records import Outline, Track

from .leaving import Item
from .rules import SceneRule


class Shelf(Protocol):
    """The part of a ``Catalog`` that the deck needs."""

    def track(self, id: str) -> Track: ...
    def gain(self, id: str) -> float | None: ...
    def outline(self, id: str) -> Outline | None: ...


class Host(Protocol):
    """The deck's seat in a session."""

    newest: Item | None  # the newest suggestions, as on the wire
    auto: bool

    @property
    def asked(self) -> Item | None:
        """The wishes as they stand, as in a list; the newest list has those of its time. None before the first one."""

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a command as a viewer of the session."""


@dataclass(frozen=True)
class DeckOptions:
    """``fade_s``: of a crossfade. ``level_db``: of the music, beside the common loudness. ``vod_track`` and
    ``microphone``: see `Rig`. ``rules`` by the scenes' names."""

    fade_s: float = 1.0
    level_db: float = -10.0  # at the common loudness itself music drowns a voice
    vod_track: int = 2
    microphone: str = ""
    rules: Mapping[str, SceneRule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """A track that does not sound, and where it is to go on."""

    track: str
    place_s: float
