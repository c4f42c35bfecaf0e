"""What is added to a candidate's score, or taken off: for taste, for what was on air lately, and while somebody speaks.

State: the profiles of the tracks that were liked or skipped, and what was on air.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate, is_vocal
from features.spec import WINDOW_S

from .history import History
from .preferences import Preferences
from .speech import VOCAL_PENALTY
from .taste import Profiles, by_track, profiles, pull

Floats = NDArray[np.float64]

VOCALS_ALL: Final = 0.5  # of the seconds: a voice in half of them counts as full vocals
LIKED: Final = 0.02  # taste that adds less to a score is not mentioned


class Adjustments:
    """``alike``: newest candidate that gains by taste -> the liked track that it is most like."""

    def __init__(self) -> None:
        self.profiles = Profiles()
        self.history = History()
        self.alike: dict[str, str] = {}

    def know(self, candidates: Sequence[Candidate], tracks: Sequence[str], all_of_them: bool) -> None:
        """Remember the profiles of ``tracks``; ``all_of_them``: a track that is not among ``candidates`` is not in the
        catalogue."""
        profiles_by_track = by_track(candidates)
        for track in tracks:
            if all_of_them or track in profiles_by_track:
                self.profiles.keep(track, profiles_by_track.get(track))

    def of(
        self,
        candidates: Sequence[Candidate],
        wishes: Preferences,
        playing: str | None,
        now_s: float,
        speaks: bool,
        begins_s: Mapping[str, float] | None = None,
    ) -> Floats:
        """(n,) at ``now_s`` seconds since the session began; ``speaks``: somebody speaks; ``begins_s``: where each
        track would start to play, if not at ``start_s``."""
        if not (len(self.history) or speaks or wishes.liked or wishes.skipped):
            self.alike = {}
            return np.zeros(len(candidates))
        begins_s = begins_s or {}
        tastes = pull(candidates, self.profiles, wishes.liked, wishes.skipped)
        self._update_alike(candidates, wishes, tastes)
        past = [0.0 if c.track.id == playing else self.history.penalty(c.track.id, now_s) for c in candidates]
        voices = [VOCAL_PENALTY * vocals_of(c, begins_s.get(c.track.id)) if speaks else 0.0 for c in candidates]
        return np.asarray(tastes - np.array(past) - np.array(voices))

    def _update_alike(self, candidates: Sequence[Candidate], wishes: Preferences, tastes: Floats) -> None:
        self.alike = {}
        gaining = [c for c, gain in zip(candidates, tastes.tolist(), strict=True) if gain > LIKED]
        gaining = [c for c in gaining if c.track.id not in wishes.liked]
        if not gaining or not wishes.liked:
            return
        pool = profiles(gaining)
        known = {track: self.profiles.of((track,), pool.shape[1]) for track in wishes.liked}
        liked = [track for track, rows in known.items() if len(rows)]
        if liked:
            nearest = np.argmax(pool @ np.concatenate([known[track] for track in liked]).T, axis=1)
            self.alike = {c.track.id: liked[at] for c, at in zip(gaining, nearest.tolist(), strict=True)}


def vocals_of(candidate: Candidate, begin_s: float | None = None) -> float:
    """[0, 1]: how much somebody sings or speaks in what would play from ``begin_s`` (else ``start_s``) on; 1 from
    ``VOCALS_ALL`` on. Without measured vocals it is 0 or 1, by the tags; 0 where the user says that nobody does."""
    vocals = None if candidate.outline is None else candidate.outline.vocals
    if vocals is None or not len(vocals) or candidate.track.sung is False:
        return float(is_vocal(candidate.track))
    begin = min(int(candidate.start_s if begin_s is None else max(0.0, begin_s)), len(vocals) - 1)
    return min(1.0, float(vocals[begin : begin + WINDOW_S].mean()) / (100.0 * VOCALS_ALL))
