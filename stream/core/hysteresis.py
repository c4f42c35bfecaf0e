"""Which track stands first, without flicker; `rows.py` holds the others.

The ranking moves every second; a person who plays music cannot. The first place therefore has an incumbent, and a
challenger takes it only when it leads by a margin for many seconds running, or by a very large one at once, or by one
between the two right after a cut, when a change of music is least noticed; and a new incumbent is left alone for some
seconds. Scores are smoothed over time first, together with their parts: the clips of a window change from hop to hop,
and with them every score a little. What is added to a score (taste, history, speech) is not smoothed, and the smoothed
parts are weighed and steered anew each hop, so that a viewer's wish shows at once.

When a new scene began, or a viewer changed a wish, the incumbent is easier to replace (``ease``): for some
seconds, and until it is replaced once, a lead of the margin must only last for ``eased_dwell_s``.

*Conventions*: scores in [0, 1], margins in the same unit; seconds of media time, however far apart the hops are. One
call of ``place`` is one hop. The numbers were chosen on 40 steady and 40 joined scenes of the studio, others than
``segue bench live`` measures, with a hop a second: 0.75 changes of the first place a minute on a steady scene (2.7 with
a margin of 0.03 for 4 s), the new scene's style listed 3 s after a join; since the rows hold still as well, 4 s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from .events import Reasons, Weights
from .ranking import Ranked, best_first, totals
from .rows import ON_AIR, PINNED, SCENE, WISH, Row, RowOptions, Rows

MOST_S: Final = 2.0  # the longest time that one hop stands for
STAY: Final = "stay"
COULD_SWITCH: Final = "could switch"
SWITCH: Final = "switch"


@dataclass(frozen=True, slots=True)
class HysteresisOptions:
    """``margin`` for ``dwell_s`` running, ``large`` at once, ``after_cut`` in the two seconds after a cut. ``hold_s``:
    for so long after it took the first place, only a large lead displaces an incumbent. ``past``: the share of the
    score of a second ago in a smoothed one. ``eased_s``: for so long it is easier to replace the incumbent, a lead of
    ``margin`` for ``eased_dwell_s`` being enough; ``opening_s``: the same from the first list on, which rests on a
    second of pictures. ``on_air_s``: for so long a track on air is not displaced at all. ``rows``: what holds the
    others.
    """

    margin: float = 0.08
    dwell_s: float = 12.0
    large: float = 0.3
    after_cut: float = 0.1
    hold_s: float = 12.0
    past: float = 0.5
    eased_s: float = 4.0
    eased_dwell_s: float = 3.0
    opening_s: float = 8.0
    on_air_s: float = 20.0
    rows: RowOptions = field(default_factory=RowOptions)


@dataclass(frozen=True, slots=True)
class Placed:
    """The rows to publish, why they differ from the ones before (empty where they do not), and the advice: to stay with
    what is on air (or first); that one could switch, since the best is ahead of it by more than ``margin``, but not yet
    for long; or to switch to the first of the list."""

    advice: str
    rows: tuple[Row, ...]
    changed: str = ""


class Hysteresis:
    """State: the incumbent of the first place and for how long, how long each challenger has led, the smoothed scores
    of the last hop, the rows, why they are to be arranged anew, and for how long the incumbent is still easy to
    replace; times in seconds."""

    def __init__(self, options: HysteresisOptions, size: int) -> None:
        self._options = options
        self._rows = Rows(options.rows, size)
        self._incumbent: str | None = None
        self._playing: str | None = None
        self._pinned: str | None = None
        self._held_s = self._aired_s = 0.0
        self._leads: dict[str, float] = {}
        self._before: dict[str, Ranked] = {}
        self._eased_s = options.opening_s
        self._cause = ""

    @property
    def incumbent(self) -> str | None:
        return self._incumbent

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks of the newest list, first to last."""
        return self._rows.tracks

    def reset(self) -> None:
        """Forget the ranking: the stream begins anew. What is on air still is."""
        self._incumbent, self._held_s, self._leads = self._playing, 0.0, {}
        self._before, self._eased_s, self._cause = {}, self._options.opening_s, ""
        self._rows.clear()

    def ease(self, anew: bool) -> None:
        """The ranking is about to change for a reason: a new scene (``anew``; the scores so far are forgotten), or a
        wish."""
        self._eased_s = self._options.eased_s
        self._cause = SCENE if anew else WISH
        if anew:
            self._before = {}

    def place(
        self,
        ranked: Sequence[Ranked],
        cut: bool,
        playing: str | None = None,
        pinned: str | None = None,
        weights: Weights | None = None,
        passed_s: float = 1.0,
    ) -> Placed:
        """The list for this hop, ``passed_s`` after the one before. ``ranked`` is best first, without the tracks that
        were skipped.

        ``playing`` is the track on air, if known: it takes the first place when it starts, and the advice is
        "switch" for as long as another track stands there. With nothing on air the advice is "switch" in the hop in
        which the first place changes. ``pinned`` stands first whatever its score. A track on air that is not among
        ``ranked`` counts as its last. ``weights`` are those that the scores were made with.
        """
        passed_s = min(passed_s, MOST_S)
        self._aired_s = self._aired_s + passed_s if playing == self._playing else 0.0
        if playing != self._playing:
            self._playing, self._leads, self._eased_s = playing, {}, 0.0
            if playing is not None and playing != self._incumbent:
                self._incumbent, self._held_s = playing, 0.0
                self._cause = WISH
        if pinned != self._pinned:
            self._pinned, self._cause = pinned, WISH
        if not ranked:
            self._leads, self._before = {}, {}
            self._rows.clear()
            return Placed(STAY, ())
        past = self._options.past**passed_s
        weights = weights or Weights()
        ranked = best_first(self._smooth(ranked, weights, past))
        self._before = {entry.candidate.track.id: entry for entry in ranked}
        ids = self._before.keys()
        before = self._incumbent
        incumbent = None if before is None else self._challenge(ranked, before, cut, passed_s)
        if incumbent is None or (incumbent not in ids and incumbent != playing):
            incumbent, self._leads = ranked[0].candidate.track.id, {}
        if pinned is not None and pinned in ids:
            incumbent = pinned
        self._held_s = passed_s + (self._held_s if incumbent == before else 0.0)
        self._eased_s = max(0.0, self._eased_s - passed_s) if incumbent == before or before is None else 0.0
        self._incumbent = incumbent
        cause, self._cause = self._cause, ""
        reasons = {track: word for track, word in ((playing, ON_AIR), (pinned, PINNED)) if track is not None}
        rows, changed = self._rows.arrange(ranked, incumbent, passed_s, cause, reasons)
        return Placed(self._advice(incumbent, before, playing, pinned), rows, changed)

    def _advice(self, incumbent: str, before: str | None, playing: str | None, pinned: str | None) -> str:
        if incumbent != (playing if playing is not None else before):
            return SWITCH
        scores = {track: entry.score for track, entry in self._before.items()}
        lead = max(scores.values()) - scores.get(incumbent, min(scores.values()))
        return COULD_SWITCH if lead > self._options.margin and incumbent != pinned else STAY

    def _challenge(self, ranked: Sequence[Ranked], incumbent: str, cut: bool, passed_s: float) -> str:
        """The incumbent after this hop: the present one, or the best of those that may take its place."""
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
        if incumbent == self._playing and self._aired_s < self._options.on_air_s:
            self._leads = leads
            return incumbent
        if lead >= self._options.large or ((eased or self._held_s >= self._options.hold_s) and (patient or timely)):
            self._leads = {}
            return best
        self._leads = leads
        return incumbent

    def _smooth(self, ranked: Sequence[Ranked], weights: Weights, past: float) -> list[Ranked]:
        """Smooth the parts; the score stays their weighted mean and what is added. An entry that is new is as it is."""
        rest = 1.0 - past
        pairs = [(self._before.get(entry.candidate.track.id), entry) for entry in ranked]
        reasons = [
            entry.reasons if before is None else _mixed(past, before.reasons, rest, entry.reasons)
            for before, entry in pairs
        ]
        adjusts, shares, steers = zip(*[(e.adjust, e.share, e.steer_score) for e in ranked], strict=True)
        scores = totals(reasons, weights, adjusts, shares, steers)
        return [
            entry
            if before is None
            else Ranked(entry.candidate, score, parts, entry.adjust, entry.share, entry.steer_score)
            for (before, entry), parts, score in zip(pairs, reasons, scores, strict=True)
        ]


def _mixed(past: float, old: Reasons, rest: float, new: Reasons) -> Reasons:
    return Reasons(
        past * old.content + rest * new.content,
        past * old.rhythm + rest * new.rhythm,
        past * old.mood + rest * new.mood,
    )
