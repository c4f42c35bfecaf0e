"""What a wish does to the other tracks, for the viewer who made it.

Only taste is compared: the candidates of the newest hop, once with the likes and skips before the wish and once with
those after it. Where the profile of the wish's own track is not known yet, nothing is said of others.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from catalog.records import Candidate

from .commands import Command, Like, Skip, Unlike, Unskip
from .events import Effect
from .preferences import Preferences
from .taste import Profiles, pull

LEAST: Final = 0.005  # of a score: half a point of 100


def effect(
    command: Command, before: Preferences, after: Preferences, candidates: Sequence[Candidate], known: Profiles
) -> Effect | None:
    """What ``command`` did to the ``candidates`` of the newest hop; None where it is nothing of note."""
    moves = np.zeros(0)
    if (before.liked, before.skipped) != (after.liked, after.skipped):
        was, now = (_pulls(wishes, candidates, known) for wishes in (before, after))
        about = getattr(command, "track", None)
        moves = np.array([now[track] - was[track] for track in now if track in was and track != about])
    up, down = int((moves >= LEAST).sum()), int((moves <= -LEAST).sum())
    most = float(np.abs(moves).max()) if up + down else 0.0
    text = "; ".join(filter(None, (_about(command), _others(command, up, down, most))))
    return Effect(text, up, down, most) if text else None


def _pulls(wishes: Preferences, candidates: Sequence[Candidate], known: Profiles) -> dict[str, float]:
    """What taste adds to each track that is not skipped; it depends on the other candidates."""
    pool = [candidate for candidate in candidates if candidate.track.id not in wishes.skipped]
    added = pull(pool, known, wishes.liked, wishes.skipped).tolist()
    return dict(zip((candidate.track.id for candidate in pool), added, strict=True))


def _about(command: Command) -> str:
    match command:
        case Skip():
            return f"left out for {_lasting(command.for_s)}"
        case Unskip():
            return "may be suggested again"
        case _:
            return ""


def _lasting(seconds: float | None) -> str:
    if seconds is None:
        return "the rest of this stream"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def _others(command: Command, up: int, down: int, most: float) -> str:
    """First the tracks that sound like the one of the wish, if it names one, then the others."""
    if not up + down:
        return ""
    alike = isinstance(command, Like | Unlike | Skip | Unskip)
    rises = isinstance(command, Like | Unskip) or not alike
    ways = [(up, "up"), (down, "down")] if rises else [(down, "down"), (up, "up")]
    kinds = (" like it", " unlike it") if alike else ("", "")
    parts: list[str] = []
    for (count, way), kind in zip(ways, kinds, strict=True):
        if count and parts:
            parts.append(f"{count}{kind} {way}")
        elif count:
            parts.append(f"{count} other{'s' * (count > 1)}{kind} move{'s' * (count == 1)} {way}")
    points = max(1, round(100 * most))
    return f"{', '.join(parts)}, by {points} point{'s' * (points > 1)} of 100 at most"
