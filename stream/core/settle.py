"""Which track stands first, without flicker.

The ranking moves every second; a person who plays music cannot. The first place therefore has a holder, and a
challenger takes it only when it leads by a margin for many seconds running, or by a very large one at once, or by one
between the two right after a cut, when a change of music is least noticed; and a new holder is left alone for some
seconds. Scores are smoothed over time first, together with their parts: the clips of a window change from hop to hop,
and with them every score a little. What is added to a score (taste, history, speech) is not smoothed, and the smoothed
parts are weighed anew each hop, so that what a viewer asks for shows at once.

When a new scene began, or a viewer asked for something else, the holder is easier to replace (``ease``): for some
seconds, and until it is replaced once, a lead of the margin must only last for ``eased_dwell_s``.

*Conventions*: scores in [0, 1], margins in the same unit; seconds of media time, however far apart the hops are. One
call of ``settle`` is one hop. The numbers were chosen on 40 steady and 40 joined scenes of the studio, others than
``segue bench live`` measures, with a hop a second: 0.75 changes of the first place a minute on a steady scene (2.7 with
a margin of 0.03 for 4 s), the new scene's style listed 3 s after a join.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .events import Reasons, Weights
from .ranking import Ranked, order, total

MOST_S: Final = 2.0  # that one hop speaks for; more was not looked at
STAY: Final = "stay"
SWITCH: Final = "switch"


@dataclass(frozen=True, slots=True)
class SettleOptions:
    """``margin`` for ``dwell_s`` running, ``large`` at once, ``after_cut`` in the two seconds after a cut. ``hold_s``:
    for so long after it took the first place, only a large lead displaces a holder. ``keep``: what a suggestion that is
    already on the list gains against a new one, for its place behind the first. ``past``: the share of what was a
    second ago in a smoothed score. ``eased_s``: for so long it is easier to replace the holder, a lead of ``margin``
    for ``eased_dwell_s`` being enough.
    """

    margin: float = 0.08
    dwell_s: float = 12.0
    large: float = 0.3
    after_cut: float = 0.1
    hold_s: float = 12.0
    keep: float = 0.01
    past: float = 0.5
    eased_s: float = 4.0
    eased_dwell_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Settled:
    """The list to publish, and whether to stay with what is on air (or first) or to switch to the first of the list."""

    advice: str
    ranked: tuple[Ranked, ...]


class Settle:
    """State: the holder of the first place and for how long, how long each challenger has led, the smoothed scores of
    the last hop, the ids on the last list, and for how long the holder is still easy to replace; all in seconds."""

    def __init__(self, options: SettleOptions, size: int) -> None:
        self._options = options
        self._size = size
        self._holder: str | None = None
        self._playing: str | None = None
        self._held_s = 0.0
        self._leads: dict[str, float] = {}
        self._before: dict[str, Ranked] = {}
        self._listed: frozenset[str] = frozenset()
        self._eased_s = 0.0

    @property
    def holder(self) -> str | None:
        return self._holder

    def reset(self) -> None:
        """Forget the ranking: the stream begins anew. What is on air still is."""
        self._holder, self._held_s, self._leads = self._playing, 0.0, {}
        self._before, self._listed, self._eased_s = {}, frozenset(), 0.0

    def ease(self, anew: bool) -> None:
        """The ranking is about to change for a reason. ``anew``: the scores of before say nothing of those to come."""
        self._eased_s = self._options.eased_s
        if anew:
            self._before = {}

    def settle(
        self,
        ranked: Sequence[Ranked],
        cut: bool,
        playing: str | None = None,
        pinned: str | None = None,
        weights: Weights | None = None,
        passed_s: float = 1.0,
    ) -> Settled:
        """The list for this hop, ``passed_s`` after the one before. ``ranked`` is best first, without the tracks that
        were skipped.

        ``playing`` is the track on air, if somebody said so: it takes the first place when it starts, and the advice is
        "switch" for as long as another track stands there. With nothing on air the advice is "switch" in the hop in
        which the first place changes. ``pinned`` stands first whatever its score. A track on air that is not among
        ``ranked`` counts as its last. ``weights`` are those that the scores were made with.
        """
        passed_s = min(passed_s, MOST_S)
        if playing != self._playing:
            self._playing, self._leads, self._eased_s = playing, {}, 0.0
            if playing is not None and playing != self._holder:
                self._holder, self._held_s = playing, 0.0
        if not ranked:
            self._leads, self._before = {}, {}
            return Settled(STAY, ())
        past = self._options.past**passed_s
        ranked = sorted((self._smoothed(entry, weights or Weights(), past) for entry in ranked), key=order)
        self._before = {entry.candidate.track.id: entry for entry in ranked}
        ids = {entry.candidate.track.id for entry in ranked}
        before = self._holder
        holder = None if before is None else self._challenge(ranked, before, cut, passed_s)
        if holder is None or (holder not in ids and holder != playing):
            holder, self._leads = ranked[0].candidate.track.id, {}
        if pinned is not None and pinned in ids:
            holder = pinned
        self._held_s = passed_s + (self._held_s if holder == before else 0.0)
        self._eased_s = max(0.0, self._eased_s - passed_s) if holder == before else 0.0
        self._holder = holder
        stays = holder == (playing if playing is not None else before)
        shown = tuple(sorted(ranked, key=lambda entry: self._place(entry, holder))[: self._size])
        self._listed = frozenset(entry.candidate.track.id for entry in shown)
        return Settled(STAY if stays else SWITCH, shown)

    def _challenge(self, ranked: Sequence[Ranked], incumbent: str, cut: bool, passed_s: float) -> str:
        """The holder after this hop: the incumbent, or the best of those who may take its place."""
        scores = {entry.candidate.track.id: entry.score for entry in ranked}
        floor = scores.get(incumbent, ranked[-1].score)
        ahead = {track: score - floor for track, score in scores.items() if track != incumbent}
        leading = [track for track, lead in ahead.items() if lead >= self._options.margin]
        leads = {track: self._leads.get(track, 0.0) + passed_s for track in leading}
        best = ranked[0].candidate.track.id
        if best == incumbent:
            self._leads = leads
            return incumbent
        lead = ahead[best]
        eased = self._eased_s > 0
        patient = leads.get(best, 0.0) >= (self._options.eased_dwell_s if eased else self._options.dwell_s)
        timely = cut and lead >= self._options.after_cut
        if lead >= self._options.large or ((eased or self._held_s >= self._options.hold_s) and (patient or timely)):
            self._leads = {}
            return best
        self._leads = leads
        return incumbent

    def _smoothed(self, entry: Ranked, weights: Weights, past: float) -> Ranked:
        """The parts are smoothed, the score is made of them: it stays their weighted mean and what is added."""
        before = self._before.get(entry.candidate.track.id)
        if before is None:
            return entry
        old, new = before.reasons, entry.reasons
        pairs = (old.content, new.content), (old.rhythm, new.rhythm), (old.mood, new.mood)
        reasons = Reasons(*(past * one + (1.0 - past) * other for one, other in pairs))
        return Ranked(entry.candidate, total(reasons, weights, entry.adjust), reasons, entry.adjust)

    def _place(self, entry: Ranked, holder: str) -> tuple[bool, float, str]:
        track = entry.candidate.track.id
        score, _ = order(entry)
        return track != holder, score - (self._options.keep if track in self._listed else 0.0), track
