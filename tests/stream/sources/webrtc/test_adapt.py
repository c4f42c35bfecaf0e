"""With the installed releases all is changed; with others, or where somebody wants it so, aiortc is left alone."""

import asyncio
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aioice import ice
from aiortc import RTCPeerConnection, clock, codecs, rate, rtcrtpreceiver, rtcrtpsender, rtp

from stream.sources.webrtc import aiortc_compat
from stream.sources.webrtc.adapt import adapt_aiortc, degraded, standing
from stream.sources.webrtc.aiortc_compat import RELIED, Relied
from stream.sources.webrtc.decoder_queue import DecoderQueue
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Nothing stays in aiortc's places, and nothing is known of it, before and afterwards."""
    adapt_aiortc(plain=True)
    yield
    adapt_aiortc(plain=True)
    aiortc_compat.leave_alone("")


def places() -> list[Any]:
    """Everything that is put somewhere."""
    return [
        rtcrtpreceiver.time,
        rtcrtpsender.time,
        clock.current_ms,
        clock.current_datetime,
        ice.StunProtocol.request,
        rate.RateCounter,
        rtcrtpreceiver.TimestampMapper,
        rtp.HeaderExtensionsMap,
        codecs.HEADER_EXTENSIONS["video"],
        rtcrtpreceiver.JitterBuffer,
        rtcrtpreceiver.depayload,
        rtcrtpreceiver.decoder_worker,
    ]


def theirs(place: Any) -> bool:
    return not getattr(place, "__module__", type(place).__module__).startswith("stream.")


def test_the_installed_releases_are_known_and_changed(caplog: pytest.LogCaptureFixture) -> None:
    before = places()
    assert all(theirs(place) for place in before)
    adapt_aiortc()
    once = places()
    adapt_aiortc()  # what was changed is as good
    assert all(found is one for found, one in zip(places(), once, strict=True))
    assert not any(found is one for found, one in zip(once, before, strict=True)), "each is another"
    assert not caplog.records and aiortc_compat.difference() == "" and (standing(), degraded()) == ("short", "")


def test_what_was_changed_is_given_back(caplog: pytest.LogCaptureFixture) -> None:
    before = places()
    adapt_aiortc()
    with caplog.at_level(logging.INFO):
        adapt_aiortc(plain=True)
    assert all(found is one for found, one in zip(places(), before, strict=True))
    assert (standing(), degraded()) == ("plain", ""), "it was asked for"
    (record,) = caplog.records
    assert record.levelno == logging.INFO and "as asked" in record.getMessage()


def test_what_another_had_covered_meanwhile_is_given_back_as_well() -> None:
    before = places()
    adapt_aiortc()
    with pytest.MonkeyPatch.context() as covering:
        covering.setattr(rtcrtpreceiver, "decoder_worker", lambda *given: None)
        adapt_aiortc(plain=True)
    adapt_aiortc(plain=True)
    assert all(found is one for found, one in zip(places(), before, strict=True))


def test_what_came_back_from_under_another_of_ours_is_given_back_as_well() -> None:
    before = places()
    adapt_aiortc()
    with pytest.MonkeyPatch.context() as covering:
        covering.setattr(clock, "current_datetime", clock.current_datetime)
        covering.setattr(ice.StunProtocol, "request", lambda *given: None)
        aiortc_compat.read_dates(lambda: None)  # over another of ours
        adapt_aiortc()  # over what is nobody's
    assert not theirs(clock.current_datetime) and not theirs(ice.StunProtocol.request), "as they were"
    adapt_aiortc(plain=True)
    assert all(found is one for found, one in zip(places(), before, strict=True))


def test_what_is_not_known_is_left_alone_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = places()
    adapt_aiortc()
    monkeypatch.setattr(aiortc_compat, "RELIED", (*RELIED, Relied("aiortc.rate", "RateCounter.forget", "self")))
    adapt_aiortc()
    assert all(found is one for found, one in zip(places(), before, strict=True)), "all or nothing"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "aiortc 1." in record.getMessage() and "aiortc.rate.RateCounter.forget is missing" in record.getMessage()
    assert (standing(), degraded()) == ("plain", "WebRTC goes the plain path")


async def two_ways() -> tuple[Any, Any]:
    """What a peer makes of its receiver: as it is told to, on the threads of others."""
    connection = RTCPeerConnection()
    connection.addTransceiver("video", direction="sendonly")
    await connection.setLocalDescription()
    with ThreadPoolExecutor(1) as threads:
        peer = WebRtcPeer(PeerOptions(), threads)
        await peer.answer(connection.localDescription.sdp)
        receiver: Any = peer._connection.getTransceivers()[0].receiver
        changed = aiortc_compat.waiting_of(receiver), "_send_rtcp_pli" in vars(receiver)
        await peer.close()
    await connection.close()
    return changed


def test_a_peer_is_as_its_process_is() -> None:
    waiting, held_back = asyncio.run(two_ways())
    assert isinstance(waiting, queue.Queue) and not held_back
    adapt_aiortc()
    waiting, held_back = asyncio.run(two_ways())
    assert isinstance(waiting, DecoderQueue) and held_back


STRANGE = '''
import asyncio, functools, inspect, logging, sys
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription, rate, rtcrtpreceiver
from aioice import ice

def with_more(given):
    """The same, taking one word more."""
    if inspect.iscoroutinefunction(given):
        async def other(*words, more=None, **named):
            return await given(*words, **named)
    else:
        def other(*words, more=None, **named):
            return given(*words, **named)
    return other

rtcrtpreceiver.decoder_worker = with_more(rtcrtpreceiver.decoder_worker)
rtcrtpreceiver.depayload = with_more(rtcrtpreceiver.depayload)
rate.RateCounter.add = with_more(rate.RateCounter.add)
ice.StunProtocol.request = with_more(ice.StunProtocol.request)

import numpy as np, av
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from stream.sources.webrtc.adapt import adapt_aiortc
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer

logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(levelname)s %(message)s")
adapt_aiortc()

class Film(MediaStreamTrack):
    kind = "video"
    sent = 0
    async def recv(self):
        await asyncio.sleep(1 / 30)
        frame = av.VideoFrame.from_ndarray(np.full((180, 320, 3), self.sent % 256, np.uint8), format="rgb24")
        frame.pts, frame.time_base = 3000 * self.sent, Fraction(1, 90000)
        self.sent += 1
        return frame

async def scene():
    came = []
    with ThreadPoolExecutor(1) as threads:
        peer, publisher = WebRtcPeer(PeerOptions(), threads), RTCPeerConnection()
        publisher.addTransceiver(Film(), direction="sendonly")
        await publisher.setLocalDescription()
        answer = await peer.answer(publisher.localDescription.sdp)
        peer.feed(lambda frame, *told: came.append(frame), lambda sound: None, print)
        await publisher.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(20):
            while len(came) < 20:
                await asyncio.sleep(0.05)
        await peer.close()
        await publisher.close()
    print("frames", len(came) >= 20)

asyncio.run(scene())
'''


def test_with_an_aiortc_of_other_insides_frames_come_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", STRANGE], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "frames True"
    (warning,) = [line for line in lines if line.startswith("WARNING")]
    assert "decoder_worker takes" in warning or "request takes" in warning


def test_a_thread_of_aiortcs_may_take_from_turns_itself() -> None:
    with ThreadPoolExecutor(1) as threads:
        turns, came = DecoderQueue(threads), queue.Queue[Any]()

        def take() -> None:
            while (task := turns.get()) is not None:
                came.put(task)
            came.put("end")

        thread = threading.Thread(target=take)
        thread.start()
        for number in range(3):
            turns.put((number,))
            assert came.get(timeout=5) == (number,)
        turns.put(None)
        assert came.get(timeout=5) == "end"
        thread.join(5)
