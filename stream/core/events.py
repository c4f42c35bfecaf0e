"""The events of a session. Questions (``Infer``, ``Search``, ``Beats``) need an answer; all others are published.

Times are seconds of media time since the first frame after the start or the last ``Reset``. A message's JSON is its
fields, as they stand here; the number beside a type is how many decimals viewers get (``stream.messages``).
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from catalog.records import LATER, Candidate, Filters

Seconds = Annotated[float, 3]
Share = Annotated[float, 4]
Tenths = Annotated[float, 1]  # of bpm, dB, ms

Arrays = Mapping[str, np.ndarray]
Answer = Arrays | Sequence[Candidate] | np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Infer:
    """Run one graph of the bundle; the answer is its outputs by name. ``first``: of its hop.

    A driver with a clock that shares its engine fills in ``owner`` and ``deadline_s``: the session that needs the
    answer, and until when (by ``time.monotonic``) it is of use.
    """

    id: int
    graph: str
    inputs: Arrays
    owner: Hashable = None
    deadline_s: float | None = None
    first: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Find the ``n`` nearest tracks that pass ``filters``, and those of ``keep``, which need not pass them; the
    answer is a list of ``Candidate``. ``query`` is (E,) float32; ``lean`` as ``Catalog.search`` takes it."""

    id: int
    query: np.ndarray
    n: int
    filters: Filters
    keep: frozenset[str] = frozenset()
    lean: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Beats:
    """Where are the beats of this track? The answer is (m,) seconds, rising; empty for one without any, and for one
    that is not in the catalogue."""

    id: int
    track: str


@dataclass(slots=True, unsafe_hash=True)
class Reasons:
    """The parts of a score, each in [0, 1]. Never changed; not frozen, since a hop makes dozens (see ``Candidate``)."""

    content: Share
    rhythm: Share
    mood: Share


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts; not negative, not all 0."""

    content: Share = 0.5
    rhythm: Share = 0.25
    mood: Share = 0.25

    def __post_init__(self) -> None:
        parts = (self.content, self.rhythm, self.mood)
        if not all(math.isfinite(part) and part >= 0 for part in parts) or sum(parts) == 0:
            raise ValueError(f"weights {parts}: give finite numbers, 0 or more, not all 0")


@dataclass(frozen=True, slots=True)
class Steer:
    """Where the viewers lean, each in [-1, 1], 0 neutral: the three axes of mood, and slower or quicker music."""

    energy: Share = 0.0
    valence: Share = 0.0
    tension: Share = 0.0
    tempo: Share = 0.0

    @property
    def lean(self) -> tuple[float, ...]:
        """In the order of ``catalog.records.LEANS``; empty where all are 0."""
        leans = self.energy, self.valence, self.tension, self.tempo
        return leans if any(leans) else ()


@dataclass(slots=True, unsafe_hash=True)
class Fact:
    """A true statement that speaks for a suggestion. ``value`` is in ``unit`` (empty for a bare number), None where
    the fact has none; ``text`` is the whole statement. Never changed; not frozen, as ``Reasons``."""

    kind: str
    value: float | None
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One suggestion: a track, where to start in it, and why. ``start_s`` lies on a beat of the track. ``adjust`` is
    what taste, history, speech and steering added to the mean of the reasons, or took off. ``liked``: somebody liked
    the track.

    ``held``: why it stands higher than its own score would bring it ("place", "on air", "pinned"), else empty; ``lift``
    is how much the score was raised for that, so scores never rise down the list. ``gain_db`` brings the track to the
    common loudness. ``leave_s``: the last good place to leave it or to go back by ``loop`` (from, to), in its own time.

    ``attribution`` credits the track, empty where too little is known; ``live_ok`` and ``vod_ok``: whether it may be in
    a live stream, and in a recording of it, None where nobody has said; ``marks``: what to warn of in its licence.
    """

    rank: int
    track: str
    title: str
    artist: str
    start_s: Seconds
    duration_s: Seconds
    score: Share
    reasons: Reasons
    tempo_bpm: Tenths
    licence: str
    adjust: Share = 0.0
    liked: bool = False
    held: str = ""
    lift: Share = 0.0
    gain_db: Tenths | None = None
    leave_s: Seconds | None = None
    loop: tuple[Seconds, Seconds] | None = None
    facts: tuple[Fact, ...] = ()
    attribution: str = field(default="", metadata=LATER)
    live_ok: bool | None = field(default=None, metadata=LATER)
    vod_ok: bool | None = field(default=None, metadata=LATER)
    marks: tuple[str, ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True, slots=True)
class OnAirNow:
    """What is on air. ``position_s``: where in the track the stream is at ``Suggestions.pts_s``, if it is known;
    the other fields need it. ``left_s``: until its music ends; ``leave_s`` and ``loop`` as of an ``Item``;
    ``next_in_s``: until ``leave_s``. ``next``: the track to go on with, once the end is near, else None."""

    track: str
    position_s: Seconds | None = None
    left_s: Seconds | None = None
    leave_s: Seconds | None = None
    next_in_s: Seconds | None = None
    loop: tuple[Seconds, Seconds] | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class VisualStats:
    """What the pictures of the window are like: their pulse, how far it can be trusted ([0, 1]), and how much moves
    (frame widths per second)."""

    tempo_bpm: Tenths
    confidence: Share
    speed: Share


@dataclass(frozen=True, slots=True)
class Switch:
    """When music could change. ``track``: the one to switch to, None while the advice is to stay. ``at_s``: the next up
    to four bars of the track on air, in seconds of that track; ``in_s``: from ``Suggestions.pts_s`` to the first.
    Both need the track's beats and the position of the stream in it."""

    track: str | None
    at_s: tuple[Seconds, ...]
    in_s: Seconds | None


@dataclass(frozen=True, slots=True)
class Wished:
    """A track that was liked or skipped. ``title``: empty where it is not known. ``left_s``: how long a skip still
    lasts, None for the rest of the session."""

    track: str
    title: str = ""
    left_s: Seconds | None = None


@dataclass(frozen=True, slots=True)
class ViewerState:
    """The wishes of all viewers as they stand, for every view to show, also after an undo.
    ``undo``: how many wishes can be taken back. ``liked`` and ``skipped``: the newest, in the order in which they came;
    ``unlisted``: how many older ones are left out."""

    steer: Steer
    weights: Weights
    pinned: str | None
    undo: int
    liked: tuple[Wished, ...] = ()
    skipped: tuple[Wished, ...] = ()
    unlisted: int = 0
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The list after one hop. ``window_s`` is how much video it rests on (at most 28); ``late_ms`` the time from the
    arrival of the newest frame used to the publication, filled in by a driver that has a clock, else None. ``switch``
    is None with nothing on air, ``duck_db`` (in [-18, 0]) where the stream's sound is not known.
    ``changed``: why the rows or a start differ from the list before ("scene", "lead", "wish", "start", "gone"),
    empty where they do not. ``stale``: why the list is an older one, empty for a new one.
    """

    pts_s: Seconds
    window_s: Seconds
    advice: str  # "stay", "could switch" or "switch"
    items: tuple[Item, ...]
    late_ms: Tenths | None = None
    seen: VisualStats | None = None
    switch: Switch | None = None
    duck_db: Tenths | None = None
    asked: ViewerState | None = None
    on_air: OnAirNow | None = None
    changed: str = ""
    stale: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """A change of shot; ``strength`` in [0, 1]."""

    pts_s: Seconds
    strength: Share


@dataclass(frozen=True, slots=True)
class Scene:
    """A new scene began at ``pts_s``: about 2 s ago, or just now where the source told it. What came before is no
    longer part of the window."""

    pts_s: Seconds


@dataclass(frozen=True, slots=True)
class Reset:
    """The timestamps broke: the window was emptied and media time starts again at 0."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that was not carried out, and why. ``command`` is its type as sent, at most 40 characters."""

    command: str
    reason: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What a wish did: ``text`` says it. ``up`` and ``down``: how many of the other candidates its taste alone
    raises and lowers by half a point of 100 or more; ``most``: the largest of these moves, in [0, 1]."""

    text: str
    up: int = 0
    down: int = 0
    most: Share = 0.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command that was carried out; ``track`` where it was about one, ``effect`` where it is known."""

    command: str
    track: str | None = None
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The session ended because of a failure; the text is for the viewer. ``Failed`` is followed by ``End``."""

    reason: str


@dataclass(frozen=True, slots=True)
class Warned:
    """The input was damaged, the session went on or ended normally."""

    reason: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A hop was given up ``late_ms`` after it began, because the engine was too slow. For the operator: viewers do
    not get it."""

    late_ms: float


@dataclass(frozen=True, slots=True)
class Opened:
    """The session runs on a server, where viewers know it by the id ``session``. For sinks: viewers do not get it."""

    session: str
    label: str


@dataclass(frozen=True, slots=True)
class Aired:
    """What is on air from this moment on, as the session's player has just said: None for nothing; ``position_s`` into
    the track, if it is known; ``paused``: it stands still there. For sinks: viewers get a message of their own."""

    track: str | None
    position_s: float | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Restocked:
    """The catalogue changed while the session runs, which a replay cannot repeat: it has ``tracks`` now. For sinks:
    viewers get a message of the server."""

    tracks: int
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class End:
    """The last event of a session. ``dropped`` counts frames lost to overload or bad timestamps; frames that the
    sampler had no use for count in ``frames`` only.
    """

    frames: int
    sampled: int
    dropped: int
    suggestions: int
    skipped_hops: int = 0


Question = Infer | Search | Beats
Message = Suggestions | Cut | Scene | Reset | Refused | Accepted | Failed | Warned | End  # what viewers get
Inner = GivenUp | Opened | Aired | Restocked  # what they do not get
Notice = Message | Inner
Event = Question | Notice
