"""One live input, without a clock, a socket or a loop: features and answers in, events out.

A hop falls due at each whole second of media time in whose second a frame arrived. It runs through the stages

    clip tower -> sequence tower -> search (and mood) -> matcher -> ranking -> settle -> Suggestions

of which each that needs numbers from outside is a question (``Infer``, ``Search``) whose answer comes back through
``result``. One hop is under way at a time; when the next falls due meanwhile, it waits, and when that one is overtaken
as well, the newest wins and the other is counted as skipped. Embeddings are kept, so a hop asks the clip tower for one
new clip, plus those that skipped hops left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate, Filters
from features.cuts import HARD_CUT
from features.spec import MOTION_FPS, WINDOW_S

from .commands import CommandError, Pin, Playing, SetFilters, Skip, read_command
from .events import Accepted, Answer, Cut, End, Event, Infer, Item, Refused, Reset, Search, Seen, Suggestions
from .ranking import Ranked, Scene, Weights, rank
from .settle import Settle, SettleOptions
from .window import Window

if TYPE_CHECKING:
    from features.frame import FrameFeatures

MAX_SKIPPED_TRACKS = 1000


@dataclass(frozen=True, slots=True)
class Model:
    """What a session must know of the bundle: the width of its vectors, which optional graphs it has, and which
    features they take: ``clip`` the clip tower, ``sequence`` the sequence tower, ``matched`` the matcher of the
    video, ``heard`` the matcher of the music."""

    clip_dim: int
    embedding_dim: int
    matcher: bool
    mood: bool
    clip: tuple[str, ...] = ("clip_image",)
    sequence: tuple[str, ...] = ("displacement",)
    matched: tuple[str, ...] = ("displacement",)
    heard: tuple[str, ...] = ("rhythm",)

    def window(self) -> Window:
        """An empty window that measures what the graphs take."""
        return Window(self.clip_dim, self.clip, tuple(dict.fromkeys((*self.sequence, *self.matched))))


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """``candidates`` are retrieved and ranked, ``suggestions`` of them published."""

    candidates: int = 32
    suggestions: int = 5
    weights: Weights = field(default_factory=Weights)
    settle: SettleOptions = field(default_factory=SettleOptions)
    cut_rest_s: float = 0.5  # after a cut, this long without another


@dataclass(slots=True)
class _Hop:
    """A hop under way. ``end`` is the second at which its window ends, ``pts_s`` the time to publish."""

    end: int
    pts_s: float
    ends: list[int] = field(default_factory=list)
    window: dict[str, NDArray[Any]] = field(default_factory=dict)
    asked: dict[int, str] = field(default_factory=dict)  # open questions: id -> stage
    found: list[Candidate] = field(default_factory=list)
    kept: list[Candidate] = field(default_factory=list)
    mood: NDArray[np.float32] | None = None


class Session:
    """Every method returns the events that follow from it, in order. Deterministic: same calls, same events."""

    def __init__(self, model: Model, options: SessionOptions | None = None) -> None:
        self._model = model
        self._options = options or SessionOptions()
        self._window = model.window()
        self._settle = Settle(self._options.settle, self._options.suggestions)
        self._filters = Filters()
        self._skipped: set[str] = set()
        self._pinned: str | None = None
        self._playing: str | None = None
        self._next_id = 1
        self._newest = -1  # the newest slot
        self._fresh = False  # a frame came that no hop has seen
        self._last = 0  # the end of the newest hop that was begun or is waiting
        self._cut_slot = -MOTION_FPS * WINDOW_S
        self._hop: _Hop | None = None
        self._due: _Hop | None = None
        self._closing: tuple[int, int] | None = None  # frames, dropped
        self._ended = False
        self.sampled = self.suggestions = self.skipped_hops = self.stale_answers = self.resets = 0

    @property
    def ended(self) -> bool:
        return self._ended

    def push(self, features: "FrameFeatures", slot: int) -> list[Event]:
        """One sampled frame in motion slot ``slot`` (1/8 s since the first frame), as the sampler gave it."""
        if self._closing is not None:
            return []
        if slot <= self._newest:
            raise ValueError(f"slot {slot} after slot {self._newest}: slots must increase; reset() begins anew")
        events = self._advance(slot // MOTION_FPS)
        self._window.push(slot, features)
        self._newest, self._fresh = slot, True
        self.sampled += 1
        rest = self._options.cut_rest_s * MOTION_FPS
        if features.cut >= HARD_CUT and slot - self._cut_slot >= rest:
            self._cut_slot = slot
            events.append(Cut(slot / MOTION_FPS, features.cut))
        return events + self._advance((slot + 1) // MOTION_FPS)

    def tick(self, now_s: float) -> list[Event]:
        """Media time has reached ``now_s`` and no frame came since: the second that is over can be looked at."""
        return [] if self._closing is not None else self._advance(int(now_s))

    def reset(self, reason: str) -> list[Event]:
        """Timestamps broke: forget the pictures and start again at 0. Filters, pins and what is on air stay."""
        if self._closing is not None:
            return []
        self._window = self._model.window()
        self._settle.reset()
        self._newest, self._fresh, self._last = -1, False, 0
        self._cut_slot = -MOTION_FPS * WINDOW_S
        self._hop = self._due = None
        self.resets += 1
        return [Reset(reason)]

    def command(self, message: Mapping[str, Any]) -> list[Event]:
        """Carry out a viewer's command; the answer is Accepted or Refused."""
        kind = str(message.get("type"))[:40]
        if self._closing is not None:
            return [Refused(kind, "the session is ending")]
        try:
            command = read_command(message)
        except CommandError as error:
            return [Refused(kind, str(error))]
        match command:
            case SetFilters():
                self._filters = command.filters
                return [Accepted(kind)]
            case Skip():
                if command.track not in self._skipped and len(self._skipped) >= MAX_SKIPPED_TRACKS:
                    return [Refused(kind, f"{MAX_SKIPPED_TRACKS} tracks are skipped already; use filters")]
                self._skipped.add(command.track)
                self._pinned = None if self._pinned == command.track else self._pinned
            case Pin():
                if command.track in self._skipped:
                    return [Refused(kind, "this track was skipped in this session")]
                self._pinned = command.track
            case Playing():
                self._playing = command.track
        return [Accepted(kind, command.track)]

    def result(self, question: int, answer: Answer) -> list[Event]:
        """The answer to a question. One to a question that is no longer open is counted and ignored."""
        hop = self._hop
        if hop is None or question not in hop.asked:
            self.stale_answers += 1
            return []
        stage = hop.asked.pop(question)
        if stage in ("search", "keep"):
            return self._found(hop, stage, answer)
        if not isinstance(answer, Mapping):
            raise TypeError(f"the answer to {stage} is {type(answer).__name__}, must be arrays by name")
        match stage:
            case "video_clip":
                self._window.store(hop.ends, answer["embedding"])
                hop.window = self._window.arrays(hop.end)
                names = ("clips", "mask", *self._model.sequence)
                return [self._infer(hop, "video_sequence", {name: hop.window[name] for name in names})]
            case "video_sequence":
                return self._retrieve(hop, answer["embedding"])
            case "mood":
                hop.mood = answer["mood"][0]
                return self._compare(hop)
            case _:
                return self._conclude(hop, np.asarray(answer["score"], np.float64))

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
        end = self._newest // MOTION_FPS + 1
        events = self._schedule(end, (self._newest + 1) / MOTION_FPS) if self._fresh and end > self._last else []
        return events if self._hop is not None else [*events, *self._end()]

    def _advance(self, second: int) -> list[Event]:
        """A hop for the newest second with a frame, if that second is over and no hop has seen it."""
        end = self._newest // MOTION_FPS + 1
        if not self._fresh or end > second or end <= self._last:
            return []
        return self._schedule(end, float(end))

    def _schedule(self, end: int, pts_s: float) -> list[Event]:
        self._fresh, self._last = False, end
        hop = _Hop(end, pts_s)
        if self._hop is None:
            return self._begin(hop)
        self.skipped_hops += self._due is not None
        self._due = hop
        return []

    def _begin(self, hop: _Hop) -> list[Event]:
        self._hop = hop
        hop.ends = self._window.missing(hop.end)
        return [self._infer(hop, "video_clip", self._window.clip_inputs(hop.ends))]

    def _retrieve(self, hop: _Hop, query: NDArray[np.float32]) -> list[Event]:
        """Search with the window's vector (1, E); beside it the tracks that must be ranked whatever their distance."""
        events: list[Event] = []
        if self._model.mood:
            events.append(self._infer(hop, "mood", {"embedding": query}))
        allowed = replace(self._filters, exclude=frozenset(self._skipped))
        events.append(self._search(hop, "search", query[0], self._options.candidates, allowed))
        kept = frozenset({self._pinned, self._playing} - {None}) - self._skipped
        if kept:
            only = Filters(only=frozenset(track for track in kept if track is not None))
            events.append(self._search(hop, "keep", query[0], len(kept), only))
        return events

    def _found(self, hop: _Hop, stage: str, answer: Answer) -> list[Event]:
        if isinstance(answer, Mapping) or not isinstance(answer, Sequence):
            raise TypeError(f"the answer to a search is {type(answer).__name__}, must be a list of candidates")
        if stage == "search":
            hop.found = list(answer)
        else:
            hop.kept = list(answer)
        return self._compare(hop)

    def _compare(self, hop: _Hop) -> list[Event]:
        """Once everything retrieved is in: ask the matcher, or conclude without one."""
        if hop.asked:
            return []
        kept = {candidate.track.id for candidate in hop.kept}
        others = [candidate for candidate in hop.found if candidate.track.id not in kept]
        # A command may have come after the search was asked.
        pool = [c for c in [*hop.kept, *others] if c.track.id not in self._skipped][: self._options.candidates]
        hop.found = pool
        if not pool or not self._model.matcher:
            return self._conclude(hop, None)
        rows = len(pool)
        inputs = {
            "video_clips": np.repeat(hop.window["clips"], rows, axis=0),
            "video_mask": np.repeat(hop.window["mask"], rows, axis=0),
            **{name: np.repeat(hop.window[name], rows, axis=0) for name in self._model.matched},
            "music_clips": np.stack([candidate.clips for candidate in pool]).astype(np.float32, copy=False),
            "music_mask": np.stack([candidate.mask for candidate in pool]),
            **{name: np.stack([heard(candidate, name) for candidate in pool]) for name in self._model.heard},
        }
        return [self._infer(hop, "matcher", inputs)]

    def _conclude(self, hop: _Hop, matches: NDArray[np.float64] | None) -> list[Event]:
        brightness, contrast, colourfulness, warmth = self._window.colour(hop.end)
        scene = Scene(
            tempo=self._window.tempo(hop.end),
            speed=self._window.speed(hop.end),
            brightness=brightness,
            contrast=contrast,
            colourfulness=colourfulness,
            warmth=warmth,
            mood=hop.mood,
        )
        ranked = [
            entry
            for entry in rank(hop.found, matches, scene, self._options.weights)
            if entry.candidate.track.id not in self._skipped
        ]
        cut = hop.end * MOTION_FPS - self._cut_slot <= 2 * MOTION_FPS
        settled = self._settle.settle(ranked, cut, self._playing, self._pinned)
        items = tuple(_item(place, entry) for place, entry in enumerate(settled.ranked, start=1))
        self.suggestions += 1
        self._hop = None
        window_s = min(hop.pts_s, float(WINDOW_S))
        seen = Seen(scene.tempo.bpm, scene.tempo.confidence, scene.speed)
        events: list[Event] = [Suggestions(hop.pts_s, window_s, settled.advice, items, seen=seen)]
        if self._due is not None:
            following, self._due = self._due, None
            return events + self._begin(following)
        return events + self._end() if self._closing is not None else events

    def _end(self) -> list[Event]:
        frames, dropped = self._closing or (0, 0)
        self._ended = True
        return [End(frames, self.sampled, dropped, self.suggestions, self.skipped_hops)]

    def _infer(self, hop: _Hop, graph: str, inputs: Mapping[str, NDArray[Any]]) -> Infer:
        return Infer(self._open(hop, graph), graph, inputs)

    def _search(self, hop: _Hop, stage: str, query: NDArray[np.float32], n: int, filters: Filters) -> Search:
        return Search(self._open(hop, stage), query, n, filters)

    def _open(self, hop: _Hop, stage: str) -> int:
        question, self._next_id = self._next_id, self._next_id + 1
        hop.asked[question] = stage
        return question


def heard(candidate: Candidate, feature: str) -> NDArray[np.float32]:
    """(7, ...) of a candidate's segment, as the matcher takes it."""
    value = candidate.rhythm if feature == "rhythm" else candidate.extras[feature]
    return value.astype(np.float32, copy=False)


def _item(place: int, entry: Ranked) -> Item:
    track = entry.candidate.track
    return Item(
        rank=place,
        track=track.id,
        title=track.title,
        artist=track.artist,
        start_s=entry.candidate.start_s,
        duration_s=track.duration_s,
        score=entry.score,
        reasons=entry.reasons,
        tempo_bpm=track.tempo_bpm,
        licence=track.licence,
    )
