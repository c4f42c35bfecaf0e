"""What viewers asked of the ranking, as one value, so that going back is putting the value before in its place.

Everything here is immutable: a wish makes a new ``Wishes`` of the one before.
"""

from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from catalog.records import Filters

from .commands import CommandError, Like, Pin, SetFilters, SetSteer, SetWeights, Skip, Undo, Unlike, Wish
from .events import Asked, Steer, Weights

MAX_SKIPPED: Final = 1000
MAX_LIKED: Final = 200
MAX_UNDO: Final = 50


@dataclass(frozen=True, slots=True)
class Wishes:
    """``skipped`` and ``liked`` hold track ids, each once, in the order in which they came."""

    filters: Filters = field(default_factory=Filters)
    skipped: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    pinned: str | None = None
    steer: Steer = field(default_factory=Steer)
    weights: Weights = field(default_factory=Weights)

    def order(self) -> tuple[object, ...]:
        """What the order of the tracks follows from; the rest only says which of them are there, or first."""
        return self.filters, self.liked, self.steer, self.weights


def wished(before: Wishes, wish: Wish) -> Wishes:
    """``before`` with one wish more. Raises CommandError with the reason for one that cannot be had."""
    match wish:
        case SetFilters():
            return replace(before, filters=wish.filters)
        case Skip():
            pinned = None if before.pinned == wish.track else before.pinned
            skipped = _with(before.skipped, wish.track)
            if len(skipped) > MAX_SKIPPED:
                raise CommandError(f"{MAX_SKIPPED} tracks are skipped already; use filters")
            return replace(before, skipped=skipped, liked=_without(before.liked, wish.track), pinned=pinned)
        case Pin():
            _not_skipped(before, wish.track)
            return replace(before, pinned=wish.track)
        case Like():
            _not_skipped(before, wish.track)
            liked = _with(before.liked, wish.track)
            if len(liked) > MAX_LIKED:
                raise CommandError(f"{MAX_LIKED} tracks are liked already; unlike some")
            return replace(before, liked=liked)
        case Unlike():
            return replace(before, liked=_without(before.liked, wish.track))
        case SetSteer():
            return replace(before, steer=replace(before.steer, **_given(wish)))
        case SetWeights():
            try:
                return replace(before, weights=replace(before.weights, **_given(wish)))
            except ValueError as error:
                raise CommandError(str(error)) from error


class Memory:
    """The wishes as they stand, and the way back: the newest ``MAX_UNDO``; older ones stand for good."""

    def __init__(self, wishes: Wishes) -> None:
        self.wishes = wishes
        self._before: deque[tuple[str | None, Wishes]] = deque(maxlen=MAX_UNDO)

    def asked(self) -> Asked:
        """As it is told to the viewers."""
        now = self.wishes
        return Asked(now.steer, now.weights, now.pinned, len(self._before))

    def take(self, command: Wish | Undo) -> str | None:
        """Carry out one wish, or take back the newest. Returns the track that it was about, if any.

        Raises CommandError for what cannot be carried out; nothing has changed then.
        """
        if isinstance(command, Undo):
            if not self._before:
                raise CommandError("there is nothing to undo")
            track, self.wishes = self._before.pop()
            return track
        after = wished(self.wishes, command)
        track = command.track if isinstance(command, Skip | Pin | Like | Unlike) else None
        self._before.append((track, self.wishes))
        self.wishes = after
        return track


def _with(tracks: tuple[str, ...], track: str) -> tuple[str, ...]:
    return tracks if track in tracks else (*tracks, track)


def _without(tracks: tuple[str, ...], track: str) -> tuple[str, ...]:
    return tuple(other for other in tracks if other != track)


def _not_skipped(wishes: Wishes, track: str | None) -> None:
    if track in wishes.skipped:
        raise CommandError("this track was skipped in this session")


def _given(wish: SetSteer | SetWeights) -> dict[str, float]:
    return {name: value for name, value in asdict(wish).items() if value is not None}
