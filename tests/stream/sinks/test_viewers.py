"""What viewers are told, and what one that comes late gets first."""

import asyncio
import json

from stream.core.events import Accepted, Cut, GivenUp, Reset, Suggestions
from stream.sinks.viewers import QUEUE_LIMIT, Viewer, Viewers


def texts(viewer: Viewer) -> list[str]:
    async def read() -> list[str]:
        viewer.close("over")
        found = []
        while (text := await viewer.next()) is not None:
            found.append(json.loads(text)["type"])
        return found

    return asyncio.run(read())


def test_viewers_are_not_told_of_the_machine() -> None:
    viewers, viewer = Viewers(), Viewer()
    viewers.join(viewer)
    viewers.put(GivenUp(900.0))
    viewers.put(Cut(1.0, 0.9))
    assert texts(viewer) == ["cut"]


def test_who_comes_late_gets_the_state_and_no_more() -> None:
    viewers = Viewers()
    for notice in (Suggestions(1.0, 1.0, "stay", ()), Accepted("like", "a"), Accepted("playing", "a"), Cut(1.5, 0.9)):
        viewers.put(notice)
    late = Viewer()
    viewers.join(late)
    assert texts(late) == ["suggestions", "accepted"]
    viewers.put(Reset("time stepped back"))
    later = Viewer()
    viewers.join(later)
    assert texts(later) == ["accepted"]


def test_who_comes_late_gets_the_newest_message_of_the_server() -> None:
    viewers, viewer = Viewers(), Viewer()
    viewers.join(viewer)
    for scene in ("Game", "BRB"):
        viewers.tell({"v": 1, "type": "obs", "scene": scene})
    assert texts(viewer) == ["obs", "obs"]
    late = Viewer()
    viewers.join(late)
    assert texts(late) == ["obs"]


def test_what_was_lost_is_counted_once_whoever_stays_or_leaves() -> None:
    viewers, stays, leaves = Viewers(), Viewer(), Viewer()
    viewers.join(stays)
    viewers.join(leaves)
    for second in range(QUEUE_LIMIT + 3):
        viewers.put(Cut(float(second), 0.9))
    assert viewers.lost == 6 and len(viewers) == 2
    viewers.leave(leaves)
    viewers.leave(leaves)
    assert viewers.lost == 6 and [*viewers] == [stays]
