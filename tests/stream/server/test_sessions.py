"""Who feeds a session may change: taken over, lost and back again, too late, too long; and who is let in at all."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.events import End
from stream.core.quality_level import QualityLevel
from stream.driver.live import LiveStats
from stream.server.admission import LEAST_MESSAGES, Load
from stream.server.errors import BusyError
from stream.server.hub import Hub, HubOptions
from stream.server.limits import ADDRESSES, RateLimit
from stream.sinks.base import Sinks
from stream.sources.arrival import Arrival
from stream.sources.ended import STOPPED, Ended, lost, silent


class NotedLive:
    """A live half that notes what it is given."""

    def __init__(self, sinks: Sinks) -> None:
        self.publish = sinks.put
        self.stats = LiveStats()
        self.frames: list[Any] = []
        self.closed = asyncio.Event()

    def offer(self, arrival: Arrival) -> None:
        self.frames.append(arrival.frame)

    def listen(self, frame: av.AudioFrame) -> None:
        self.frames.append(("sound", frame))

    def blank(self) -> None:
        self.blank_since = len(self.frames)

    def command(self, message: dict[str, Any]) -> None:
        pass

    def follow(self, level: QualityLevel) -> None:
        self.level = level

    async def run(self) -> None:
        await self.closed.wait()
        self.publish(End(0, 0, 0, 0))

    async def close(self) -> None:
        self.closed.set()


class Feeder:
    """A publisher in the test's hands."""

    def __init__(self) -> None:
        self.connected = True
        self.closed = False

    def connect(self, on_frame: Any, on_sound: Any, on_end: Any) -> "Feeder":
        self.on_frame, self.on_sound, self.on_end = on_frame, on_sound, on_end
        return self

    def send(self, frame: Any) -> None:
        self.on_frame(Arrival(frame))

    def follow(self, level: QualityLevel) -> None:
        self.level = level

    async def close(self) -> None:
        self.closed = True


def scene(options: HubOptions, act: Callable[[Hub], Any]) -> None:
    async def play() -> None:
        hub = Hub(NotedLive, options)
        await act(hub)
        await hub.close()

    asyncio.run(play())


def begun(hub: Hub, feeder: Feeder, key: str = "desk") -> Any:
    """The session that a feeder comes to."""
    return hub.begin("cam", key, feeder.connect).session


async def heard(viewer: Any) -> list[str]:
    """The reasons that wait for a viewer."""
    return [json.loads(await viewer.next())["reason"] for _ in range(len(viewer))]


def test_the_same_key_takes_the_session_over_with_the_first_frame() -> None:
    async def act(hub: Hub) -> None:
        one, other = Feeder(), Feeder()
        before = hub.begin("cam", "desk", one.connect)
        session = before.session
        viewer = session.join()
        one.send("a")
        one.on_sound("s")
        after = hub.begin("cam", "desk", other.connect)
        assert after.session is session and after.secret != before.secret and after.number != before.number
        other.on_sound("not yet")
        one.send("still")
        assert hub.counters.taken_over == 0 and hub.by_secret(before.secret) is before
        other.send("b")
        one.send("late")  # nobody hears who was taken over
        one.on_sound("late")
        one.on_end(lost("the connection failed"))
        other.on_sound("s")
        assert session.live.frames == ["a", ("sound", "s"), "still", "b", ("sound", "s")]
        assert hub.by_secret(before.secret) is None and hub.by_secret(after.secret) is after
        assert viewer in session.viewers and len(hub.sessions) == 1 and hub.counters.taken_over == 1
        await asyncio.sleep(0)
        assert one.closed and not other.closed

    scene(HubOptions(), act)


@pytest.mark.parametrize("ended", [lost("the connection could not be made"), silent(15.0), STOPPED])
@pytest.mark.parametrize("connected", [True, False])
def test_who_does_not_get_through_harms_nobody(ended: Ended, connected: bool) -> None:
    """A working publisher goes on, whatever becomes of the one that comes with its key."""

    async def act(hub: Hub) -> None:
        one = Feeder()
        session = begun(hub, one)
        one.send("a")
        viewer = session.join()
        for _ in range(3):
            other = Feeder()
            other.connected = connected
            assert begun(hub, other) is session
            other.on_end(ended)
            await asyncio.sleep(0)
            assert other.closed and not one.closed and session.inputs.coming is None
        one.send("b")
        assert session.live.frames == ["a", "b"] and hub.sessions == [session] and session.ending is None
        said = await heard(viewer)
        assert [ended.text in words for words in said] == ([] if ended.stopped else [True] * 3)
        assert hub.counters.taken_over == hub.counters.lost_publishers == 0
        assert hub.counters.never_connected == (0 if connected else 3)

    scene(HubOptions(), act)


def test_of_those_that_come_the_newest_wins() -> None:
    async def act(hub: Hub) -> None:
        feeders = [Feeder() for _ in range(50)]
        session = begun(hub, feeders[0])
        feeders[0].send("a")
        for feeder in feeders[1:]:
            begun(hub, feeder)
        await asyncio.sleep(0)
        assert [feeder.closed for feeder in feeders] == [False] + [True] * 48 + [False]
        feeders[7].send("too late")
        feeders[-1].send("b")
        assert session.live.frames == ["a", "b"] and len(session.inputs.all) == 1

    scene(HubOptions(), act)


def test_a_lost_publisher_may_come_back_within_its_grace() -> None:
    async def act(hub: Hub) -> None:
        one, failing, other = Feeder(), Feeder(), Feeder()
        session = begun(hub, one)
        one.send("a")
        viewer = session.join()
        one.on_end(lost("the connection failed"))
        assert session.live.blank_since == 1  # what was on the screen is not seen any more
        assert "waiting 30 s" in (await heard(viewer))[0]
        assert session.summary()["waiting"] and not session.inputs.connected
        failing.connected = False
        assert begun(hub, failing) is session
        failing.on_end(lost("the connection could not be made"))
        assert session.ending is None and "grace" in session.timers  # it goes on waiting
        assert begun(hub, other) is session
        assert session.inputs.connected and hub.counters.resumed == 0 and "grace" in session.timers
        other.send("b")
        assert hub.counters.resumed == 1 and hub.counters.lost_publishers == 1 and "grace" not in session.timers
        assert session.live.frames == ["a", "b"] and not session.lost

    scene(HubOptions(), act)


@pytest.mark.parametrize("arrives", [True, False])
def test_who_is_on_the_way_when_the_grace_is_over_is_still_waited_for(arrives: bool) -> None:
    async def act(hub: Hub) -> None:
        one, other = Feeder(), Feeder()
        session = begun(hub, one)
        one.send("a")
        one.on_end(silent(15.0))
        begun(hub, other)
        await asyncio.sleep(0.1)
        assert session.ending is None and not session.timers.keys() - {"most"}
        if arrives:
            other.send("b")
            await asyncio.sleep(0.1)
            assert session.ending is None and session.live.frames == ["a", "b"]
        else:
            viewer = session.join()
            other.on_end(lost("the connection could not be made"))
            while await asyncio.wait_for(viewer.next(), 10) is not None:
                pass
            assert viewer.reason == "no video for 15 s" and hub.sessions == []

    scene(HubOptions(grace_s=0.05), act)


@pytest.mark.parametrize("grace_s", [30.0, 0.0])
def test_the_one_before_may_stop_while_the_next_is_on_its_way(grace_s: float) -> None:
    async def act(hub: Hub) -> None:
        one, other = Feeder(), Feeder()
        before = hub.begin("cam", "desk", one.connect)
        one.send("a")
        hub.begin("cam", "desk", other.connect)
        await hub.stop(before, STOPPED)
        await hub.stop(before, STOPPED)
        session = before.session
        assert session.ending is None and session.inputs.now is None and "grace" not in session.timers
        other.send("b")
        assert session.live.frames == ["a", "b"] and not session.lost
        again = hub.begin("cam", "desk", Feeder().connect)
        await hub.stop(again, STOPPED)  # who has sent nothing ends nothing
        other.send("c")
        assert session.live.frames == ["a", "b", "c"] and session.ending is None

    scene(HubOptions(grace_s=grace_s), act)


@pytest.mark.parametrize(("key", "grace_s"), [("", 20.0), ("desk", 0.0)])
def test_without_key_or_grace_a_lost_publisher_ends_the_session(key: str, grace_s: float) -> None:
    async def act(hub: Hub) -> None:
        one = Feeder()
        session = begun(hub, one, key)
        one.send("a")
        viewer = session.join()
        one.on_end(lost("the connection failed"))
        while await viewer.next() is not None:
            pass
        assert viewer.reason == "the connection failed" and hub.sessions == []

    scene(HubOptions(grace_s=grace_s), act)


def test_the_first_publisher_of_a_key_that_never_connects_is_not_waited_for() -> None:
    async def act(hub: Hub) -> None:
        one = Feeder()
        one.connected = False
        viewer = begun(hub, one).join()
        one.on_end(lost("the connection could not be made"))
        while await asyncio.wait_for(viewer.next(), 10) is not None:
            pass
        assert hub.sessions == [] and hub.counters.never_connected == 1

    scene(HubOptions(), act)


def test_who_stays_away_too_long_has_lost_the_session() -> None:
    async def act(hub: Hub) -> None:
        one, other = Feeder(), Feeder()
        session = begun(hub, one)
        one.send("a")
        viewer = session.join()
        one.on_end(silent(15.0))
        while await asyncio.wait_for(viewer.next(), 10) is not None:
            pass
        assert hub.counters.idle == 1
        assert begun(hub, other) is not session

    scene(HubOptions(grace_s=0.05), act)


def test_who_stops_is_not_waited_for() -> None:
    async def act(hub: Hub) -> None:
        one = Feeder()
        await hub.stop(hub.begin("cam", "desk", one.connect), STOPPED)
        assert hub.sessions == [] and one.closed

    scene(HubOptions(), act)


def test_a_session_has_a_longest_time_whoever_feeds_it() -> None:
    async def act(hub: Hub) -> None:
        one, other = Feeder(), Feeder()
        session = begun(hub, one)
        one.send("a")
        begun(hub, other)
        viewer = session.join()
        other.send("b")
        while await asyncio.wait_for(viewer.next(), 10) is not None:
            pass
        assert "lasts 0.1 s at most" in viewer.reason and other.closed

    scene(HubOptions(max_session_s=0.1), act)


STEPS = st.lists(st.tuples(st.sampled_from(["come", "send", "fail", "stop", "delete"]), st.integers(0, 5)), max_size=40)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_whatever_publishers_do_the_session_has_one_and_lasts_while_one_feeds_it(
    steps: list[tuple[str, int]],
) -> None:
    """At most one is heard and one is coming, everybody else is closed, and no frame of anybody else is taken."""

    async def act(hub: Hub) -> None:
        feeders: list[Feeder] = []
        inputs: list[Any] = []
        for step, place in steps:
            if step == "come":
                feeders.append(Feeder())
                inputs.append(hub.begin("cam", "desk", feeders[-1].connect))
                continue
            if not feeders:
                continue
            place %= len(feeders)
            one = inputs[place]
            session, now, coming = one.session, one.session.inputs.now, one.session.inputs.coming
            fed = len(session.live.frames)
            if step == "send":
                feeders[place].send(place)
                taken = one in (now, coming) and session.ending is None
                assert len(session.live.frames) == fed + taken
                assert not taken or session.inputs.now is one
            elif step == "delete":
                await hub.stop(one, STOPPED)
            else:
                feeders[place].on_end(lost("the connection failed") if step == "fail" else STOPPED)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if now is not None and one is not now and now.session.ending is None:
                assert step == "send" or session.inputs.now is now  # whoever else goes, the one that feeds stays
            kept = [each for s in hub.sessions for each in s.inputs.all]
            assert all(len(s.inputs.all) <= 2 for s in hub.sessions) and len(hub.sessions) <= 2
            for feeder, each in zip(feeders, inputs, strict=True):
                assert feeder.closed == (each not in kept)

    scene(HubOptions(), act)


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
    for at in range(LEAST_MESSAGES):
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
