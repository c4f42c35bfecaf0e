"""What ended is gone at once, by its references alone; and what is free goes back to the system."""

import asyncio
import gc
import json
import os
import platform
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from aiortc import RTCDtlsTransport, RTCPeerConnection, RTCRtpReceiver
from websockets.sync.client import connect

from features.frame import FrameFeatures, FrameMeter
from stream.driver.analysis import FrameAnalyzer
from stream.driver.driver import SessionDriver
from stream.driver.live import LiveDriver
from stream.server import memory
from stream.server.channel import Channel
from stream.server.hub import Hub, HubOptions
from stream.server.ingest import SocketPublisher
from stream.sources.webrtc.decoder_queue import DecoderQueue
from stream.sources.webrtc.decoding import Decoding, FrameDecoder, WantedFrames
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer
from stream.sources.websocket.pictures import PictureDecoder, PictureFeed, pack_picture
from stream.sources.websocket.webm import WebmFeed

CLIENT = Path(__file__).with_name("publisher.py")
SDP = {"content-type": "application/sdp"}
OURS = (Channel, LiveDriver, SessionDriver, FrameAnalyzer, FrameMeter, FrameFeatures)
PUBLISHERS = (WebRtcPeer, SocketPublisher, PictureFeed, PictureDecoder, WebmFeed)
DECODERS = (WantedFrames, DecoderQueue, Decoding, FrameDecoder)
OF_A_SESSION = (*OURS, *PUBLISHERS, *DECODERS, RTCPeerConnection, RTCDtlsTransport, RTCRtpReceiver)
GLIBC = platform.libc_ver()[0] == "glibc"


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Without the collector of cycles, what is in one stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def living() -> Counter[str]:
    return Counter(type(one).__name__ for one in gc.get_objects() if type(one) in OF_A_SESSION)


def left(before: Counter[str], hub: Hub, seconds: float = 15.0) -> Counter[str]:
    """More than ``before``, once sessions have ended, and threads and tasks have let go of what they had."""
    until = time.monotonic() + seconds
    while (hub.sessions or living() - before) and time.monotonic() < until:
        time.sleep(0.1)
    return living() - before


def test_fifty_publishers_who_come_and_go_leave_nothing(
    serving: Callable[..., Any], offer: str, no_collector: None
) -> None:
    """Deleted, taken over, or never connected, in turn."""
    options = HubOptions(max_sessions=60, late_ms=0, peer=PeerOptions(handshake_timeout_s=0.3))
    with serving(hub=options) as running, httpx.Client(base_url=running.url, timeout=20) as client:
        before = living()
        for number in range(50):
            path = "/whip?key=desk" if number % 3 == 1 else "/whip"
            made = client.post(path, content=offer, headers=SDP)
            assert made.status_code == 201, made.text
            if number % 3 == 0:
                assert client.delete(made.headers["location"]).status_code == 200
        assert living() - before  # it counts what it should
        assert not left(before, running.hub)


@pytest.mark.skipif("whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer")
def test_a_stream_with_pictures_leaves_nothing(serving: Callable[..., Any], tmp_path: Path, no_collector: None) -> None:
    options = HubOptions(grace_s=0, peer=PeerOptions(idle_timeout_s=0.5))
    with serving(hub=options) as running:
        before = living()
        command = [sys.executable, str(CLIENT), f"{running.url}whip", "2.5", str(tmp_path), "audio"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        assert running.hub.counters.opened == 1
        assert not left(before, running.hub)


def test_pictures_by_a_socket_leave_nothing(serving: Callable[..., Any], ingesting: Any, no_collector: None) -> None:
    with serving(hub=HubOptions(grace_s=0)) as running:
        before = living()
        for kind in ("frames", "webm"):
            with connect(f"ws://{running.netloc}/ingest") as socket:
                socket.send(json.dumps({"v": 1, "type": "hello", "kind": kind}))
                assert json.loads(socket.recv())["type"] == "ready"
                if kind == "webm":
                    socket.send(ingesting.webm())
                else:
                    for number in range(16):
                        socket.send(pack_picture(1, 62_500 * number, ingesting.image()))
                        time.sleep(0.02)
        assert running.hub.counters.opened == 2
        assert not left(before, running.hub)


@pytest.mark.parametrize(
    ("crowd", "given"),
    [
        ([0, 0, 0], 0),
        ([1, 1, 0, 0, 0], 1),
        ([8, 6, 9, 5, 8, 3, 8], 0),  # as many come as go
        ([8, 6, 2, 2, 1, 0, 0], 2),  # most of eight, then most of two
        ([3, 1, 1], 0),
        ([3, 0, 3, 0], 2),
    ],
)
def test_memory_is_given_back_when_most_of_a_crowd_has_gone(crowd: list[int], given: int) -> None:
    async def scene() -> int:
        trims = 0
        counts = iter(crowd)
        over = asyncio.Event()

        def trim() -> None:
            nonlocal trims
            trims += 1

        def running() -> int:
            if (now := next(counts, None)) is not None:
                return now
            over.set()
            return crowd[-1]

        task = asyncio.create_task(memory.give_back(running, trim, every_s=0.001))
        await over.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return trims

    assert asyncio.run(scene()) == given


def test_the_system_gets_what_is_free_or_nothing_is_done() -> None:
    trim = memory.glibc_trim()
    assert (trim is not None) == GLIBC
    if trim is not None:
        assert trim() in (0, 1)


HEAPS = """
    import ctypes, re, sys, tempfile, threading
    from stream.server.memory import few_heaps
    libc = ctypes.CDLL(None)
    libc.fopen.restype, libc.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
    libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
    done = few_heaps() if sys.argv[1] == "few" else None
    together = threading.Barrier(6)
    def work():
        kept = [bytes(5000) for _ in range(50)]
        together.wait()
    threads = [threading.Thread(target=work) for _ in range(6)]
    for one in threads: one.start()
    for one in threads: one.join()
    with tempfile.NamedTemporaryFile() as file:
        out = libc.fopen(file.name.encode(), b"w")
        libc.malloc_info(0, out)
        libc.fclose(out)
        print(done, len(re.findall("<heap nr", file.read().decode())))
"""


@pytest.mark.skipif(not GLIBC, reason="another C library")
def test_threads_share_a_few_heaps_unless_the_environment_says_otherwise() -> None:
    def heaps(word: str, **environment: str) -> list[str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
        script = [sys.executable, "-c", textwrap.dedent(HEAPS), word]
        run = subprocess.run(
            script, env={**plain, **environment}, cwd=Path(__file__).parents[3], check=True, capture_output=True
        )
        return run.stdout.decode().split()

    assert int(heaps("many")[1]) > memory.HEAPS  # else it shows nothing
    assert heaps("few") == ["True", str(memory.HEAPS)]
    assert heaps("few", MALLOC_ARENA_MAX="4") == ["False", "4"]
