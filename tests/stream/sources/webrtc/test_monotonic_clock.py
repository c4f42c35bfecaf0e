"""aiortc's clock is steady, and the end of a connection is bounded."""

import asyncio
import datetime
import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiortc import clock, rtcrtpreceiver, rtcrtpsender
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from stream.sources.webrtc import peer as peers
from stream.sources.webrtc.monotonic_clock import MonotonicClock, hold_clock
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer

YEAR_S = 365 * 86_400.0


@given(st.floats(0, 4e9), st.lists(st.tuples(st.floats(-4e9, 4e9), st.floats(0, 1e4)), max_size=8))
def test_the_clock_goes_its_own_way_however_the_wall_clock_is_set(
    begin_s: float, steps: list[tuple[float, float]]
) -> None:
    wall_s, steady_s = [begin_s], [100.0]
    made = MonotonicClock(lambda: wall_s[0], lambda: steady_s[0])
    assert made.time() == pytest.approx(begin_s, abs=1e-5)
    passed_s = 0.0
    for jump_s, then_s in steps:
        wall_s[0] += jump_s
        steady_s[0] += then_s
        passed_s += then_s
        assert made.time() - begin_s == pytest.approx(passed_s, abs=1e-5)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """aiortc with a clock whose monotonic seconds are the list's one number; everything as before afterwards."""
    steady_s = [0.0]
    for module in (rtcrtpreceiver, rtcrtpsender):
        monkeypatch.setattr(module, "time", time)  # it may be held already
    monkeypatch.setattr(clock, "current_datetime", clock.current_datetime)
    monkeypatch.setattr(clock, "current_ms", clock.current_ms)
    hold_clock(lambda: MonotonicClock(lambda: 1e9, lambda: steady_s[0]))
    return steady_s


def test_a_wall_clock_that_is_set_changes_nothing_that_aiortc_measures(
    held: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    statistics = rtcrtpreceiver.StreamStatistics(90_000)
    for number in range(200):
        if number == 100:  # from here on a machine's clock is a year ahead
            monkeypatch.setattr(time, "time", lambda: 1e9 + YEAR_S)
        statistics.add(RtpPacket(sequence_number=number, timestamp=3000 * number))
        held[0] += 1 / 30
    assert statistics.jitter <= 1  # its 32 bits would not hold a jump of a year
    assert clock.current_datetime() == datetime.datetime.fromtimestamp(1e9 + held[0], datetime.UTC)
    since_1900 = clock.current_datetime() - clock.NTP_EPOCH
    assert clock.current_ms() == pytest.approx(1000 * since_1900.total_seconds(), abs=1)


def test_it_is_held_once(held: list[float]) -> None:
    first = rtcrtpreceiver.time
    hold_clock()
    assert rtcrtpreceiver.time is first and rtcrtpsender.time is first


def _offer() -> str:
    path = Path(__file__).parents[2] / "server" / "serving.py"
    name = "serving_for_tests"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    text: str = sys.modules[name].OFFER
    return text


def test_a_connection_that_never_closes_is_left_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As aiortc's does once its reports ended with an error: a session would be waited for for ever."""

    async def scene() -> tuple[list[str], list[str]]:
        peer = WebRtcPeer(PeerOptions())
        await peer.answer(_offer())
        transports: list[Any] = [t.receiver.transport.transport for t in peer._connection.getTransceivers()]
        before = [transport.state for transport in transports]
        monkeypatch.setattr(peer._connection, "close", asyncio.Event().wait)
        monkeypatch.setattr(peers, "CLOSE_S", 0.05)
        async with asyncio.timeout(10):
            await peer.close()
        return before, [transport.state for transport in transports]

    before, after = asyncio.run(scene())
    assert before and "closed" not in before and set(after) == {"closed"}
