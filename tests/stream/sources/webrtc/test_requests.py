"""How often a publisher is asked for a key frame, whoever wants one."""

import asyncio
import threading
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCPeerConnection
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sources.webrtc import requests as requests_module
from stream.sources.webrtc.aiortc_compat import key_frame_wanted
from stream.sources.webrtc.requests import FLOOR_S, LONGEST_S, WELL, KeyFrameRequests, hold_back


def sent(requests: KeyFrameRequests, until_s: float, every_s: float = 0.01) -> list[float]:
    """When a request goes out, while one is wanted all the time."""
    return [at_s for at in range(round(until_s / every_s)) if requests.due(at_s := at * every_s)]


def test_the_wait_doubles_while_nothing_can_be_decoded() -> None:
    times_s = sent(KeyFrameRequests(), 60)
    waits = [round(later - earlier) for earlier, later in pairwise(times_s)]
    assert waits[:6] == [1, 2, 4, 8, 8, 8]


def test_a_failure_after_an_answer_that_was_good_is_a_new_one() -> None:
    requests = KeyFrameRequests()
    sent(requests, 31)
    requests.failed(key=False)  # what was on its way
    for number in range(WELL):
        requests.decoded(key=number == 0)
    requests.failed(key=False)
    assert requests.due(100.0) and not requests.due(100.0 + FLOOR_S / 2) and requests.due(100.0 + FLOOR_S)


@pytest.mark.parametrize("period", [5, 30])
@pytest.mark.parametrize("fails", [0, 1])
def test_key_frames_that_fail_like_the_last_do_not_feed_the_requests(period: int, fails: int) -> None:
    """The key frame itself or the picture behind it fails, and good pictures follow."""
    requests = KeyFrameRequests()
    out, wants, key_at = 0, True, 0
    for at in range(1000):  # a picture each 33 ms; a key frame comes three pictures after a request
        if wants and requests.due(at / 30):
            out, wants, key_at = out + 1, False, at + 3
        if at == key_at + fails:
            requests.failed(key=fails == 0)
            wants = True
        else:
            requests.decoded(key=at == key_at)
            wants = wants or at % period == 0
    assert out <= 8


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(["want", "decoded", "failed"])), max_size=200))
def test_never_more_often_than_once_a_second_nor_less_than_the_longest_wait(steps: list[tuple[int, str]]) -> None:
    requests, now_ms, newest_ms = KeyFrameRequests(), 0, -1_000_000
    for passed_ms, what in steps:
        now_ms += passed_ms
        if what != "want":
            getattr(requests, what)(key=passed_ms % 3 == 0)
        elif requests.due(now_ms / 1000):
            assert now_ms - newest_ms >= 1000 * FLOOR_S - 1
            newest_ms = now_ms
        else:
            assert now_ms - newest_ms <= 1000 * LONGEST_S


def test_what_a_receiver_wants_goes_by_it_and_what_is_held_back_comes_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=10.0)
    monkeypatch.setattr(requests_module, "time", SimpleNamespace(monotonic=lambda: clock.now))

    async def scene() -> list[float]:
        connection = RTCPeerConnection()
        receiver: Any = connection.addTransceiver("video").receiver
        out: list[float] = []

        async def given(ssrc: int) -> None:
            out.append(clock.now)

        receiver._send_rtcp_pli = given
        undo = hold_back(receiver, KeyFrameRequests())
        wanted: threading.Event = key_frame_wanted(receiver)
        for _ in range(100):  # packets, 20 ms apart, the first of which is after a loss
            if wanted.is_set() or clock.now == 10.0:
                wanted.clear()
                await receiver._send_rtcp_pli(1)
            if clock.now == 10.0:
                await receiver._send_rtcp_pli(1)
            clock.now += 0.02
        undo()
        assert "_send_rtcp_pli" not in vars(receiver)
        await connection.close()
        return out

    first, second = asyncio.run(scene())
    assert first == 10.0 and 11.0 <= second < 11.1
