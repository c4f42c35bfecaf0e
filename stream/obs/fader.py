"""The levels of OBS's two music sources, in dB: what is asked for, and small steps on the way there.

OBS changes a source's volume at once, so a jump is heard as a click. A step of half a dB is not: -62 dB beside the
music's own level (measured; a step of 12 dB: -30). A source that is not heard may jump.
"""

from collections.abc import Iterable
from typing import Final

STEP_DB: Final = 0.5
TICK_S: Final = 0.02  # between steps: OBS mixes blocks of 21 ms
SILENT_DB: Final = -60.0  # from here down it is silence
MUTE_DB: Final = -100.0  # the least that OBS takes
MOST_DB: Final = 0.0  # louder than the cut never


class Fader:
    """``shared`` parts (the volume, a scene's rule, ducking) count for every source, ``own`` for one; they add up."""

    def __init__(self, sources: Iterable[str]) -> None:
        self.shared: dict[str, float] = {}
        self.own = dict.fromkeys(sources, 0.0)
        self.now = dict.fromkeys(self.own, 0.0)

    def target(self, source: str) -> float:
        """Where the level of a source goes."""
        level = min(MOST_DB, sum(self.shared.values()) + self.own[source])
        return MUTE_DB if level <= SILENT_DB else level

    @property
    def settled(self) -> bool:
        return all(self.now[source] == self.target(source) for source in self.now)

    def jump(self, source: str, own_db: float = 0.0) -> float:
        """The level for a source that is not heard now, which it has from now on."""
        self.own[source] = own_db
        self.now[source] = self.target(source)
        return self.now[source]

    def step(self) -> dict[str, float]:
        """The next levels, of the sources whose level changes."""
        changed = {}
        for source, level in self.now.items():
            target = self.target(source)
            if level != target:
                changed[source] = self.now[source] = _towards(level, target)
        return changed


def _towards(level: float, target: float) -> float:
    begin, end = max(level, SILENT_DB), max(target, SILENT_DB)
    if abs(end - begin) <= STEP_DB:
        return target
    return begin + STEP_DB if end > begin else begin - STEP_DB
