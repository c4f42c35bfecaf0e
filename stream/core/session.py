"""One live input, without a clock, a socket or a loop: features and answers in, events out.

A hop falls due at each whole second of media time (every few seconds, once ``follow`` says so): a picture is on the
screen until the next one, so those that are held fill the motion slots up to it (see ``features.held``). A hop runs
through the stages

    clip tower -> sequence tower -> search (and mood) -> matcher -> ranking -> settle -> Suggestions

of which each that needs numbers from outside is a question (``Infer``, ``Search``) whose answer comes back through
``result``. One hop is under way at a time; when the next falls due meanwhile, it waits, and when that one is overtaken
as well, the newest wins and the other is counted as skipped. Embeddings are kept, so a hop asks the clip tower for one
new clip, plus those that skipped hops left out, and after a change of scene those that reach across it.

A lasting change of scene (``scene``) shortens the window to what came after it. What viewers wish for (``wishes``) goes
into the ranking of the next hop to be concluded, together with what was on air lately (``history``), what is like the
tracks they liked (``taste``), and whether somebody speaks (``speech``).
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate, Filters
from features.bars import STEADY
from features.cuts import HARD_CUT
from features.held import held, is_held
from features.spec import MOTION_FPS, WINDOW_S

from .adjustments import Adjustments
from .commands import CommandError, Playing, read_command
from .effect import effect
from .events import (
    Accepted,
    Answer,
    Beats,
    Cut,
    End,
    Event,
    Refused,
    Reset,
    Scene,
    Search,
    Seen,
    Suggestions,
    Weights,
)
from .facts import Setting
from .hop import Hop
from .listing import Listed, Listing
from .model import Model
from .on_air import OnAir
from .ranking import Pictures, Ranked, rank
from .scene import SceneMeter
from .settle import SWITCH, SettleOptions
from .speech import Speech
from .taste import SKIPS_HEARD
from .unfit import parts, reason
from .wishes import Memory, Wishes

if TYPE_CHECKING:
    from features.frame import FrameFeatures

REVISED = STEADY - 1  # pictures that may turn out to have had bars
CUTS = 32  # that are remembered, the newest
SOUGHT_AT_ONCE = 32  # tracks whose clips are looked for in one hop, because somebody liked or skipped them


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """``candidates`` are retrieved and ranked, ``suggestions`` of them published."""

    candidates: int = 32
    suggestions: int = 5
    weights: Weights = field(default_factory=Weights)
    settle: SettleOptions = field(default_factory=SettleOptions)
    cut_rest_s: float = 0.5  # after a cut, this long without another


class Session:
    """Every method returns the events that follow from it, in order. Deterministic: same calls, same events."""

    def __init__(self, model: Model, options: SessionOptions | None = None) -> None:
        self._model = model
        self._options = options or SessionOptions()
        self._window = model.window()
        self._scenes = SceneMeter()
        self._listing = Listing(self._options.settle, self._options.suggestions)
        self._memory = Memory(Wishes(weights=self._options.weights))
        self._pool: list[Candidate] = []  # of the newest hop
        self.ranking: Sequence[Ranked] = ()  # of the newest hop, all of it, before anybody is kept in place
        self._adjustments = Adjustments()
        self._speech = Speech()
        self._on_air: OnAir | None = None
        self._beats: Beats | None = None  # the question that is open
        self._before_s = 0.0  # media time before the last reset
        self._now_s = 0.0  # media time since
        self._told_s = 0.0  # of the newest list
        self._settled = 0, self._memory.wishes.order()  # the scene's start and what was asked, of the newest list
        self._ids = count(1)  # of questions
        self._newest = -1  # the slot of the newest picture
        self._slots: deque[int] = deque(maxlen=REVISED)  # of the newest pictures
        self._filled = -1  # the newest slot that is filled, by a picture or since it is held
        self._picture: FrameFeatures | None = None  # the newest
        self._over = 0  # so many seconds of media time are over
        self._last = 0  # the end of the newest hop that was begun or is waiting
        self._hop_s = self._stride = 1
        self._cuts: deque[int] = deque(maxlen=CUTS)  # the slots of the newest
        self._hop: Hop | None = None
        self._due: Hop | None = None
        self._closing: tuple[int, int] | None = None  # frames, dropped
        self._ended = False
        self.sampled = self.suggestions = self.skipped_hops = self.stale_answers = self.resets = 0

    @property
    def _playing(self) -> str | None:
        return None if self._on_air is None else self._on_air.track

    @property
    def ended(self) -> bool:
        return self._ended

    def push(self, features: "FrameFeatures", slot: int) -> list[Event]:
        """One sampled frame in motion slot ``slot`` (1/8 s since the first frame), as the sampler gave it."""
        if self._closing is not None:
            return []
        if slot <= self._newest:
            raise ValueError(f"slot {slot} after slot {self._newest}: slots must increase; reset() begins anew")
        events = self._hold(slot) + self._advance(slot // MOTION_FPS)
        self._newest, self._picture = slot, features
        self._slots.append(slot)
        self._now_s = max(self._now_s, (slot + 1) / MOTION_FPS)
        self.sampled += 1
        rest = self._options.cut_rest_s * MOTION_FPS
        if features.cut >= HARD_CUT and (not self._cuts or slot - self._cuts[-1] >= rest):
            self._cuts.append(slot)
            events.append(Cut(slot / MOTION_FPS, features.cut))
        events += self._fill(slot, features)
        following = (slot // self._stride + 1) * self._stride  # the next slot that the sampler may fill
        return events + self._advance(following // MOTION_FPS)

    def revise(self, pictures: "Sequence[FrameFeatures]") -> list[Event]:
        """The newest pictures, oldest first, look otherwise than was told: bars around them have been found since.
        At most ``REVISED`` are remembered."""
        for slot, features in zip(list(self._slots)[-len(pictures) :], pictures, strict=False):
            self._window.push(slot, features)
            self._scenes.revise(slot, features)
        return []

    def _hold(self, slot: int) -> list[Event]:
        """Fill the slots before ``slot`` with the newest picture, if it is held; those that are still looked at."""
        if self._picture is None or not is_held(self._newest, slot):
            return []
        still = held(self._picture)
        first = max(self._filled + 1, slot - WINDOW_S * MOTION_FPS)
        return [event for each in range(first, slot) for event in self._fill(each, still)]

    def _fill(self, slot: int, features: "FrameFeatures") -> list[Event]:
        """Keep what is to be seen in a slot. A picture that comes later than the time was told only takes the place of
        the one that was held."""
        self._window.push(slot, features)
        if slot <= self._filled:
            return []
        self._filled = slot
        change = self._scenes.push(slot, features)
        return [Scene(change.start / MOTION_FPS)] if change is not None and change.lasting else []

    def hear(self, share: float, second: int) -> list[Event]:
        """Somebody spoke for ``share`` (0 to 1) of media second ``second``, counted as ``pts_s`` is; for sessions with
        sound, once a second, in order. Raises ValueError for what is no share."""
        if self._closing is None:
            self._speech.hear(share, second)
        return []

    def follow(self, hop_s: int, stride: int = 1) -> list[Event]:
        """From here on a hop falls due every ``hop_s`` whole seconds, and of ``stride`` slots the sampler fills one, so
        that the last of a second's frames is known as such. Raises ValueError for less than one of either."""
        if hop_s < 1 or stride < 1:
            raise ValueError(f"a hop of {hop_s} s and one slot of {stride}, must be at least 1")
        self._hop_s, self._stride = hop_s, stride
        return []

    def tick(self, now_s: float, seen: bool = True) -> list[Event]:
        """Media time has reached ``now_s`` and no frame came since: the second that is over can be looked at. ``seen``:
        the newest picture is still on the screen; without, nothing is said of the seconds behind its own."""
        if self._closing is not None:
            return []
        self._now_s = max(self._now_s, now_s)
        second = int(now_s)
        if not seen:
            return self._advance(min(second, self._filled // MOTION_FPS + 1))
        return self._hold(int(now_s * MOTION_FPS)) + self._advance(second)

    def reset(self, reason: str) -> list[Event]:
        """Timestamps broke: forget the pictures and the sound and start again at 0. What viewers wished for and what is
        on air stay."""
        if self._closing is not None:
            return []
        self._window = self._model.window()
        self._scenes, self._speech = SceneMeter(), Speech()
        self._listing.reset()
        self._newest = self._filled = -1
        self._picture, self._over, self._last = None, 0, 0
        self._slots.clear()
        self._cuts.clear()
        self._hop = self._due = None
        self._settled = 0, self._settled[1]
        self._before_s += self._now_s
        if self._on_air is not None:
            self._on_air.restart(self._now_s)
        self._now_s = self._told_s = 0.0
        self.resets += 1
        return [Reset(reason)]

    def command(self, message: Mapping[str, Any]) -> list[Event]:
        """Carry out a viewer's command; the answer is Accepted or Refused."""
        kind = str(message.get("type"))[:40]
        if self._closing is not None:
            return [Refused(kind, "the session is ending")]
        try:
            command = read_command(message)
            if isinstance(command, Playing):
                return [Accepted(kind, command.track), *self._play(command)]
            before = self._memory.wishes
            track = self._memory.take(command, self._before_s + self._now_s)
        except CommandError as error:
            return [Refused(kind, str(error))]
        wishes = self._memory.wishes
        self._memory.know(self._pool)
        for example in (*wishes.liked[-1:], *wishes.skipped[-1:]):
            self._adjustments.know([c for c in self._pool if c.track.id == example], [example], all_of_them=False)
        return [Accepted(kind, track, effect(command, before, wishes, self._pool, self._adjustments.profiles))]

    def _play(self, command: Playing) -> list[Event]:
        before = self._on_air
        events: list[Event] = []
        if before is None or command.track != before.track:
            if before is not None:
                self._adjustments.history.left(before.track, self._before_s + self._now_s)
            self._on_air = None if command.track is None else OnAir(command.track)
            events += self._ask_beats()
        if self._on_air is not None:
            self._on_air.at(command.position_s, self._now_s, command.paused)
        return events

    def _ask_beats(self) -> list[Event]:
        """One such question is open at a time: however fast the track on air changes, its beats are asked for once the
        answer before is in."""
        if self._on_air is None or self._on_air.beats is not None or self._beats is not None:
            return []
        self._beats = Beats(next(self._ids), self._on_air.track)
        return [self._beats]

    def result(self, question: int, answer: Answer) -> list[Event]:
        """The answer to a question. One to a question that is no longer open is counted and ignored."""
        hop = self._hop
        if self._beats is not None and question == self._beats.id:
            beats, self._beats = self._beats, None
            if not isinstance(answer, np.ndarray):
                raise TypeError(f"the answer to beats is {type(answer).__name__}, must be an array of seconds")
            if beats.track == self._playing and self._on_air is not None:
                self._on_air.beats = answer
            return self._ask_beats()
        if hop is None or question not in hop.asked:
            self.stale_answers += 1
            return []
        asked = hop.asked.pop(question)
        if isinstance(asked, str):
            return self._found(hop, asked, answer)
        if not isinstance(answer, Mapping):
            raise TypeError(f"the answer to {asked.name} is {type(answer).__name__}, must be arrays by name")
        hop.take(asked, answer, self._window)
        if hop.scores is not None:
            return self._conclude(hop)
        events: list[Event] = [*hop.ready(self._window, self._ids)]
        if asked is self._model.graphs.query:
            events += self._retrieve(hop, hop.vectors[asked.name][0])
        return events or self._compare(hop)

    def give_up(self, question: int) -> list[Event]:
        """No answer will come to a question: it would have come too late. The hop that it belongs to counts as skipped,
        and the one that waits begins; clips that it has not embedded are made up for."""
        if self._beats is not None and question == self._beats.id:
            asked, self._beats = self._beats, None
            return [] if asked.track == self._playing else self._ask_beats()
        if self._hop is None or question not in self._hop.asked:
            return []
        self._hop = None
        self.skipped_hops += 1
        return self._next()

    def finish(self, frames: int = 0, dropped: int = 0, flush: bool = True) -> list[Event]:
        """No more frames. ``End``, with these counts in it, comes after the answers to what is still open.

        A last hop covers the frames since the newest one. Without ``flush`` open hops are given up and ``End`` comes
        at once.
        """
        if self._ended or (self._closing is not None and flush):
            return []
        self._closing = (frames, dropped)
        if not flush:
            self._hop = self._due = None
            return self._end()
        end = self._filled // MOTION_FPS + 1
        events = self._schedule(end, (self._filled + 1) / MOTION_FPS) if end > self._last else []
        return events if self._hop is not None else [*events, *self._end()]

    def _advance(self, second: int) -> list[Event]:
        """A hop for ``second`` seconds of media time, if they are just over and one is due."""
        if second <= self._over:
            return []
        self._over = second
        if self._picture is None or (self._last and second < self._last + self._hop_s):
            return []
        return self._schedule(second, float(second))

    def _schedule(self, end: int, pts_s: float) -> list[Event]:
        self._last = end
        hop = Hop(end, pts_s, self._scenes.start, self._model.graphs.live)
        if self._hop is None:
            return self._begin(hop)
        self.skipped_hops += self._due is not None
        self._due = hop
        return []

    def _begin(self, hop: Hop) -> list[Event]:
        self._hop = hop
        self._memory.pass_time(self._before_s + hop.pts_s)
        return [*hop.ready(self._window, self._ids)]

    def _retrieve(self, hop: Hop, query: NDArray[np.float32]) -> list[Event]:
        """Search with the window's vector (E,); beside it the tracks that must be ranked whatever their distance."""
        hop.query = query
        wishes = self._memory.wishes
        skipped = frozenset(wishes.skipped)
        hop.needed = (self._listing.tracks | self._above_filters()) - skipped
        allowed = replace(wishes.filters, exclude=skipped)
        lean = wishes.steer.lean
        events: list[Event] = []
        events.append(self._search(hop, "search", query, self._options.candidates, allowed, hop.needed, lean))
        examples = (*wishes.liked, *wishes.skipped[-SKIPS_HEARD:])
        hop.sought = self._adjustments.profiles.unknown(examples)[:SOUGHT_AT_ONCE]
        if hop.sought:
            only = Filters(only=frozenset(hop.sought))
            events.append(self._search(hop, "taste", query, len(hop.sought), only))
        return events

    def _found(self, hop: Hop, stage: str, answer: Answer) -> list[Event]:
        if isinstance(answer, Mapping) or not isinstance(answer, Sequence):
            raise TypeError(f"the answer to a search is {type(answer).__name__}, must be a list of candidates")
        if stage == "taste":
            self._memory.know(answer)
            self._adjustments.know(answer, hop.sought, all_of_them=True)
            return self._compare(hop)
        if stage == "search":
            hop.found = self._passing(answer)
            air = self._on_air
            for candidate in answer:
                if air is not None and candidate.track.id == air.track:
                    air.outline = candidate.outline
            return self._compare(hop) if hop.found else self._why_nothing(hop)
        hop.passing[stage] = bool(answer)
        return self._compare(hop)

    def _above_filters(self) -> set[str]:
        """What is ranked whatever the filters say."""
        return {track for track in (self._memory.wishes.pinned, self._playing) if track is not None}

    def _passing(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """What was only held is let go where the filters say so."""
        filters, above = self._memory.wishes.filters, self._above_filters()
        if filters == Filters():
            return list(candidates)
        return [c for c in candidates if c.track.id in above or filters.passes(c.track)]

    def _why_nothing(self, hop: Hop) -> list[Event]:
        """Nothing passes the filters: what does each of them let through alone?"""
        alone = parts(self._memory.wishes.filters)
        if hop.query is None or len(alone) + bool(self._memory.wishes.skipped) < 2:
            return self._compare(hop)
        return [self._search(hop, name, hop.query, 1, filters) for name, filters in alone.items()]

    def _compare(self, hop: Hop) -> list[Event]:
        """Once everything retrieved is in: ask the matcher, or conclude without one."""
        if hop.asked:
            return []
        # A command may have come after the search was asked.
        hop.bound(self._options.candidates, hop.needed, frozenset(self._memory.wishes.skipped))
        return [*hop.ready(self._window, self._ids)] or self._conclude(hop)

    def _conclude(self, hop: Hop) -> list[Event]:
        now = hop.pictures(self._window, self._model)
        wishes = self._memory.wishes
        skipped = frozenset(wishes.skipped)
        self._pool = hop.found
        at_s, speaks = self._before_s + hop.pts_s, self._speech.lasts(hop.pts_s)
        begins_s, place_s = self._listing.begins_s, self._on_air.place_s(hop.pts_s) if self._on_air else None
        if self._on_air is not None and place_s is not None:
            begins_s[self._on_air.track] = place_s
        adjusts = self._adjustments.of(hop.found, wishes, self._playing, at_s, speaks, begins_s)
        ranked = [
            entry
            for entry in rank(hop.found, hop.scores, now, wishes.weights, wishes.steer, adjusts)
            if entry.candidate.track.id not in skipped
        ]
        self.ranking = ranked
        self._ease(hop, wishes)
        passed_s, self._told_s = hop.pts_s - self._told_s, hop.pts_s
        listed = self._listed(hop, ranked, now, wishes, passed_s)
        self.suggestions += 1
        self._hop = None
        first = listed.items[0].track if listed.items and listed.advice == SWITCH else None
        suggestions = Suggestions(
            pts_s=hop.pts_s,
            window_s=min(hop.pts_s - hop.start / MOTION_FPS, float(WINDOW_S)),
            advice=listed.advice,
            items=listed.items,
            seen=Seen(now.tempo.bpm, now.tempo.confidence, now.speed),
            switch=None if self._on_air is None else self._on_air.switch(first, hop.pts_s),
            duck_db=self._speech.duck_db(hop.pts_s),
            asked=self._memory.asked(self._before_s + hop.pts_s),
            on_air=None if self._on_air is None else self._on_air.now([i.track for i in listed.items], hop.pts_s),
            changed=listed.changed,
            stale=listed.stale,
        )
        return [suggestions, *self._next()]

    def _listed(self, hop: Hop, ranked: list[Ranked], now: Pictures, wishes: Wishes, passed_s: float) -> Listed:
        skipped = frozenset(wishes.skipped)
        if not ranked and (why := reason(wishes.filters, hop.passing, bool(skipped))):
            return self._listing.keep(why)
        cut = bool(self._cuts) and hop.end * MOTION_FPS - self._cuts[-1] <= 2 * MOTION_FPS
        slots = [slot for slot in self._cuts if slot >= hop.end * MOTION_FPS - WINDOW_S * MOTION_FPS]
        between = tuple((two - one) / MOTION_FPS for one, two in pairwise(slots))
        like = {track: self._memory.title(liked) for track, liked in self._adjustments.alike.items()}
        setting = Setting(between, self._speech.lasts(hop.pts_s), like)
        return self._listing.compose(ranked, now, setting, wishes, cut, self._playing, passed_s)

    def _next(self) -> list[Event]:
        """A hop is over: the one that waits begins, or the session ends, if it is to."""
        if self._due is not None:
            following, self._due = self._due, None
            return self._begin(following)
        return self._end() if self._closing is not None else []

    def _ease(self, hop: Hop, wishes: Wishes) -> None:
        """The first place changes hands more easily in a new scene, and when the viewers ask for something else."""
        start, before = self._settled
        if hop.start > start:
            self._listing.settle.ease(anew=True)
        elif wishes.order() != before:
            self._listing.settle.ease(anew=False)
        self._settled = hop.start, wishes.order()

    def _end(self) -> list[Event]:
        frames, dropped = self._closing or (0, 0)
        self._ended = True
        return [End(frames, self.sampled, dropped, self.suggestions, self.skipped_hops)]

    def _search(
        self,
        hop: Hop,
        stage: str,
        query: NDArray[np.float32],
        n: int,
        filters: Filters,
        keep: frozenset[str] = frozenset(),
        lean: tuple[float, ...] = (),
    ) -> Search:
        return Search(hop.open(self._ids, stage), query, n, filters, keep, lean)
