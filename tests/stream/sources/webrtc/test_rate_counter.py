"""The same rates as aiortc's counter, whatever comes and whenever it is asked."""

import time

import pytest
from aiortc import rate
from hypothesis import given
from hypothesis import strategies as st

from stream.sources.webrtc.rate_counter import PassingRate, count_what_comes

Theirs = rate.RateCounter  # before anything replaces it

steps = st.lists(
    st.tuples(st.sampled_from(["add", "rate", "reset"]), st.integers(0, 400), st.integers(0, 1500)), max_size=60
)


@given(steps, st.integers(1, 300))
def test_they_say_the_same(did: list[tuple[str, int, int]], window_ms: int) -> None:
    ours, theirs = PassingRate(window_ms), Theirs(window_ms)
    now_ms = 1_000
    for what, passed_ms, value in did:
        now_ms += passed_ms
        if what == "add":
            ours.add(value, now_ms)
            theirs.add(value, now_ms)
        elif what == "reset" and value < 300:
            ours.reset()
            theirs.reset()
        assert ours.rate(now_ms) == theirs.rate(now_ms)


def test_a_jump_is_one_step() -> None:
    counter = PassingRate(1000)
    counter.add(1200, 0)
    begun_s = time.perf_counter()
    assert counter.rate(365 * 86_400_000) is None
    assert time.perf_counter() - begun_s < 0.5  # aiortc's walks for hours


def test_estimates_are_made_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "RateCounter", Theirs)
    told = []
    for _ in range(2):  # as it is, then as it is here
        estimate = rate.RemoteBitrateEstimator()
        told.append([estimate.add(*packet) for packet in delayed_more_and_more()])
        count_what_comes()
    assert isinstance(estimate.incoming_bitrate, PassingRate)
    assert told[0] == told[1] and any(told[0])


def delayed_more_and_more() -> list[tuple[int, int, int, int]]:
    """Bursts of five packets 33 ms apart, which arrive further and further apart: a path that is too narrow."""
    packets = []
    for burst in range(120):
        late_ms = max(0, burst - 60) ** 2 // 20
        sent = (burst * 33 * 262) % (1 << 24)  # in 2^-18 s, as the extension has it
        packets += [(burst * 33 + late_ms, sent, 1200, 7) for _ in range(5)]
    return packets
