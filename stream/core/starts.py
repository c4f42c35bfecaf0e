"""Where each suggested track is to be started: chosen once, and kept while the track is listed.

A place fits as well as the segment that begins there fits the pictures, a little better where a section begins. The
best place moves with every second; somebody who has cued one cannot follow. So another place takes over only once it
has led by a margin for a long while. What is on air keeps its start: it has been used.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate, Places

MARGIN: Final = 0.06  # of the cosine
DWELL_S: Final = 20.0
BORDER_GAIN: Final = 0.04  # what the surest border adds to the cosine
KEPT: Final = 128  # tracks, those listed last
SAME_S: Final = 0.05
_GAIN = np.float32(BORDER_GAIN)


@dataclass(slots=True)
class _Start:
    start_s: float
    lead_s: float = 0.0  # for so long another place has led
    among: NDArray[np.float32] | None = None  # the places that were looked at last
    at: int = 0  # the number of the one of them that is nearest to ``start_s``

    def nearest(self, starts_s: NDArray[np.float32]) -> int:
        """Its number among the places ``starts_s`` (m,), which are the same array from search to search."""
        if self.among is not starts_s:
            self.among, self.at = starts_s, int(np.abs(starts_s - self.start_s).argmin())
        return self.at


class Starts:
    """State: the start of each of the tracks listed lately, and for how long it has been behind."""

    def __init__(self) -> None:
        self._starts: OrderedDict[str, _Start] = OrderedDict()

    def choose(self, candidate: Candidate, passed_s: float, on_air: bool = False) -> tuple[float, bool]:
        """Where to start a listed track, ``passed_s`` after the previous list, and whether that place is new."""
        track = candidate.track.id
        start = self._starts.get(track)
        places = candidate.places
        if places is None:  # no other place is known
            return candidate.start_s, False
        scores = _scores(places)
        best = int(scores.argmax())
        if start is None:
            self._remember(track, _Start(float(places.starts_s[best])))
            return self._starts[track].start_s, False
        self._starts.move_to_end(track)
        now = start.nearest(places.starts_s)
        led = scores[best] - scores[now] >= MARGIN and not on_air
        start.lead_s = start.lead_s + passed_s if led else 0.0
        if abs(float(places.starts_s[now]) - start.start_s) <= SAME_S and start.lead_s < DWELL_S:
            return start.start_s, False
        self._remember(track, _Start(float(places.starts_s[best])))
        return self._starts[track].start_s, True

    @property
    def by_track(self) -> dict[str, float]:
        """Track -> where it is to be started, of those listed lately."""
        return {track: start.start_s for track, start in self._starts.items()}

    def forget(self) -> None:
        """The stream begins anew."""
        self._starts.clear()

    def _remember(self, track: str, start: _Start) -> None:
        self._starts[track] = start
        self._starts.move_to_end(track)
        if len(self._starts) > KEPT:
            self._starts.popitem(last=False)


def _scores(places: Places) -> NDArray[np.float32]:
    return np.asarray(places.fits + _GAIN * places.borders)
