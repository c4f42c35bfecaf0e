"""Who feeds a session may change: taken over, lost and back again, too late, too long; and who is let in at all."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.events import End, Notice
from stream.core.pace import Pace
from stream.server.admission import ENOUGH, Load
from stream.server.errors import BusyError
from stream.server.hub import STOPPED, Hub, HubOptions
from stream.server.limits import ADDRESSES, RateLimit


class NotedLive:
    """A live half that notes what it is given."""

    def __init__(self, publish: Callable[[Notice], None]) -> None:
        self.publish = publish
        self.frames: list[Any] = []
        self.closed = asyncio.Event()

    def offer(self, frame: av.VideoFrame, *_: Any) -> None:
        self.frames.append(frame)

    def listen(self, frame: av.AudioFrame) -> None:
        self.frames.append(("sound", frame))

    def command(self, message: dict[str, Any]) -> None:
        pass

    def follow(self, pace: Pace) -> None:
        self.pace = pace

    async def run(self) -> None:
        await self.closed.wait()
        self.publish(End(0, 0, 0, 0))

    async def close(self) -> None:
        self.closed.set()


class Feeder:
    """A publisher in the test's hands."""

    def __init__(self) -> None:
        self.connected = True
        self.frames = 0
        self.closed = False

    def connect(self, on_frame: Any, on_sound: Any, on_end: Any) -> "Feeder":
        self.on_frame, self.on_sound, self.on_end = on_frame, on_sound, on_end
        return self

    def send(self, frame: Any) -> None:
        self.frames += 1
        self.on_frame(frame)

    def follow(self, pace: Pace) -> None:
        self.pace = pace

    async def close(self) -> None:
        self.closed = True


def scene(options: HubOptions, act: Callable[[Hub], Any]) -> None:
    async def play() -> None:
        hub = Hub(NotedLive, options)
        await act(hub)
        await hub.close()

    asyncio.run(play())


def test_the_same_key_takes_the_session_over() -> None:
    async def act(hub: Hub) -> None:
        one, other = Feeder(), Feeder()
        session = hub.begin("cam", "desk", one.connect)
        secret, tag = session.secret, session.turn
        viewer = session.join()
        one.send("a")
        one.on_sound("s")
        assert hub.begin("cam", "desk", other.connect) is session
        one.send("late")  # nobody hears who was taken over
        one.on_end("the connection failed")
        other.send("b")
        assert session.live.frames == ["a", ("sound", "s"), "b"] and session.frames == 2 + (one.frames - 2)
        assert session.secret != secret and session.turn != tag and hub.by_secret(secret) is None
        assert viewer in session.viewers and len(hub.sessions) == 1 and hub.counters.taken_over == 1
        await asyncio.sleep(0)
        assert one.closed and not other.closed

    scene(HubOptions(), act)


def test_a_lost_publisher_may_come_back_within_its_grace() -> None:
    async def act(hub: Hub) -> None:
        one, other = Feeder(), Feeder()
        session = hub.begin("cam", "desk", one.connect)
        viewer = session.join()
        one.on_end("the connection failed")
        assert "waiting 30 s" in json.loads(await viewer.next() or "")["reason"]
        assert session.summary()["waiting"] and not session.connected
        assert hub.begin("cam", "desk", other.connect) is session
        assert session.connected and hub.counters.resumed == 1 and hub.counters.lost_publishers == 1

    scene(HubOptions(), act)


@pytest.mark.parametrize(("key", "grace_s"), [("", 20.0), ("desk", 0.0)])
def test_without_key_or_grace_a_lost_publisher_ends_the_session(key: str, grace_s: float) -> None:
    async def act(hub: Hub) -> None:
        one = Feeder()
        session = hub.begin("cam", key, one.connect)
        viewer = session.join()
        one.on_end("the connection failed")
        while await viewer.next() is not None:
            pass
        assert viewer.reason == "the connection failed" and hub.sessions == []

    scene(HubOptions(grace_s=grace_s), act)


def test_who_stays_away_too_long_has_lost_the_session() -> None:
    async def act(hub: Hub) -> None:
        one, other = Feeder(), Feeder()
        session = hub.begin("cam", "desk", one.connect)
        viewer = session.join()
        one.on_end("no video for 15 s")
        while await asyncio.wait_for(viewer.next(), 10) is not None:
            pass
        assert hub.counters.idle == 1
        assert hub.begin("cam", "desk", other.connect) is not session

    scene(HubOptions(grace_s=0.05), act)


def test_who_stops_is_not_waited_for() -> None:
    async def act(hub: Hub) -> None:
        one = Feeder()
        session = hub.begin("cam", "desk", one.connect)
        await hub.end(session, STOPPED)
        assert hub.sessions == [] and one.closed

    scene(HubOptions(), act)


def test_a_session_has_a_longest_time_whoever_feeds_it() -> None:
    async def act(hub: Hub) -> None:
        one, other = Feeder(), Feeder()
        session = hub.begin("cam", "desk", one.connect)
        hub.begin("cam", "desk", other.connect)
        viewer = session.join()
        while await asyncio.wait_for(viewer.next(), 10) is not None:
            pass
        assert "lasts 0.1 s at most" in viewer.reason and other.closed

    scene(HubOptions(max_session_s=0.1), act)


def test_the_bound_is_for_new_sessions_only_and_nobody_enters_a_closing_hub() -> None:
    async def act(hub: Hub) -> None:
        hub.begin("a", "one", Feeder().connect)
        with pytest.raises(BusyError, match="all 1 sessions"):
            hub.begin("b", "two", Feeder().connect)
        hub.begin("a", "one", Feeder().connect)
        hub.refuse_all("the server is stopping")
        with pytest.raises(BusyError, match="stopping"):
            hub.begin("a", "one", Feeder().connect)

    scene(HubOptions(max_sessions=1), act)


def test_nobody_is_let_in_while_the_others_are_late() -> None:
    load = Load(250.0)
    assert load.refusal(0.0) is None
    for at in range(ENOUGH):
        load.note(float(at), 40.0)
    assert load.refusal(5.0) is None and load.late_ms(5.0) == pytest.approx(40.0)
    for at in range(10):
        load.note(6.0 + at / 10, 900.0)
    refusal = load.refusal(7.0)
    assert refusal is not None and "900 ms late" in refusal
    assert load.refusal(30.0) is None  # it is long ago
    always = Load(0.0)
    for at in range(10):
        always.note(float(at), 1e6)
    assert always.refusal(9.0) is None


@given(st.lists(st.floats(0, 30), min_size=1, max_size=80))
def test_an_address_never_gets_more_than_its_share(gaps: list[float]) -> None:
    limit = RateLimit(burst=5, per_s=0.5)
    now_s = 0.0
    let_in = 0
    for gap in gaps:
        now_s += gap
        wait_s = limit.wait_s("a", now_s)
        let_in += wait_s == 0
        assert let_in <= 5 + 0.5 * now_s + 1e-6
        if wait_s:
            assert limit.wait_s("b" + str(now_s), now_s) == 0  # others are not held up
            assert wait_s <= 2.0
    assert RateLimit(burst=1, per_s=0).wait_s("a", 0.0) == 0


def test_only_so_many_addresses_are_remembered() -> None:
    limit = RateLimit(burst=1, per_s=0.001)
    assert limit.wait_s("first", 0.0) == 0 and limit.wait_s("first", 0.0) > 0
    for number in range(ADDRESSES):
        limit.wait_s(str(number), 1.0)
    assert limit.wait_s("first", 1.0) == 0
