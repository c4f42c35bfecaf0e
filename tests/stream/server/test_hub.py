"""Viewers' queues and the bookkeeping of sessions, without a network."""

import asyncio
import json
from typing import Any

import av
import pytest

from stream.core.events import Accepted, Cut, End, Item, Reasons, Reset, Suggestions
from stream.core.quality_level import QualityLevel
from stream.driver.live import LiveStats
from stream.server.errors import BusyError
from stream.server.hub import Hub, HubOptions
from stream.sinks.base import Sinks
from stream.sinks.viewers import QUEUE_LIMIT, Viewer
from stream.sources.arrival import Arrival
from stream.sources.webrtc.aiortc_compat import waiting_of
from stream.sources.webrtc.decoder_queue import DecoderQueue
from stream.sources.webrtc.offer import OfferError


class FakeLive:
    """A live half that only notes what it is asked."""

    def __init__(self, sinks: Sinks) -> None:
        self.publish = sinks.put
        self.stats = LiveStats()
        self.commands: list[dict[str, Any]] = []
        self.closed = asyncio.Event()
        self.failure: Exception | None = None

    def offer(self, arrival: Arrival) -> None:
        raise AssertionError("nobody connects in these tests")

    def listen(self, frame: av.AudioFrame) -> None:
        raise AssertionError("nobody connects in these tests")

    def blank(self) -> None:
        pass

    def command(self, message: dict[str, Any]) -> None:
        self.commands.append(message)

    def follow(self, level: QualityLevel) -> None:
        self.level = level

    async def run(self) -> None:
        await self.closed.wait()
        if self.failure is not None:
            raise self.failure
        self.publish(End(0, 0, 0, 0))

    async def close(self) -> None:
        self.closed.set()


def suggestions(pts_s: float) -> Suggestions:
    item = Item(1, "aa", "T", "A", 1.0, 9.0, 0.5, Reasons(0.5, 0.5, 0.5), 100.0, "")
    return Suggestions(pts_s, pts_s, "stay", (item,))


async def drain(viewer: Viewer) -> list[dict[str, Any]]:
    """Everything that waits, up to the end of the session."""
    viewer.close("test")
    heard = []
    while (text := await viewer.next()) is not None:
        heard.append(json.loads(text))
    return heard


async def opened(hub: Hub, offer: str) -> Any:
    one, _ = await hub.open(offer, "test")
    return one.session


def test_a_slow_viewer_keeps_the_newest_and_counts_the_rest(offer: str) -> None:
    async def scene() -> None:
        hub = Hub(FakeLive, HubOptions())
        session = await opened(hub, offer)
        slow = session.join()
        for second in range(3 * QUEUE_LIMIT):
            session.publish(Cut(float(second), 0.5))
        assert slow.lost == 2 * QUEUE_LIMIT
        heard = await drain(slow)
        assert [message["pts_s"] for message in heard] == list(range(2 * QUEUE_LIMIT, 3 * QUEUE_LIMIT))
        session.leave(slow)
        await hub.close()
        assert hub.counters.lost_messages == 2 * QUEUE_LIMIT

    asyncio.run(scene())


def test_a_late_viewer_gets_the_newest_state_and_nothing_older(offer: str) -> None:
    async def scene() -> None:
        hub = Hub(FakeLive, HubOptions())
        session = await opened(hub, offer)
        for notice in (
            suggestions(1.0),
            Accepted("playing", "aa"),
            Cut(1.5, 0.9),
            suggestions(2.0),
            Accepted("pin", "b"),
        ):
            session.publish(notice)
        heard = await drain(session.join())
        assert [(m["type"], m.get("pts_s"), m.get("track")) for m in heard] == [
            ("suggestions", 2.0, None),
            ("accepted", None, "aa"),
        ]
        session.publish(Reset("the timestamps went back"))
        assert [m["type"] for m in await drain(session.join())] == ["accepted"]
        await hub.close()

    asyncio.run(scene())


def test_the_bound_holds_while_offers_are_being_answered(offer: str) -> None:
    async def scene() -> None:
        hub = Hub(FakeLive, HubOptions(max_sessions=2))
        outcomes = await asyncio.gather(*(hub.open(offer, "x") for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(outcome, BusyError) for outcome in outcomes) == 3
        assert len(hub.sessions) == 2 and hub.counters.refused_busy == 3
        await hub.close()
        assert hub.sessions == [] and hub.counters.ended == 2
        with pytest.raises(BusyError):
            await hub.open(offer, "after the end")

    asyncio.run(scene())


def test_a_refused_offer_is_counted_and_forgotten() -> None:
    async def scene() -> None:
        hub = Hub(FakeLive, HubOptions(max_sessions=1))
        for _ in range(3):
            with pytest.raises(OfferError):
                await hub.open("v=0\r\n", "x")
        assert hub.sessions == [] and hub.counters.refused_offers == 3 and hub.counters.opened == 0

    asyncio.run(scene())


def test_a_session_that_fails_ends_alone(offer: str) -> None:
    async def scene() -> None:
        hub = Hub(FakeLive, HubOptions())
        bad, good = await opened(hub, offer), await opened(hub, offer)
        viewer = bad.join()
        bad.live.failure = RuntimeError("engine on fire")
        bad.live.closed.set()
        assert await asyncio.wait_for(viewer.next(), 5) is None
        assert hub.sessions == [good]
        await hub.close()

    asyncio.run(scene())


def test_ending_twice_at_once_is_ending_once(offer: str) -> None:
    async def scene() -> None:
        hub = Hub(FakeLive, HubOptions())
        session = await opened(hub, offer)
        viewer = session.join()
        await asyncio.gather(hub.end(session, "one"), hub.end(session, "two"), hub.close())
        assert hub.counters.ended == 1 and viewer.reason == "one"
        assert [message["type"] for message in await drain(viewer)] == ["end"]

    asyncio.run(scene())


def test_publishers_share_decoders_which_end_with_the_hub(offer: str) -> None:
    async def scene() -> None:
        hub = Hub(FakeLive, HubOptions())
        for _ in range(2):
            peer = (await opened(hub, offer)).inputs.coming.publisher
            queues = [waiting_of(one.receiver) for one in peer._connection.getTransceivers()]
            assert queues and all(isinstance(one, DecoderQueue) for one in queues)
            assert {one._threads for one in queues} == {hub._decoders}
        await hub.close()
        with pytest.raises(RuntimeError, match="shutdown"):
            hub._decoders.submit(print)

    asyncio.run(scene())


def test_a_secret_is_not_the_public_id(offer: str) -> None:
    async def scene() -> None:
        hub = Hub(FakeLive, HubOptions())
        one, _ = await hub.open(offer, "test")
        assert hub.by_secret(one.secret) is one and hub.find(one.id) is one.session
        assert hub.by_secret(one.id) is None and hub.find(one.secret) is None and hub.by_secret("é") is None
        assert one.secret not in json.dumps(one.session.summary()) and one.secret in one.session.secrets
        await hub.close()

    asyncio.run(scene())
