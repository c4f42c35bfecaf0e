"""The wishes of viewers as one value: an undo puts the previous value back.

Everything here is immutable: a wish makes a new ``Preferences`` of the one before.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from catalog.records import Candidate, Filters

from .commands import (
    CommandError,
    GiveBack,
    Like,
    Pin,
    SetBack,
    SetFilters,
    SetSteer,
    SetWeights,
    Skip,
    Undo,
    Unlike,
    Unskip,
    Wish,
)
from .events import Steer, ViewerState, Weights, Wished

MAX_SKIPPED: Final = 1000
MAX_LIKED: Final = 200
MAX_UNDO: Final = 50
LISTED: Final = 50  # newest liked tracks that viewers get, and as many skipped ones


@dataclass(frozen=True, slots=True)
class Preferences:
    """``skipped`` and ``liked`` hold track ids, each once, in the order in which they came. ``until``: when a skip is
    over, by its track, in seconds since the session began; a skip that is not in it lasts as long as the session."""

    filters: Filters = field(default_factory=Filters)
    skipped: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    pinned: str | None = None
    steer: Steer = field(default_factory=Steer)
    weights: Weights = field(default_factory=Weights)
    until: tuple[tuple[str, float], ...] = ()

    def order(self) -> tuple[object, ...]:
        """The wishes that decide the order of tracks; the others only leave tracks out or put one first."""
        return self.filters, self.liked, self.steer, self.weights


def apply_wish(before: Preferences, wish: Wish, now_s: float = 0.0, first: Preferences | None = None) -> Preferences:
    """``before`` with one more wish, made at ``now_s`` of the session; ``first``: what the session began with. Raises
    CommandError with the reason if the wish cannot be met."""
    match wish:
        case SetFilters():
            return replace(before, filters=wish.filters)
        case Skip():
            return _skip(before, wish, now_s)
        case Unskip():
            return _unskip(before, lambda track: track == wish.track)
        case Pin():
            _check_not_skipped(before, wish.track)
            return replace(before, pinned=wish.track)
        case Like():
            _check_not_skipped(before, wish.track)
            liked = _with(before.liked, wish.track)
            if len(liked) > MAX_LIKED:
                raise CommandError(f"{MAX_LIKED} tracks are liked already; unlike some")
            return replace(before, liked=liked)
        case Unlike():
            return replace(before, liked=_without(before.liked, wish.track))
        case SetSteer():
            return replace(before, steer=replace(before.steer, **_set_fields(wish)))
        case SetWeights():
            try:
                return replace(before, weights=replace(before.weights, **_set_fields(wish)))
            except ValueError as error:
                raise CommandError(str(error)) from error
        case SetBack():
            back = first or Preferences()
            names = {*wish.what, *(("until",) if "skipped" in wish.what else ())}
            return replace(before, **{name: getattr(back, name) for name in names})
        case GiveBack():
            return _give_back(before, wish, now_s)


def drop_expired(wishes: Preferences, now_s: float) -> Preferences:
    """``wishes`` without the skips that are over by ``now_s``."""
    over = {track for track, until_s in wishes.until if until_s <= now_s}
    return _unskip(wishes, lambda track: track in over) if over else wishes


class UndoStack:
    """The wishes as they stand, and the newest ``MAX_UNDO`` steps back; older wishes cannot be undone. A wish that
    changes nothing is no step. Times are seconds since the session began, and never go back."""

    def __init__(self, wishes: Preferences) -> None:
        self.wishes = self._first = wishes
        self._before: deque[tuple[str | None, Preferences]] = deque(maxlen=MAX_UNDO)
        self._titles: dict[str, str] = {}  # of tracks that are liked or skipped

    def state(self, now_s: float = 0.0) -> ViewerState:
        """The state for viewers at ``now_s``."""
        now = self.wishes
        until = dict(now.until)
        liked, skipped = now.liked[-LISTED:], now.skipped[-LISTED:]
        return ViewerState(
            now.steer,
            now.weights,
            now.pinned,
            len(self._before),
            tuple(Wished(track, self._titles.get(track, "")) for track in liked),
            tuple(
                Wished(track, self._titles.get(track, ""), max(0.0, until[track] - now_s) if track in until else None)
                for track in skipped
            ),
            len(now.liked) - len(liked) + len(now.skipped) - len(skipped),
            now.filters,
        )

    def know(self, candidates: Iterable[Candidate]) -> None:
        """Keep the titles of those that are liked or skipped."""
        named = {*self.wishes.liked, *self.wishes.skipped}
        self._titles = {track: title for track, title in self._titles.items() if track in named}
        self._titles |= {c.track.id: c.track.title for c in candidates if c.track.id in named}

    def title(self, track: str) -> str:
        """Of a track that is liked or skipped; empty where it is not known."""
        return self._titles.get(track, "")

    def pass_time(self, now_s: float) -> None:
        """Drop the skips that are over, and the steps back that would change nothing."""
        if drop_expired(self.wishes, now_s) == self.wishes:
            return
        self.wishes = drop_expired(self.wishes, now_s)
        steps: list[tuple[str | None, Preferences]] = []
        for track, before in self._before:
            current = drop_expired(before, now_s)
            if steps and steps[-1][1] == current:
                steps.pop()
            steps.append((track, current))
        if steps and steps[-1][1] == self.wishes:
            steps.pop()
        self._before = deque(steps, maxlen=MAX_UNDO)

    def take(self, command: Wish | Undo, now_s: float = 0.0) -> str | None:
        """Carry out one wish, or take back the newest. Returns the track that it was about, if any.

        Raises CommandError for what cannot be carried out; nothing has changed then.
        """
        self.pass_time(now_s)
        if isinstance(command, Undo):
            if not self._before:
                raise CommandError("there is nothing to undo")
            track, before = self._before.pop()
            self.wishes = drop_expired(before, now_s)
            return track
        after = apply_wish(self.wishes, command, now_s, self._first)
        track = command.track if isinstance(command, Skip | Unskip | Pin | Like | Unlike) else None
        if after != self.wishes:
            self._before.append((track, self.wishes))
        self.wishes = after
        return track


def _skip(before: Preferences, wish: Skip, now_s: float) -> Preferences:
    skipped = _with(before.skipped, wish.track)
    if len(skipped) > MAX_SKIPPED:
        raise CommandError(f"{MAX_SKIPPED} tracks are skipped already; use filters")
    until = tuple((track, until_s) for track, until_s in before.until if track != wish.track)
    return replace(
        before,
        skipped=skipped,
        liked=_without(before.liked, wish.track),
        pinned=None if before.pinned == wish.track else before.pinned,
        until=until if wish.for_s is None else (*until, (wish.track, now_s + wish.for_s)),
    )


def _unskip(before: Preferences, over: Callable[[str], bool]) -> Preferences:
    skipped = tuple(track for track in before.skipped if not over(track))
    return replace(before, skipped=skipped, until=tuple(entry for entry in before.until if not over(entry[0])))


def _give_back(before: Preferences, wish: GiveBack, now_s: float) -> Preferences:
    """All of them, except likes and a pin of tracks that are skipped here. Raises CommandError at a bound."""
    parts: list[Wish] = [part for part in (wish.steer, wish.weights) if part is not None]
    parts += [] if wish.filters is None else [SetFilters(wish.filters)]
    parts += [Like(track) for track in wish.liked if track not in before.skipped]
    parts += [] if wish.pinned is None or wish.pinned in before.skipped else [Pin(wish.pinned)]
    for part in (*parts, *wish.skipped):
        before = apply_wish(before, part, now_s)
    return before


def _with(tracks: tuple[str, ...], track: str) -> tuple[str, ...]:
    return tracks if track in tracks else (*tracks, track)


def _without(tracks: tuple[str, ...], track: str) -> tuple[str, ...]:
    return tuple(other for other in tracks if other != track)


def _check_not_skipped(wishes: Preferences, track: str | None) -> None:
    if track in wishes.skipped:
        raise CommandError("this track is skipped in this session; unskip it first")


def _set_fields(wish: SetSteer | SetWeights) -> dict[str, float]:
    return {name: value for name, value in asdict(wish).items() if value is not None}
