"""The deck's seat in a session: one message that cannot be dealt with costs no other."""

import asyncio
import logging
from typing import Any, cast

import pytest

from stream.obs.deck import ObsDeck
from stream.obs.seat import Seat
from stream.sinks.viewers import Viewer


class Deck:
    """Fails at the first list."""

    ready = False
    host = None

    def __init__(self) -> None:
        self.lists: list[Any] = []
        self.risen = 0

    def listed(self, host: Seat) -> None:
        self.lists.append(host.newest)
        if len(self.lists) == 1:
            raise RuntimeError("not thought of")

    def rise(self, host: Seat) -> None:
        self.risen += 1


class Session:
    def __init__(self) -> None:
        self.viewers: list[Viewer] = []

    def join(self, may: bool = True, page: str = "") -> Viewer:
        self.viewers.append(Viewer(may, page))
        return self.viewers[-1]

    def leave(self, viewer: Viewer) -> None:
        self.viewers.remove(viewer)


def test_a_message_that_fails_costs_no_other_and_the_seat_is_given_back(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        deck, session = Deck(), Session()
        seat = Seat(cast(Any, session), cast(ObsDeck, deck))
        for number in range(2):
            seat.viewer.put_object({"type": "suggestions", "number": number})
        seat.close()
        await seat.run()
        assert [each["number"] for each in deck.lists] == [0, 1]
        assert deck.risen == 1 and not session.viewers

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    assert "not thought of" in caplog.text
