"""Which track stands first, without flicker.

The ranking moves every second; a person who plays music cannot. The first place therefore has a holder, and a
challenger takes it only when it leads by a margin for many hops running, or by a very large one at once, or by one
between the two right after a cut, when a change of music is least noticed; and a new holder is left alone for some
hops. Scores are smoothed over the hops first, together with their parts: the clips of a window change from hop to hop,
and with them every score a little. What is added to a score (taste, history, speech) is not smoothed, and the smoothed
parts are weighed anew each hop, so that what a viewer asks for shows at once.

When a new scene began, or a viewer asked for something else, the holder is easier to replace (``ease``): for some hops,
and until it is replaced once, a lead of the margin must only last for ``eased_dwell`` hops.

*Conventions*: scores in [0, 1], margins in the same unit. One call of ``settle`` is one hop. The numbers were chosen on
40 steady and 40 joined scenes of the studio, others than ``segue bench live`` measures: 0.75 changes of the first
place a minute on a steady scene (2.7 with a margin of 0.03 for 4 hops), the new scene's style listed 3 s after a join.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .events import Reasons, Weights
from .ranking import Ranked, order, total

STAY: Final = "stay"
SWITCH: Final = "switch"


@dataclass(frozen=True, slots=True)
class SettleOptions:
    """``margin`` for ``dwell`` hops running, ``large`` at once, ``after_cut`` in a hop with a cut or the one after it.
    ``hold``: for so many hops after it took the first place, only a large lead displaces a holder. ``keep``: what a
    suggestion that is already on the list gains against a new one, for its place behind the first. ``past``: the share
    of the hop before in a smoothed score. ``eased``: for so many hops it is easier to replace the holder, a lead of
    ``margin`` for ``eased_dwell`` hops being enough.
    """

    margin: float = 0.08
    dwell: int = 12
    large: float = 0.3
    after_cut: float = 0.1
    hold: int = 12
    keep: float = 0.01
    past: float = 0.5
    eased: int = 4
    eased_dwell: int = 3


@dataclass(frozen=True, slots=True)
class Settled:
    """The list to publish, and whether to stay with what is on air (or first) or to switch to the first of the list."""

    advice: str
    ranked: tuple[Ranked, ...]


class Settle:
    """State: the holder of the first place and for how many hops, how long each challenger has led, the smoothed scores
    of the last hop, the ids on the last list, and for how many hops more the holder is easy to replace."""

    def __init__(self, options: SettleOptions, size: int) -> None:
        self._options = options
        self._size = size
        self._holder: str | None = None
        self._playing: str | None = None
        self._held = 0
        self._leads: dict[str, int] = {}
        self._before: dict[str, Ranked] = {}
        self._listed: frozenset[str] = frozenset()
        self._eased = 0

    @property
    def holder(self) -> str | None:
        return self._holder

    def reset(self) -> None:
        """Forget the ranking: the stream begins anew. What is on air still is."""
        self._holder, self._held, self._leads = self._playing, 0, {}
        self._before, self._listed, self._eased = {}, frozenset(), 0

    def ease(self, anew: bool) -> None:
        """The ranking is about to change for a reason. ``anew``: the scores of before say nothing of those to come."""
        self._eased = self._options.eased
        if anew:
            self._before = {}

    def settle(
        self,
        ranked: Sequence[Ranked],
        cut: bool,
        playing: str | None = None,
        pinned: str | None = None,
        weights: Weights | None = None,
    ) -> Settled:
        """The list for this hop. ``ranked`` is best first, without the tracks that were skipped.

        ``playing`` is the track on air, if somebody said so: it takes the first place when it starts, and the advice is
        "switch" for as long as another track stands there. With nothing on air the advice is "switch" in the hop in
        which the first place changes. ``pinned`` stands first whatever its score. A track on air that is not among
        ``ranked`` counts as its last. ``weights`` are those that the scores were made with.
        """
        if playing != self._playing:
            self._playing, self._leads, self._eased = playing, {}, 0
            if playing is not None and playing != self._holder:
                self._holder, self._held = playing, 0
        if not ranked:
            self._leads, self._before = {}, {}
            return Settled(STAY, ())
        ranked = sorted((self._smoothed(entry, weights or Weights()) for entry in ranked), key=order)
        self._before = {entry.candidate.track.id: entry for entry in ranked}
        ids = {entry.candidate.track.id for entry in ranked}
        before = self._holder
        holder = None if before is None else self._challenge(ranked, before, cut)
        if holder is None or (holder not in ids and holder != playing):
            holder, self._leads = ranked[0].candidate.track.id, {}
        if pinned is not None and pinned in ids:
            holder = pinned
        self._held = self._held + 1 if holder == before else 1
        self._eased = max(0, self._eased - 1) if holder == before else 0
        self._holder = holder
        stays = holder == (playing if playing is not None else before)
        shown = tuple(sorted(ranked, key=lambda entry: self._place(entry, holder))[: self._size])
        self._listed = frozenset(entry.candidate.track.id for entry in shown)
        return Settled(STAY if stays else SWITCH, shown)

    def _challenge(self, ranked: Sequence[Ranked], incumbent: str, cut: bool) -> str:
        """The holder after this hop: the incumbent, or the best of those who may take its place."""
        scores = {entry.candidate.track.id: entry.score for entry in ranked}
        floor = scores.get(incumbent, ranked[-1].score)
        ahead = {track: score - floor for track, score in scores.items() if track != incumbent}
        leads = {track: self._leads.get(track, 0) + 1 for track, lead in ahead.items() if lead >= self._options.margin}
        best = ranked[0].candidate.track.id
        if best == incumbent:
            self._leads = leads
            return incumbent
        lead = ahead[best]
        eased = self._eased > 0
        patient = leads.get(best, 0) >= (self._options.eased_dwell if eased else self._options.dwell)
        timely = cut and lead >= self._options.after_cut
        if lead >= self._options.large or ((eased or self._held >= self._options.hold) and (patient or timely)):
            self._leads = {}
            return best
        self._leads = leads
        return incumbent

    def _smoothed(self, entry: Ranked, weights: Weights) -> Ranked:
        """The parts are smoothed, the score is made of them: it stays their weighted mean and what is added."""
        before = self._before.get(entry.candidate.track.id)
        if before is None:
            return entry
        old, new = before.reasons, entry.reasons
        reasons = Reasons(
            self._blend(old.content, new.content), self._blend(old.rhythm, new.rhythm), self._blend(old.mood, new.mood)
        )
        return Ranked(entry.candidate, total(reasons, weights, entry.adjust), reasons, entry.adjust)

    def _blend(self, before: float, now: float) -> float:
        return self._options.past * before + (1.0 - self._options.past) * now

    def _place(self, entry: Ranked, holder: str) -> tuple[bool, float, str]:
        track = entry.candidate.track.id
        score, _ = order(entry)
        return track != holder, score - (self._options.keep if track in self._listed else 0.0), track
