"""One live input, without a clock, a socket or a loop: features and answers in, events out.

A hop falls due at each whole second of media time (every few seconds, once ``follow`` says so): a picture is on the
screen until the next one, so those that are held fill the motion slots up to it (see ``features.held``). A hop runs
through the stages

    clip tower -> sequence tower -> search (and mood) -> matcher -> ranking -> hysteresis -> Suggestions

Each stage that needs numbers from outside is a question (``Infer``, ``Search``) whose answer comes back through
``result``. The bundle says which graphs there are and in which order they can run (``hop``). One hop is under way at a
time. When the next falls due meanwhile, it waits; when a third falls due, the newest waits instead and the other is
counted as skipped. Embeddings are kept, so a hop requests one new clip of a clip tower, plus those
that skipped hops left out, and after a change of scene those that reach across it.

A lasting change of scene (``scene``) shortens the window to what came after it. What viewers wish for (``preferences``)
goes into the ranking of the next hop to end, together with what was on air lately (``history``), what sounds like the
tracks they liked (``taste``), and whether somebody speaks (``speech``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from catalog.records import Candidate
from features.spec import HOP_S, MOTION_FPS, WINDOW_S

from .adjustments import Adjustments
from .commands import CommandError, Playing, SetPlace, read_command
from .deck import Deck
from .effect import effect
from .events import Accepted, Answer, End, Event, Refused, Reset, Suggestions, ViewerState, VisualStats, Weights
from .facts import Setting
from .hop import Hop
from .hysteresis import SWITCH, HysteresisOptions
from .listing import Listed, Listing
from .model import Model
from .place import Place, place_of
from .preferences import Preferences, UndoStack
from .ranking import Pictures, Ranked, rank
from .retrieval import Retrieval
from .screen import Screen
from .speech import Speech
from .unfit import reason

if TYPE_CHECKING:
    from features.frame import FrameFeatures


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """``candidates`` are retrieved and ranked, ``suggestions`` of them published."""

    candidates: int = 32
    suggestions: int = 5
    weights: Weights = field(default_factory=Weights)
    hysteresis: HysteresisOptions = field(default_factory=HysteresisOptions)
    cut_rest_s: float = 0.5  # after a cut, this long without another


class Session:
    """Every method returns the events that follow from it, in order. Deterministic: same calls, same events."""

    def __init__(self, model: Model, options: SessionOptions | None = None) -> None:
        self._model = model
        self._options = options or SessionOptions()
        self._ids = count(1)  # of questions
        self._begin_anew()
        self._listing = Listing(self._options.hysteresis, self._options.suggestions)
        self._preferences = UndoStack(Preferences(weights=self._options.weights))
        self._adjustments = Adjustments()
        self._deck = Deck(self._ids)
        self._retrieval = Retrieval(
            self._preferences, self._adjustments, self._deck, self._options.candidates, self._ids
        )
        self._place = Place()
        self._pool: list[Candidate] = []  # of the newest hop
        self.ranking: Sequence[Ranked] = ()  # of the newest hop, all of it, before any track is held in place
        self._before_s = 0.0  # media time before the last reset
        self._settled = 0, self._preferences.wishes.order()  # the scene's start and the wishes, of the newest list
        self._hop_s, self._stride = HOP_S, 1
        self._closing: tuple[int, int] | None = None  # frames, dropped
        self._ended = False
        self.sampled = self.suggestions = self.skipped_hops = self.stale_answers = self.resets = 0

    def _begin_anew(self) -> None:
        """Media time is 0, without any pictures or sound so far."""
        self._window = self._model.window()
        self._screen = Screen(self._window, self._options.cut_rest_s)
        self._speech = Speech()
        self._now_s = 0.0  # media time since
        self._listed_s = 0.0  # of the newest list
        self._over = 0  # so many seconds of media time are over
        self._last = 0  # the end of the newest hop that was begun or is waiting
        self._hop: Hop | None = None
        self._due: Hop | None = None

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def asked(self) -> ViewerState:
        """The wishes of all viewers as they stand; the newest list has those of its time."""
        return self._preferences.state(self._before_s + self._now_s)

    def push(self, features: "FrameFeatures", slot: int) -> list[Event]:
        """One sampled frame in motion slot ``slot`` (1/8 s since the first frame), as the sampler gave it."""
        if self._closing is not None:
            return []
        if slot <= self._screen.newest:
            raise ValueError(f"slot {slot} after slot {self._screen.newest}: slots must increase; reset() begins anew")
        events = [*self._screen.hold(slot), *self._advance(slot // MOTION_FPS)]
        self._now_s = max(self._now_s, (slot + 1) / MOTION_FPS)
        self.sampled += 1
        events += self._screen.show(slot, features)
        following = (slot // self._stride + 1) * self._stride  # the next slot that the sampler may fill
        return [*events, *self._advance(following // MOTION_FPS)]

    def revise(self, pictures: "Sequence[FrameFeatures]") -> list[Event]:
        """Replace the features of the newest pictures, oldest first: bars around them were detected since. At most
        ``screen.REVISED`` are remembered."""
        self._screen.revise(pictures)
        return []

    def hear(self, share: float, second: int) -> list[Event]:
        """Somebody spoke for ``share`` (0 to 1) of media second ``second``, counted as ``pts_s`` is; for sessions with
        sound, once a second, in order. Raises ValueError for a share outside of [0, 1]."""
        if self._closing is None:
            self._speech.hear(share, second)
        return []

    def follow(self, hop_s: int, stride: int = 1) -> list[Event]:
        """From now on a hop falls due every ``hop_s`` whole seconds, and the sampler fills one of ``stride`` slots;
        this tells which frame is the last of a second. Raises ValueError for less than one of either."""
        if hop_s < 1 or stride < 1:
            raise ValueError(f"a hop of {hop_s} s and one slot of {stride}, must be at least 1")
        self._hop_s, self._stride = hop_s, stride
        return []

    def tick(self, now_s: float, seen: bool = True) -> list[Event]:
        """Media time has reached ``now_s`` and no frame came since: a hop for the second that is over may fall due.
        ``seen``: the newest picture is still on the screen; else the seconds after its own get no hop."""
        if self._closing is not None:
            return []
        self._now_s = max(self._now_s, now_s)
        second = int(now_s)
        if not seen:
            return self._advance(min(second, self._screen.filled // MOTION_FPS + 1))
        return [*self._screen.hold(int(now_s * MOTION_FPS)), *self._advance(second)]

    def reset(self, reason: str) -> list[Event]:
        """Timestamps broke: forget the pictures and the sound and start again at 0. The viewers' wishes and what
        is on air stay."""
        if self._closing is not None:
            return []
        self._listing.reset()
        self._settled = 0, self._settled[1]
        self._before_s += self._now_s
        if self._deck.on_air is not None:
            self._deck.on_air.restart(self._now_s)
        self._begin_anew()
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
            if isinstance(command, SetPlace):
                self._go(command)
                return [Accepted(kind)]
            before = self._preferences.wishes
            track = self._preferences.take(command, self._before_s + self._now_s)
        except CommandError as error:
            return [Refused(kind, str(error))]
        wishes = self._preferences.wishes
        self._preferences.know(self._pool)
        for example in (*wishes.liked[-1:], *wishes.skipped[-1:]):
            self._adjustments.know([c for c in self._pool if c.track.id == example], [example], all_of_them=False)
        return [Accepted(kind, track, effect(command, before, wishes, self._pool, self._adjustments.profiles))]

    def _go(self, command: SetPlace) -> None:
        """The source goes on somewhere else: the next picture begins a new scene."""
        if command.name != self._place.name:
            self._place = place_of(command.name)
            if command.cut and command.name:
                self._screen.expect_scene()

    def _wishes(self) -> Preferences:
        """The viewers' wishes, and where the name of the place leans."""
        wishes = self._preferences.wishes
        steer = self._place.steer(wishes.steer)
        return wishes if steer is wishes.steer else replace(wishes, steer=steer)

    def _play(self, command: Playing) -> list[Event]:
        before = self._deck.track
        if before is not None and command.track != before:
            self._adjustments.history.left(before, self._before_s + self._now_s)
        return [*self._deck.play(command, self._now_s)]

    def result(self, question: int, answer: Answer) -> list[Event]:
        """The answer to a question. One to a question that is no longer open is counted and ignored."""
        if self._deck.is_open(question):
            return [*self._deck.take(answer)]
        hop = self._hop
        if hop is None or question not in hop.questions:
            self.stale_answers += 1
            return []
        source = hop.questions.pop(question)
        if isinstance(source, str):
            return [*self._retrieval.take(hop, source, answer)] or self._compare(hop)
        if not isinstance(answer, Mapping):
            raise TypeError(f"the answer to {source.name} is {type(answer).__name__}, must be arrays by name")
        hop.take(source, answer, self._window)
        if hop.scores is not None:
            return self._conclude(hop)
        events: list[Event] = [*hop.ready(self._window, self._ids)]
        if source is self._model.graphs.query:
            events += self._retrieval.search(
                hop, hop.vectors[source.name][0], self._listing.tracks, self._wishes().steer
            )
        return events or self._compare(hop)

    def give_up(self, question: int) -> list[Event]:
        """No answer will come to a question: it would have come too late. The hop that it belongs to counts as skipped,
        and the one that waits begins; later hops embed the clips that this one left out."""
        if self._deck.is_open(question):
            return [*self._deck.give_up()]
        if self._hop is None or question not in self._hop.questions:
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
        end = self._screen.filled // MOTION_FPS + 1
        events = self._schedule(end, (self._screen.filled + 1) / MOTION_FPS) if end > self._last else []
        return events if self._hop is not None else [*events, *self._end()]

    def _advance(self, second: int) -> list[Event]:
        """A hop for ``second`` seconds of media time, if they are just over and one is due."""
        if second <= self._over:
            return []
        self._over = second
        if self._screen.newest < 0 or (self._last and second < self._last + self._hop_s):
            return []
        return self._schedule(second, float(second))

    def _schedule(self, end: int, pts_s: float) -> list[Event]:
        self._last = end
        hop = Hop(end, pts_s, self._screen.scene, self._model.graphs.live)
        if self._hop is None:
            return self._begin(hop)
        self.skipped_hops += self._due is not None
        self._due = hop
        return []

    def _begin(self, hop: Hop) -> list[Event]:
        self._hop = hop
        self._preferences.pass_time(self._before_s + hop.pts_s)
        return [*hop.ready(self._window, self._ids)]

    def _compare(self, hop: Hop) -> list[Event]:
        """Once all search results are in: request the matcher, or conclude without one."""
        if hop.questions:
            return []
        self._retrieval.bound(hop)
        return [*hop.ready(self._window, self._ids)] or self._conclude(hop)

    def _conclude(self, hop: Hop) -> list[Event]:
        now = hop.pictures(self._window, self._model)
        wishes, on_air = self._wishes(), self._deck.on_air
        ranked = self._rank(hop, now, wishes)
        self._pool, self.ranking = hop.hits, ranked
        self._ease(hop, wishes)
        passed_s, self._listed_s = hop.pts_s - self._listed_s, hop.pts_s
        listed = self._list(hop, ranked, now, wishes, passed_s)
        self.suggestions += 1
        self._hop = None
        first = listed.items[0].track if listed.items and listed.advice == SWITCH else None
        suggestions = Suggestions(
            pts_s=hop.pts_s,
            window_s=min(hop.pts_s - hop.start / MOTION_FPS, float(WINDOW_S)),
            advice=listed.advice,
            items=listed.items,
            seen=VisualStats(now.tempo.bpm, now.tempo.confidence, now.speed),
            switch=None if on_air is None else on_air.switch(first, hop.pts_s),
            duck_db=self._speech.duck_db(hop.pts_s),
            asked=self._preferences.state(self._before_s + hop.pts_s),
            on_air=None if on_air is None else on_air.now([item.track for item in listed.items], hop.pts_s),
            changed=listed.changed,
            stale=listed.stale,
        )
        return [suggestions, *self._next()]

    def _rank(self, hop: Hop, now: Pictures, wishes: Preferences) -> list[Ranked]:
        """The search results, best first, without tracks that were skipped meanwhile."""
        on_air, begins_s = self._deck.on_air, self._listing.begins_s
        place_s = None if on_air is None else on_air.place_s(hop.pts_s)
        if on_air is not None and place_s is not None:
            begins_s[on_air.track] = place_s
        at_s, speaks = self._before_s + hop.pts_s, self._speech.lasts(hop.pts_s)
        adjusts = self._adjustments.of(hop.hits, wishes, self._deck.track, at_s, speaks, begins_s)
        ranked = rank(hop.hits, hop.scores, now, wishes.weights, wishes.steer, adjusts)
        skipped = frozenset(wishes.skipped)
        return [entry for entry in ranked if entry.candidate.track.id not in skipped]

    def _list(self, hop: Hop, ranked: list[Ranked], now: Pictures, wishes: Preferences, passed_s: float) -> Listed:
        if not ranked and (why := reason(wishes.filters, hop.passing, bool(wishes.skipped))):
            return self._listing.keep(why)
        like = {track: self._preferences.title(liked) for track, liked in self._adjustments.alike.items()}
        place = self._place.name, self._place.part(self._preferences.wishes.steer)
        setting = Setting(self._screen.between_cuts_s(hop.end), self._speech.lasts(hop.pts_s), like, *place)
        cut = self._screen.is_cut(hop.end)
        return self._listing.compose(ranked, now, setting, wishes, cut, self._deck.track, passed_s)

    def _next(self) -> list[Event]:
        """A hop is over: the one that waits begins, or the session ends if it is closing."""
        if self._due is not None:
            following, self._due = self._due, None
            return self._begin(following)
        return self._end() if self._closing is not None else []

    def _ease(self, hop: Hop, wishes: Preferences) -> None:
        """The first place changes hands more easily in a new scene, and after a new wish."""
        start, before = self._settled
        if hop.start > start:
            self._listing.hysteresis.ease(anew=True)
        elif wishes.order() != before:
            self._listing.hysteresis.ease(anew=False)
        self._settled = hop.start, wishes.order()

    def _end(self) -> list[Event]:
        frames, dropped = self._closing or (0, 0)
        self._ended = True
        return [End(frames, self.sampled, dropped, self.suggestions, self.skipped_hops)]
