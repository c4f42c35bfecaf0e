"""Times from RTP timestamps: over the end of 32 bits, and where they go back a little."""

import pytest
from aiortc import rtcrtpreceiver
from aiortc.rtcrtpreceiver import TimestampMapper
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sources.webrtc.timestamps import SPAN, NearestTimestamps, map_nearest

steps = st.lists(st.integers(0, SPAN // 2 - 1), max_size=40)


@settings(deadline=None)
@given(st.integers(0, SPAN - 1), steps)
def test_forwards_it_is_aiortcs(first: int, steps: list[int]) -> None:
    ours, theirs, at = NearestTimestamps(), TimestampMapper(), first
    for step in (0, *steps):
        at += step
        assert ours.map(at % SPAN) == theirs.map(at % SPAN) == at - first


@settings(deadline=None)
@given(st.integers(0, SPAN - 1), st.lists(st.integers(-10_000, 10_000), max_size=40))
def test_a_step_back_is_a_step_back(first: int, steps: list[int]) -> None:
    ours, at = NearestTimestamps(), first
    for step in (0, *steps):
        at += step
        assert ours.map(at % SPAN) == at - first


def test_receivers_are_made_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtcrtpreceiver, "TimestampMapper", TimestampMapper)
    map_nearest()
    map_nearest()
    assert rtcrtpreceiver.TimestampMapper is NearestTimestamps
