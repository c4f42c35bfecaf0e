"""How far the events of a replayed call are from the recorded ones, both as records (``values.event_record``)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from catalog.records import Filters
from stream.core.events import Item

Records = Sequence[Mapping[str, Any]]

CAME_LATER: Final = frozenset(
    field.name for kind in (Item, Filters) for field in fields(kind) if "later" in field.metadata
)


def as_then(now: Any, then: Any) -> Any:
    """What an event says now, without fields that the recording's events do not have: they came later."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {
            key: as_then(value, then.get(key)) for key, value in now.items() if key in then or key not in CAME_LATER
        }
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [as_then(*pair) for pair in zip(now, then, strict=True)]
    return now


def difference(recorded: Records, now: Records) -> str | None:
    """The first difference in words; None where there is none."""
    for then, current in zip(recorded, now, strict=False):
        if then != current:
            return _of_event(then, current)
    if len(recorded) != len(now):
        return f"{len(now)} events came of one call, {len(recorded)} in the recording"
    return None


def asked(events: Records) -> list[tuple[Any, ...]]:
    """Which questions were asked, whatever their inputs."""
    return [
        (event.get("say"), event.get("id"), event.get("graph"), event.get("track"))
        for event in events
        if event.get("say") in ("Beats", "Infer", "Search")
    ]


def score_gap(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> float | None:
    """The largest difference of a score between two lists; None where they have other tracks or another order. Raises
    KeyError, TypeError or ValueError for a recorded list that is none."""
    before, after = ([(item["track"], float(item["score"])) for item in one["items"]] for one in (recorded, now))
    if [track for track, _ in before] != [track for track, _ in after]:
        return None
    return max((abs(then - current) for (_, then), (_, current) in zip(before, after, strict=True)), default=0.0)


def _of_event(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    kinds = recorded.get("say"), now["say"]
    if kinds[0] != kinds[1]:
        return f"{kinds[1]} came where {str(kinds[0])[:40]} came in the recording"
    if kinds[1] == "Infer" and recorded.get("graph") == now["graph"]:
        return f"question {now['id']} (graph {now['graph']}) was asked with other inputs"
    if kinds[1] == "Search":
        return f"question {now['id']} (search in the catalogue) was asked with other inputs"
    for path, then, current in _leaves(recorded, now, str(kinds[1])):
        if then != current:
            return f"{path} is {str(current)[:80]}, in the recording {str(then)[:80]}"
    return f"{kinds[1]} differs"


def _leaves(then: Any, now: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Both sides of two nested values, leaf by leaf."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted({*then, *now}):
            yield from _leaves(then.get(key), now.get(key), f"{path}.{key}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, (left, right) in enumerate(zip(then, now, strict=True)):
            yield from _leaves(left, right, f"{path}[{place}]")
    else:
        yield path, then, now
