"""A catalogue that changes while the server runs: who is told what, and what happens when it cannot be read."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.errors import FormatError
from catalog.records import Track
from catalog.snapshot import Changes
from stream.core.events import Restocked, Warned
from stream.server.restock import Restock


def track(id: str, title: str = "") -> Track:
    return Track(id, title, "", Path(f"/music/{id}.ogg"), 60.0, 100.0, "", ())


class Shelf:
    """Answers with each of these in turn, then with no changes."""

    def __init__(self, *answers: Changes | Exception) -> None:
        self.answers = list(answers)
        self.done = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return 7

    def __contains__(self, id: str) -> bool:
        return id == "better"

    def refresh(self) -> Changes:
        if not self.answers:
            self.loop.call_soon_threadsafe(self.done.set)
            return Changes()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def session(air: str | None = None, pinned: str | None = None, ending: object = None) -> Any:
    noted: list[object] = []
    told: list[dict[str, Any]] = []
    said: list[object] = []
    return SimpleNamespace(
        ending=ending, note=noted.append, viewers=SimpleNamespace(tell=told.append), publish=said.append, noted=noted,
        told=told, said=said, role=SimpleNamespace(air=None if air is None else SimpleNamespace(track=air)),
        asked=SimpleNamespace(pinned=pinned)
    )  # fmt: skip


async def run(sessions: Callable[[], list[Any]], *answers: Changes | Exception) -> None:
    shelf = Shelf(*answers)
    task = asyncio.create_task(Restock(shelf, sessions, 0.001).run())
    await asyncio.wait_for(shelf.done.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_every_session_is_told_and_those_that_lose_something_what() -> None:
    changes = Changes((track("a"),), (track("b"), track("c")), (track("d", "Dawn"), track("e"), track("better")))
    sessions = [session(), session(air="d", pinned="e"), session(air="b", pinned="better"), session(ending=object())]
    asyncio.run(run(lambda: sessions, changes))
    message = {"v": 1, "type": "catalog", "tracks": 7, "added": 1, "changed": 2, "removed": 3}
    assert [one.told for one in sessions] == [[message]] * 3 + [[]]
    assert [one.noted for one in sessions] == [[Restocked(7, 1, 2, 3)]] * 3 + [[]]
    assert sessions[1].said == [
        Warned("“Dawn”, which is on air, is no longer in the catalogue; it plays on"),
        Warned("“e.ogg”, which is pinned, is no longer in the catalogue"),
    ]
    assert not sessions[0].said and not sessions[2].said


def test_a_catalogue_that_cannot_be_read_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    one = session()
    bad = FormatError("c: schema 99, not 7")
    with caplog.at_level(logging.WARNING, "stream.server.restock"):
        asyncio.run(run(lambda: [one], bad, bad, bad, ZeroDivisionError("oh"), Changes((track("a"),))))
    assert [record.getMessage() for record in caplog.records] == [
        "the catalogue stays as it was, changes are not seen: c: schema 99, not 7",
        "the catalogue stays as it was, changes are not seen: oh",
        "the catalogue is read again",
    ]
    assert caplog.records[0].exc_info is None and caplog.records[1].exc_info is not None
    assert len(one.told) == 1
