"""From ranked candidates to the items of a list: their order, where to start, and why.

State: the rows and which track holds the first place (``hysteresis``), where each track is to be started (``starts``),
the facts of the rows (``facts``), the ways out of the newest rows' tracks, and the newest items, for when no track
passes the filters any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.records import Outline

from .cues import leave_at, loop_at
from .events import Fact, Item, Weights
from .facts import Facts, Setting
from .hysteresis import STAY, Hysteresis, HysteresisOptions
from .preferences import Preferences
from .ranking import Pictures, Ranked
from .rows import Row
from .starts import Starts

START = "start"


@dataclass(frozen=True, slots=True)
class Listed:
    """The items, the advice, why they changed (empty where they did not), and why they are old, if they are."""

    items: tuple[Item, ...]
    advice: str
    changed: str = ""
    stale: str = ""


class Listing:
    """One list a hop."""

    def __init__(self, options: HysteresisOptions, size: int) -> None:
        self.hysteresis = Hysteresis(options, size)
        self._starts = Starts()
        self._facts = Facts()
        self._newest: tuple[Item, ...] = ()
        self._ways: dict[str, _Ways] = {}  # of the newest rows, by track

    @property
    def tracks(self) -> frozenset[str]:
        """The tracks that hold a place: each search keeps them."""
        incumbent = self.hysteresis.incumbent
        return frozenset(self.hysteresis.tracks) | ({incumbent} if incumbent is not None else set())

    @property
    def begins_s(self) -> dict[str, float]:
        """Track -> where it is to be started, of those listed lately."""
        return self._starts.by_track

    def reset(self) -> None:
        """The stream begins anew."""
        self.hysteresis.reset()
        self._starts.forget()
        self._newest = ()

    def compose(
        self,
        ranked: Sequence[Ranked],
        now: Pictures,
        setting: Setting,
        wishes: Preferences,
        cut: bool,
        playing: str | None,
        passed_s: float,
    ) -> Listed:
        """The list of this hop; ``ranked`` as ``Hysteresis.place`` takes it."""
        weights: Weights = wishes.weights
        placed = self.hysteresis.place(ranked, cut, playing, wishes.pinned, weights, passed_s)
        facts_by_row = self._facts.of([row.entry for row in placed.rows], now, setting)
        items, moved = [], False
        before, self._ways = self._ways, {}
        for place, (row, facts) in enumerate(zip(placed.rows, facts_by_row, strict=True), start=1):
            candidate = row.entry.candidate
            start_s, is_new = self._starts.choose(candidate, passed_s, candidate.track.id == playing)
            moved |= is_new
            ways = before.get(candidate.track.id)
            if ways is None or ways.outline is not candidate.outline or ways.start_s != start_s:
                ways = _ways(candidate.outline, start_s)
            self._ways[candidate.track.id] = ways
            items.append(_item(place, row, ways, facts, wishes))
        self._newest = tuple(items)
        return Listed(self._newest, placed.advice, placed.changed or (START if moved else ""))

    def keep(self, reason: str) -> Listed:
        """The previous list, since there is no new one. Searches still keep its tracks."""
        return Listed(self._newest, STAY, stale=reason)


@dataclass(frozen=True, slots=True, eq=False)
class _Ways:
    """Out of a track that is started at ``start_s``: where to leave it, and the loop. They stay while that does."""

    outline: Outline | None
    start_s: float
    leave_s: float | None
    loop: tuple[float, float] | None


def _ways(outline: Outline | None, start_s: float) -> _Ways:
    if outline is None:
        return _Ways(None, start_s, None, None)
    return _Ways(outline, start_s, leave_at(outline, start_s), loop_at(outline, start_s))


def _item(place: int, row: Row, ways: _Ways, facts: tuple[Fact, ...], wishes: Preferences) -> Item:
    entry, track = row.entry, row.entry.candidate.track
    return Item(
        rank=place,
        track=track.id,
        title=track.title,
        artist=track.artist,
        start_s=ways.start_s,
        duration_s=track.duration_s,
        score=row.score,
        reasons=entry.reasons,
        tempo_bpm=track.tempo_bpm,
        licence=track.licence,
        adjust=entry.added(wishes.weights),
        liked=track.id in wishes.liked,
        held=row.held,
        lift=row.lift,
        gain_db=entry.candidate.gain_db,
        leave_s=ways.leave_s,
        loop=ways.loop,
        facts=facts,
        attribution=track.attribution,
        live_ok=track.rights.live_ok,
        vod_ok=track.rights.vod_ok,
        marks=track.marks,
    )
