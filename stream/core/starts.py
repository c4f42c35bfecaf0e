"""Where each suggested track is to be started: chosen once, and kept while the track is listed.

A place fits as well as the segment that begins there fits the pictures, a little better where a section begins. What
fits best moves with every second; somebody who has cued a place does not. So another place takes over only once it has
led by a margin for a long while. What is on air keeps its start: it has been used.
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


@dataclass(slots=True)
class _Kept:
    start_s: float
    lead_s: float = 0.0  # for so long another place has led


class Starts:
    """State: the start of each of the tracks listed lately, and for how long it has been behind."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def choose(self, candidate: Candidate, passed_s: float, on_air: bool = False) -> tuple[float, bool]:
        """Where to start a listed track, ``passed_s`` after the list before, and whether that is another place than it
        was then."""
        track = candidate.track.id
        kept = self._kept.get(track)
        places = candidate.places
        if places is None:  # nothing is known but the one
            return candidate.start_s, False
        worth = _worth(places)
        best = int(np.argmax(worth))
        if kept is None:
            self._keep(track, _Kept(float(places.starts_s[best])))
            return self._kept[track].start_s, False
        self._kept.move_to_end(track)
        now = int(np.argmin(np.abs(places.starts_s - kept.start_s)))
        led = worth[best] - worth[now] >= MARGIN and not on_air
        kept.lead_s = kept.lead_s + passed_s if led else 0.0
        if abs(float(places.starts_s[now]) - kept.start_s) <= SAME_S and kept.lead_s < DWELL_S:
            return kept.start_s, False
        self._keep(track, _Kept(float(places.starts_s[best])))
        return self._kept[track].start_s, True

    @property
    def kept(self) -> dict[str, float]:
        """Track -> where it is to be started, of those listed lately."""
        return {track: kept.start_s for track, kept in self._kept.items()}

    def forget(self) -> None:
        """The stream begins anew."""
        self._kept.clear()

    def _keep(self, track: str, kept: _Kept) -> None:
        self._kept[track] = kept
        self._kept.move_to_end(track)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def _worth(places: Places) -> NDArray[np.float32]:
    return np.asarray(places.fits + np.float32(BORDER_GAIN) * places.borders)
