"""One stretch of music on air: where in the track it is, and whether a new report goes on with it."""

from dataclasses import dataclass
from typing import Final

JUMP_S: Final = 0.5  # a report further off than this is a jump; players' own reports are off by up to 0.2 s


@dataclass(slots=True)
class Playing:
    """``number``: of its cue. ``position_s`` is where in the track it was at ``pts_s``, None where nobody said."""

    number: int
    track: str
    begun_s: float
    pts_s: float
    position_s: float | None

    def place_s(self, pts_s: float) -> float | None:
        """Where in the track it is at a time of the session."""
        return None if self.position_s is None else self.position_s + pts_s - self.pts_s

    def goes_on(self, track: str, position_s: float | None, pts_s: float) -> bool:
        """Whether a report is about the same stretch; it then counts from there on."""
        place_s = self.place_s(pts_s)
        if track != self.track:
            return False
        if position_s is not None:
            if place_s is not None and abs(position_s - place_s) > JUMP_S:
                return False
            self.position_s, self.pts_s = position_s, pts_s
        return True

    def first_s(self, begun_s: float | None = None) -> float | None:
        """Where in the track it began, by the newest report."""
        return self.place_s(self.begun_s if begun_s is None else begun_s)
