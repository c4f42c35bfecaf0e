"""When a track makes way for the next one while Auto is on, as the page's player does it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LAST_S: Final = 3.0  # before its end, a track makes way
SOONEST_S: Final = 5.0  # after its start a track is not left yet
SHORT_S: Final = 0.25  # of fade, where a jump within a track or a bar leaves no time for more
BAR_S: Final = 3.0  # at most so long a bar is waited for
NEAR_S: Final = 2.0  # further behind a loop it was passed on purpose

Item = Mapping[str, Any]  # one of the suggestions, as on the wire


def leave_at(
    track: str, start_s: float, length_s: float, on_air: Item | None, item: Item | None, fade_s: float
) -> float:
    """Where to begin leaving a track, in its own seconds. ``on_air``: of the newest list; ``item``: the suggestion that
    was played."""
    told = on_air if on_air is not None and on_air.get("track") == track else None
    end_s = length_s
    if told is not None and told.get("left_s") is not None and told.get("position_s") is not None:
        end_s = float(told["position_s"]) + float(told["left_s"])
    leave_s = (told or {}).get("leave_s")
    if leave_s is None and item is not None:
        leave_s = item.get("leave_s")
    last_s = end_s - LAST_S
    if leave_s is not None and leave_s > start_s + SOONEST_S:
        return min(float(leave_s) - fade_s, last_s)
    return last_s


def before_bar(bars_s: NDArray[np.floating], earliest_s: float, fade_s: float) -> tuple[float, float]:
    """Where to begin a fall, not before ``earliest_s``, and how long it takes, so that it ends on a bar of what plays;
    where no bar comes soon, at once."""
    later = bars_s[(bars_s >= earliest_s + SHORT_S) & (bars_s <= earliest_s + fade_s + BAR_S)]
    if not len(later):
        return earliest_s, fade_s
    fade_s = min(fade_s, float(later[0]) - earliest_s)
    return float(later[0]) - fade_s, fade_s


def loop_of(track: str, on_air: Item | None, item: Item | None) -> tuple[float, float] | None:
    """The loop (from, to) by which a track may go on, if it has one."""
    for told in (on_air, item):
        if told is not None and told.get("track") == track and told.get("loop"):
            from_s, to_s = told["loop"]
            return float(from_s), float(to_s)
    return None


def choose(suggestions: Item | None, besides: str | None = None) -> Item | None:
    """The best suggestion that is not skipped, and not ``besides``."""
    if suggestions is None:
        return None
    skipped = {each.get("track") for each in (suggestions.get("asked") or {}).get("skipped") or ()}
    items: Sequence[Item] = suggestions.get("items") or ()
    return next((item for item in items if item["track"] not in skipped and item["track"] != besides), None)


def follow_up(suggestions: Item | None, track: str) -> Item | None:
    """What is to come after ``track``: what the session has named, else the best other one."""
    named = ((suggestions or {}).get("on_air") or {}).get("next")
    items: Sequence[Item] = (suggestions or {}).get("items") or ()
    return next((item for item in items if named is not None and item["track"] == named), None) or choose(
        suggestions, track
    )
