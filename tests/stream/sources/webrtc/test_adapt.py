"""With the installed releases everything is changed; with others what is unknown is left alone, and media come."""

import logging
import queue
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from stream.sources.webrtc.adapt import CHANGES, _Change, _Needed, adapt_aiortc
from stream.sources.webrtc.turns import TakenInTurns


def test_the_installed_releases_are_known(caplog: pytest.LogCaptureFixture) -> None:
    adapt_aiortc()
    adapt_aiortc()  # what was changed is as good
    assert not caplog.records
    assert [change.missing() for change in CHANGES] == [""] * len(CHANGES)


def worker(loop: Any, input_q: Any, output_q: Any) -> None:
    """As it was in aiortc 1.15."""


FAKES: dict[str, tuple[Any, str]] = {
    "another signature": (
        SimpleNamespace(__name__="rtcrtpreceiver", work=worker),
        "rtcrtpreceiver.work takes loop input_q output_q, not loop input_q output_q decode_error",
    ),
    "another name": (SimpleNamespace(__name__="rtcrtpreceiver"), "rtcrtpreceiver.work is missing"),
    "no function": (SimpleNamespace(__name__="rtcrtpreceiver", work=3), "rtcrtpreceiver.work takes nothing"),
}


@pytest.mark.parametrize("name", FAKES)
def test_what_is_not_known_is_left_alone_and_told(name: str, caplog: pytest.LogCaptureFixture) -> None:
    fake, reason = FAKES[name]
    made: list[str] = []
    known = _Needed(fake, "work", "loop input_q output_q decode_error")
    changes = [
        _Change("one is slower", lambda: made.append("one"), (known,)),
        _Change("another is slower", lambda: made.append("another"), (_Needed(fake, "__name__"),)),
    ]
    with caplog.at_level(logging.WARNING):
        adapt_aiortc(changes)
    assert made == ["another"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("one is slower: aiortc 1.") and reason in record.getMessage()


class Buffer:
    def __init__(self, capacity: int) -> None:
        self._packets = [None] * capacity


def test_fields_and_nested_names_are_looked_for() -> None:
    fake = SimpleNamespace(__name__="jitterbuffer", Buffer=Buffer)
    assert _Needed(fake, "Buffer", "capacity", "_packets").missing() == ""
    assert _Needed(fake, "Buffer", "capacity", "_packets _origin").missing() == "jitterbuffer.Buffer has no _origin"
    assert _Needed(fake, "Buffer.add").missing() == "jitterbuffer.Buffer.add is missing"
    assert _Needed(fake, "Gone.add", "self").missing() == "jitterbuffer.Gone.add is missing"


STRANGE = '''
import asyncio, functools, inspect, logging, sys
from aiortc import (MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription, clock, jitterbuffer, rate,
                    rtcrtpreceiver, rtp)
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
clock.current_ms = with_more(clock.current_ms)
ice.StunProtocol.request = with_more(ice.StunProtocol.request)
rtcrtpreceiver.TimestampMapper.map = with_more(rtcrtpreceiver.TimestampMapper.map)
rtp.HeaderExtensionsMap.get = with_more(rtp.HeaderExtensionsMap.get)

import numpy as np, av
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from stream.sources.webrtc.adapt import CHANGES, adapt_aiortc
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
    assert len([line for line in lines if line.startswith("WARNING")]) == len(CHANGES), done.stdout


def test_a_thread_of_aiortcs_may_take_from_turns_itself() -> None:
    with ThreadPoolExecutor(1) as threads:
        turns, came = TakenInTurns(threads), queue.Queue[Any]()

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
