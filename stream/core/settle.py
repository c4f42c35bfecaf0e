"""Which track stands first, without flicker.

The ranking moves every second; a person who plays music cannot. The first place therefore has a holder, and a
challenger takes it only when it leads by a margin for several hops running, or by a large margin at once, or by a small
margin right after a cut, when a change of music is least noticed; and a new holder is left alone for some hops. Scores
are smoothed over the hops first, together with their parts: the clips of a window change from hop to hop, and with them
every score a little.

*Conventions*: scores in [0, 1], margins in the same unit. One call of ``settle`` is one hop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .events import Reasons
from .ranking import Ranked, order

STAY: Final = "stay"
SWITCH: Final = "switch"


@dataclass(frozen=True, slots=True)
class SettleOptions:
    """``margin`` for ``dwell`` hops running, ``large`` at once, ``after_cut`` in a hop with a cut or the one after it.
    ``hold``: for so many hops after it took the first place, only a large lead displaces a holder. ``keep``: what a
    suggestion that is already on the list gains against a new one, for its place behind the first. ``past``: the share
    of the hop before in a smoothed score.
    """

    margin: float = 0.03
    dwell: int = 4
    large: float = 0.12
    after_cut: float = 0.015
    hold: int = 6
    keep: float = 0.01
    past: float = 0.5


@dataclass(frozen=True, slots=True)
class Settled:
    """The list to publish, and whether to stay with what is on air (or first) or to switch to the first of the list."""

    advice: str
    ranked: tuple[Ranked, ...]


class Settle:
    """State: the holder of the first place and for how many hops, how long each challenger has led, the smoothed scores
    of the last hop, and the ids on the last list."""

    def __init__(self, options: SettleOptions, size: int) -> None:
        self._options = options
        self._size = size
        self._holder: str | None = None
        self._playing: str | None = None
        self._held = 0
        self._leads: dict[str, int] = {}
        self._before: dict[str, Ranked] = {}
        self._listed: frozenset[str] = frozenset()

    @property
    def holder(self) -> str | None:
        return self._holder

    def reset(self) -> None:
        """Forget the ranking: the stream begins anew. What is on air still is."""
        self._holder, self._held, self._leads = self._playing, 0, {}
        self._before, self._listed = {}, frozenset()

    def settle(
        self, ranked: Sequence[Ranked], cut: bool, playing: str | None = None, pinned: str | None = None
    ) -> Settled:
        """The list for this hop. ``ranked`` is best first, without the tracks that were skipped.

        ``playing`` is the track on air, if somebody said so: it takes the first place when it starts, and the advice is
        "switch" for as long as another track stands there. With nothing on air the advice is "switch" in the hop in
        which the first place changes. ``pinned`` stands first whatever its score. A track on air that is not among
        ``ranked`` counts as its last.
        """
        if playing != self._playing:
            self._playing, self._leads = playing, {}
            if playing is not None and playing != self._holder:
                self._holder, self._held = playing, 0
        if not ranked:
            self._leads, self._before = {}, {}
            return Settled(STAY, ())
        ranked = sorted((self._smoothed(entry) for entry in ranked), key=order)
        self._before = {entry.candidate.track.id: entry for entry in ranked}
        ids = {entry.candidate.track.id for entry in ranked}
        before = self._holder
        holder = None if before is None else self._challenge(ranked, before, cut)
        if holder is None or (holder not in ids and holder != playing):
            holder, self._leads = ranked[0].candidate.track.id, {}
        if pinned is not None and pinned in ids:
            holder = pinned
        self._held = self._held + 1 if holder == before else 1
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
        patient = leads.get(best, 0) >= self._options.dwell
        timely = cut and lead >= self._options.after_cut
        if lead >= self._options.large or (self._held >= self._options.hold and (patient or timely)):
            self._leads = {}
            return best
        self._leads = leads
        return incumbent

    def _smoothed(self, entry: Ranked) -> Ranked:
        """The score is linear in its parts, so it stays their weighted mean when all are smoothed alike."""
        before = self._before.get(entry.candidate.track.id)
        if before is None:
            return entry
        old, new = before.reasons, entry.reasons
        reasons = Reasons(
            self._blend(old.content, new.content), self._blend(old.rhythm, new.rhythm), self._blend(old.mood, new.mood)
        )
        return Ranked(entry.candidate, self._blend(before.score, entry.score), reasons)

    def _blend(self, before: float, now: float) -> float:
        return self._options.past * before + (1.0 - self._options.past) * now

    def _place(self, entry: Ranked, holder: str) -> tuple[bool, float, str]:
        track = entry.candidate.track.id
        score, _ = order(entry)
        return track != holder, score - (self._options.keep if track in self._listed else 0.0), track
