"""A track that sounds in OBS, and where in it OBS is."""

from dataclasses import dataclass

from catalog.records import Track

from .cut import Cut
from .errors import ObsError


@dataclass(slots=True)
class Sounding:
    """A track that sounds: it was at ``from_s`` at ``at_s`` by the clock. ``asked_s``: where it was to start."""

    track: Track
    cut: Cut
    source: str
    asked_s: float
    from_s: float
    at_s: float
    paused: bool = False

    def place_s(self, now_s: float) -> float:
        return max(0.0, self.from_s if self.paused else self.from_s + now_s - self.at_s)

    def stands_at(self, place_s: float, now_s: float, paused: bool) -> None:
        self.from_s, self.at_s, self.paused = place_s, now_s, paused


class OvertakenError(ObsError):
    """A newer request has taken this one's place."""
