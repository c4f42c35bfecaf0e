"""A list tells of each track how it is credited, what is allowed and what to warn of; filters ask for the same."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from catalog.records import Candidate, Filters
from catalog.rights import Rights
from stream.core.events import Event, Suggestions
from stream.core.session import Session

Fake = Callable[..., Any]
ALLOWED = Rights(live_ok=True, vod_ok=False, source="a shop")


@pytest.fixture
def hop(fake_runtime: Fake, features: Fake) -> Callable[..., Suggestions]:
    """``hop(command=None)``: the list of the next second. Of every second track it is said what is allowed."""
    runtime = fake_runtime()
    found = runtime._search

    def search(query: Any, n: int, filters: Filters) -> list[Candidate]:
        marked = [
            replace(each, track=replace(each.track, licence="CC-BY-NC-4.0", rights=ALLOWED, moods=("calm",)))
            if int(each.track.id, 16) % 2
            else each
            for each in found(query, 99, Filters())
        ]
        return [each for each in marked if filters.passes(each.track)][:n]

    runtime._search = search
    session = Session(runtime.model)
    slots = iter(range(10_000))

    def events(asked: list[Event]) -> Iterator[Event]:
        while asked:
            event = asked.pop(0)
            if hasattr(event, "id"):
                asked += session.result(event.id, runtime.answer(event))
            else:
                yield event

    def run(command: dict[str, Any] | None = None) -> Suggestions:
        said = [] if command is None else list(events(session.command(command)))
        for slot in (next(slots) for _ in range(8)):
            said += events(session.push(features(slot), slot))
        [told] = [event for event in said if isinstance(event, Suggestions)]
        return told

    return run


def test_every_item_has_them(hop: Callable[..., Suggestions]) -> None:
    items = {int(item.track, 16): item for item in hop().items}
    assert {number % 2 for number in items} == {0, 1}
    for number, item in items.items():
        if number % 2:
            assert (item.live_ok, item.vod_ok, item.marks) == (True, False, ("NC",))
            assert item.attribution == (
                f'"title {number}" by somebody, a shop, CC BY-NC 4.0 (https://creativecommons.org/licenses/by-nc/4.0/)'
            )
        else:
            assert (item.live_ok, item.vod_ok, item.marks) == (None, None, ())
            assert item.attribution.startswith(f'"title {number}" by somebody, CC0')


def test_filters_ask_for_what_is_allowed(hop: Callable[..., Suggestions]) -> None:
    for filters in ({"live_ok": True}, {"moods": ["Calm"]}, {"live_ok": True, "moods": ["calm", "dark"]}):
        told = hop({"type": "filters", **filters})
        assert told.items and all(int(item.track, 16) % 2 for item in told.items) and not told.stale
    told = hop({"type": "filters", "vod_ok": True})
    assert told.stale == "no track passes the filter VOD allowed; the list is the one before"
