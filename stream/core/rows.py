"""The rows of the list, which hold still while little changes.

Scores move every second, and an editor reads a list. So the rows are arranged once, best first, and then stay as they
are: the same tracks in the same order. They are arranged anew

* when a viewer changed a wish, or a track of the list is gone: at once;
* when the first place changes hands (`hysteresis.py`): at once;
* when a new scene began: at once, and once more when twice as much of it was shown;
* when a lead lasts: a track outside of the list is ahead of one inside it, or one row of another above it, by
  ``row_margin`` for ``row_dwell_s``, and the rows have stood for ``rest_s``.

Between, each row shows its own score as it stands now, unless a row below it has the higher one: then it is shown with
that score, marked as held, and with how much it was lifted. So the list is always in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .ranking import Ranked

SCENE: Final = "scene"
LEAD: Final = "lead"
WISH: Final = "wish"
GONE: Final = "gone"
ON_AIR: Final = "on air"
PINNED: Final = "pinned"
PLACE: Final = "place"


@dataclass(frozen=True, slots=True)
class RowOptions:
    """Scores in [0, 1], seconds of media time. ``again_s`` after the first rows of a scene, a lead of ``again_margin``
    is enough. Chosen on joined, steady and cut scenes of the studio and on nine real clips."""

    row_margin: float = 0.05
    row_dwell_s: float = 8.0
    rest_s: float = 12.0
    again_s: float = 2.0
    again_margin: float = 0.03


@dataclass(frozen=True, slots=True)
class Row:
    """An entry and the score that it is shown with, at least its own. ``held``: why it is shown with more, else
    empty."""

    entry: Ranked
    score: float
    held: str = ""

    @property
    def lift(self) -> float:
        """How much more."""
        return self.score - self.entry.score


class Rows:
    """State: the tracks shown, in order; for how long they have stood, and for how long a lead has lasted."""

    def __init__(self, options: RowOptions, size: int) -> None:
        self._options = options
        self._size = size
        self.tracks: tuple[str, ...] = ()
        self._stood_s = self._lasted_s = self._again_s = 0.0

    def clear(self) -> None:
        """The next list is the first."""
        self.tracks, self._stood_s, self._lasted_s, self._again_s = (), 0.0, 0.0, 0.0

    def arrange(
        self,
        ranked: Sequence[Ranked],
        first: str,
        passed_s: float,
        cause: str = "",
        reasons: Mapping[str, str] | None = None,
    ) -> tuple[tuple[Row, ...], str]:
        """The rows, and why they differ from the ones before (empty where they do not). ``ranked`` is best first;
        ``first`` holds the first place. ``cause``: why the rows are to be arranged anew whatever the scores are.
        ``reasons``: why a track is held where it is, if not for its place."""
        by_id = {entry.candidate.track.id: entry for entry in ranked}
        self._stood_s += passed_s
        best = self._best(ranked, first)
        cause = self._cause(by_id, first, passed_s, cause)
        before = self.tracks
        if cause:
            self.tracks = best
            self._lasted_s = 0.0
            if best != before:
                self._stood_s = 0.0
        rows = _lift_scores([by_id[track] for track in self.tracks], reasons or {})
        return rows, cause if self.tracks != before else ""

    def _best(self, ranked: Sequence[Ranked], first: str) -> tuple[str, ...]:
        ids = [entry.candidate.track.id for entry in ranked]
        if first in ids:
            ids.remove(first)
            ids.insert(0, first)
        return tuple(ids[: self._size])

    def _cause(self, by_id: Mapping[str, Ranked], first: str, passed_s: float, cause: str) -> str:
        """Why the rows are arranged anew in this hop; empty if they are not."""
        again = 0.0 < self._again_s <= passed_s
        self._again_s = max(0.0, self._again_s - passed_s)
        if cause or not self.tracks:
            self._again_s = self._options.again_s if cause in ("", SCENE) else 0.0
            return cause or SCENE
        if any(track not in by_id for track in self.tracks):
            return GONE
        if first in by_id and self.tracks[0] != first:
            return LEAD
        if len(self.tracks) < min(self._size, len(by_id)):
            return LEAD
        lead = self._lead(by_id, first)
        if again and lead >= self._options.again_margin:
            return SCENE
        lasts = lead >= self._options.row_margin
        self._lasted_s = self._lasted_s + passed_s if lasts else 0.0
        return LEAD if self._lasted_s >= self._options.row_dwell_s and self._stood_s >= self._options.rest_s else ""

    def _lead(self, by_id: Mapping[str, Ranked], first: str) -> float:
        """The largest lead over a row by a lower one or a track outside of the list; the first place does not count."""
        scores = [by_id[track].score for track in self.tracks if track != first]
        others = [entry.score for track, entry in by_id.items() if track not in self.tracks]
        best_below, largest = max(others, default=0.0), 0.0
        for score in reversed(scores):
            largest = max(largest, best_below - score)
            best_below = max(best_below, score)
        return largest


def _lift_scores(entries: Sequence[Ranked], reasons: Mapping[str, str]) -> tuple[Row, ...]:
    """Rows whose scores do not rise from one to the next."""
    rows: list[Row] = []
    floor = 0.0
    for entry in reversed(entries):
        floor = max(floor, entry.score)
        why = reasons.get(entry.candidate.track.id, PLACE) if floor > entry.score else ""
        rows.append(Row(entry, floor, why))
    return tuple(reversed(rows))
