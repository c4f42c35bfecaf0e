"""A decoder's thread: which frames it hands on, what it does with too many, and how it changes its ways."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection, rtcrtpreceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from stream.core.sampler import Sampler
from stream.sources.arrival import Arrival
from stream.sources.feed import MAX_SIDE
from stream.sources.webrtc import decoding as decoding_module
from stream.sources.webrtc.aiortc_compat import waiting_of
from stream.sources.webrtc.decoder_queue import DecoderQueue
from stream.sources.webrtc.decoding import (
    BACKLOG,
    Decoding,
    FrameDecoder,
    Refused,
    WantedFrames,
    decode_apart,
    decode_in_turns,
    decode_on,
    is_key,
)
from stream.sources.webrtc.jitter import ArrivedFrame

CLOCK = Fraction(1, 90_000)
FPS = 30
ENCODERS = {
    "H264": ("libx264", {"profile": "baseline", "tune": "zerolatency", "preset": "veryfast", "bf": "0"}),
    "VP8": ("libvpx", {"deadline": "realtime", "lag-in-frames": "0"}),
}


def parameters(codec: str) -> RTCRtpCodecParameters:
    return RTCRtpCodecParameters(mimeType=f"video/{codec}", clockRate=90_000, payloadType=96)


def encoded(codec: str, count: int, every: int) -> list[JitterFrame]:
    """Noise that moves, with a key frame ``every`` so many frames."""
    name, options = ENCODERS[codec]
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 320, 180, "yuv420p"
    context.time_base, context.framerate, context.bit_rate = Fraction(1, FPS), Fraction(FPS), 300_000
    context.gop_size, context.options = every, options
    rng = np.random.default_rng(1)
    still = rng.integers(0, 256, (180, 320, 3), np.uint8)
    frames = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(np.roll(still, 3 * number, axis=1), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        frames += [JitterFrame(bytes(packet), 90_000 * (packet.pts or 0) // FPS) for packet in context.encode(frame)]
    assert len(frames) == count
    return frames


def run(
    frames: Sequence[JitterFrame],
    codec: str = "H264",
    wanted: Any = None,
    then: Callable[[Any], None] = lambda wanted: None,
    more: Sequence[JitterFrame] = (),
    bare: bool = True,
) -> tuple[list[Any], bool]:
    """What comes out of a decoder's thread, its end included, and whether a key frame was asked for. ``then`` is done
    once ``frames`` are decoded, before ``more`` come."""
    out = WantedFrames() if wanted is None else wanted
    failed = threading.Event()
    waiting: queue.Queue[Any] = queue.Queue()
    for frame in frames:
        waiting.put((parameters(codec), frame))

    async def scene() -> list[Any]:
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=decode_on, args=(loop, waiting, out, failed))
        thread.start()
        while more and not (  # noqa: ASYNC110 - no event tells
            waiting.empty() and decoded(out) >= len(frames) - 1
        ):
            await asyncio.sleep(0.01)
        then(out)
        for frame in (*more, None):
            waiting.put(None if frame is None else (parameters(codec), frame))
        came = []
        async with asyncio.timeout(20):
            while not came or came[-1] is not None:
                came.append(await out.get())
        await asyncio.to_thread(thread.join)
        return came

    return [one.frame if bare and isinstance(one, Arrival) else one for one in asyncio.run(scene())], failed.is_set()


def decoded(wanted: Any) -> int:
    """How many frames its sieve was asked about; none of a plain queue."""
    return wanted.sieve._sampler.frames if isinstance(wanted, WantedFrames) else 0


@pytest.mark.parametrize("codec", ENCODERS)
def test_the_frames_that_a_sampler_takes_come_and_all_are_counted(codec: str) -> None:
    wanted = WantedFrames()
    before_s = time.monotonic()
    came, asked = run(encoded(codec, 60, 30), codec, wanted)
    sampler = Sampler()
    expected = [pts for pts in range(0, 60 * 3000, 3000) if sampler.offer(pts, CLOCK) is not None]
    assert [frame.pts for frame in came[:-1]] == expected and len(expected) == 16
    assert decoded(wanted) == 60 and before_s < wanted.newest_s <= time.monotonic() and not asked


def test_a_frame_says_when_its_last_packet_came() -> None:
    first, second = (ArrivedFrame(frame.data, frame.timestamp) for frame in encoded("H264", 2, 30))
    first.arrived_s, second.timestamp = first.arrived_s - 0.25, 90_000
    came, _ = run([first], more=[second], bare=False)
    assert came[0].arrived_s == first.arrived_s and came[1].arrived_s == second.arrived_s and came[2] is None


def test_frames_with_bad_times_come_too_since_they_are_counted_there() -> None:
    wanted = WantedFrames()

    def frame(pts: int | None) -> Any:
        return SimpleNamespace(pts=pts, time_base=CLOCK)

    times = [90_000, 93_000, 60_000, None, None, 90_000]  # the third is late, then there are none
    came = [wanted.arrival(frame(pts), 1.0) for pts in times]
    assert [one is not None for one in came] == [True, False, True, True, True, True]
    assert [one.passed for one in came if one is not None] == [0, 1, 0, 0, 0]


def test_sound_and_a_plain_queue_get_all() -> None:
    async def queue_of() -> asyncio.Queue[Any]:
        return asyncio.Queue()

    came, _ = run(encoded("H264", 20, 30), wanted=asyncio.run(queue_of()))
    assert len(came) == 21


def test_too_many_are_dropped_up_to_a_key_frame_which_is_asked_for() -> None:
    wanted = WantedFrames()
    frames = encoded("H264", BACKLOG + 40, 20)
    late = [JitterFrame(frame.data, frame.timestamp + 90_000 * 10) for frame in encoded("H264", 10, 30)]
    slow, fast = frames[: BACKLOG + 1], late
    out, failed = wanted, threading.Event()
    waiting: queue.Queue[Any] = queue.Queue()
    for frame in slow:
        waiting.put((parameters("H264"), frame))

    async def scene() -> list[Any]:
        thread = threading.Thread(target=decode_on, args=(asyncio.get_running_loop(), waiting, out, failed))
        thread.start()
        while not waiting.empty():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
        assert failed.wait(5) and decoded(out) == 0
        for frame in (frames[5], *fast, None):  # one that leans on others, then a key frame and what leans on it
            waiting.put(None if frame is None else (parameters("H264"), frame))
            await asyncio.sleep(0.01)
        came = []
        while not came or came[-1] is not None:
            came.append(await out.get())
        await asyncio.to_thread(thread.join)
        return came

    came = asyncio.run(scene())
    assert decoded(out) == len(fast) and came[0].frame.pts == fast[0].timestamp


def test_what_has_waited_too_long_is_passed_over_up_to_a_key_frame_that_has_not() -> None:
    """Ten seconds, a key frame in each: the third comes so late that it cannot be made up for."""
    wanted, failed, came = WantedFrames(), threading.Event(), []
    loop = SimpleNamespace(call_soon_threadsafe=lambda put, one: came.append(one))
    decoding = Decoding(loop, wanted, failed, lambda: 20)  # type: ignore[arg-type]
    codec = parameters("H264")
    late_s = {2: 1.2, 3: 0.8, 4: 0.4}
    taken = []
    for at, frame in enumerate(encoded("H264", 70, 10)):
        arrived = ArrivedFrame(frame.data, frame.timestamp)
        arrived.arrived_s -= late_s.get(at // 10, 0.0)
        taken.append(decoding.take(codec, arrived))
    assert taken == [False] * 20 + [True] * 20 + [False] * 30, "a key frame that is behind nearly as much is passed too"
    assert (decoded(wanted), sum(one.undecoded for one in came), failed.is_set()) == (50, 20, True)
    assert max(one.frame.pts for one in came) >= 66 * 3000


def test_a_key_frame_is_asked_for_while_none_comes() -> None:
    wanted, failed = WantedFrames(), threading.Event()
    decoding = Decoding(SimpleNamespace(), wanted, failed, lambda: 0)  # type: ignore[arg-type]
    frames = [ArrivedFrame(frame.data, frame.timestamp) for frame in encoded("H264", 61, 100)[1:]]
    frames[0].arrived_s -= 2.0
    for frame in frames:
        assert decoding.take(parameters("H264"), frame)
        assert failed.is_set()
        failed.clear()  # as a receiver does that asks
    assert wanted.sieve.undecoded == 60
    assert wanted.newest_s == 0.0, "nothing that could be looked at"


def test_what_cannot_be_decoded_asks_for_a_key_frame_and_the_thread_goes_on() -> None:
    frames = encoded("H264", 30, 10)
    broken = [JitterFrame(b"\x00\x00\x00\x01\x65" + bytes(20), 0), *frames]
    wanted = WantedFrames()
    came, asked = run(broken, wanted=wanted)
    assert asked and decoded(wanted) >= 29 and came[-1] is None


@pytest.mark.parametrize("codec", ENCODERS)
def test_an_empty_frame_is_none_wherever_it_stands(codec: str) -> None:
    frames = encoded(codec, 30, 10)
    padded = [JitterFrame(b"", 0)]
    for frame in frames:
        padded += [frame, JitterFrame(b"", frame.timestamp), JitterFrame(b"", frame.timestamp + 1)]
    wanted = WantedFrames()
    came, asked = run(padded, codec, wanted)
    assert decoded(wanted) == 30 and not asked and came[-1] is None


def test_a_decoder_that_has_ended_is_made_anew_and_a_key_frame_asked_for() -> None:
    wanted, failed, came = WantedFrames(), threading.Event(), []
    loop = SimpleNamespace(call_soon_threadsafe=lambda put, one: came.append(one))
    decoding = Decoding(loop, wanted, failed, lambda: 0)  # type: ignore[arg-type]
    for at, frame in enumerate(encoded("H264", 30, 10)):
        if at == 15:
            decoder: Any = decoding._decoder
            decoder._decoder.codec.decode(None)
        decoding.take(parameters("H264"), frame)
    assert failed.is_set() and decoded(wanted) >= 15 + 10


SOUNDS = {
    "opus": ("libopus", 48_000, "stereo", 960),
    "PCMU": ("pcm_mulaw", 8000, "mono", 160),
    "PCMA": ("pcm_alaw", 8000, "mono", 160),
    "G722": ("g722", 16_000, "mono", 320),
}


@pytest.mark.parametrize("codec", SOUNDS)
def test_nothing_that_a_packet_holds_ends_the_hearing(codec: str) -> None:
    """Empty packets (padding), the shortest ones (DTX, comfort noise) and ones that cannot be decoded."""
    name, rate_hz, layout, size = SOUNDS[codec]
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate_hz, layout, "s16"
    channels = 2 if layout == "stereo" else 1
    noise = np.random.default_rng(1).integers(-9999, 9999, (1, size * channels), np.int16)
    packets: list[bytes] = []
    for number in range(40):
        sound = av.AudioFrame.from_ndarray(noise, format="s16", layout=layout)
        sound.sample_rate, sound.pts, sound.time_base = rate_hz, number * size, Fraction(1, rate_hz)
        packets += [bytes(packet) for packet in encoder.encode(sound)]
    odd = [b"", b"\xff", b"\xfc", b"\xf8\xff\xfe", b"\x00", b"\x0f\xff\xff", bytes(1), bytes(700), b"\xff" * 300]
    stream = [part for at, packet in enumerate(packets) for part in (odd[at % len(odd)], packet)]

    async def queue_of() -> asyncio.Queue[Any]:
        return asyncio.Queue()

    clock = RTCRtpCodecParameters(mimeType=f"audio/{codec}", clockRate=rate_hz, channels=channels, payloadType=0)
    out, failed, waiting = asyncio.run(queue_of()), threading.Event(), queue.Queue[Any]()
    for number, data in enumerate(stream):
        waiting.put((clock, JitterFrame(data, number * size)))
    waiting.put(None)

    async def scene() -> list[Any]:
        await asyncio.to_thread(decode_on, asyncio.get_running_loop(), waiting, out, failed)
        await asyncio.sleep(0)
        return [out.get_nowait() for _ in range(out.qsize())]

    heard = asyncio.run(scene())
    whole = {number * size * (2 if codec == "G722" else 1) for number in range(1, len(stream), 2)}
    assert heard[-1] is None
    assert whole <= {frame.pts for frame in heard[:-1]}, "every packet that can be decoded is"


def wide(codec: str, width: int, height: int) -> JitterFrame:
    """One black picture."""
    name, options = ENCODERS[codec]
    context: Any = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate, context.options = Fraction(1, FPS), Fraction(FPS), options
    picture = av.VideoFrame(width, height, "yuv420p")
    picture.pts, picture.time_base = 0, Fraction(1, FPS)
    (packet, *_) = [*context.encode(picture), *context.encode(None)]
    return JitterFrame(bytes(packet), 0)


@pytest.mark.parametrize("codec", ENCODERS)
@pytest.mark.parametrize(("width", "height"), [(MAX_SIDE + 16, 64), (64, MAX_SIDE + 16)])
def test_larger_pictures_than_are_taken_are_refused_before_they_are_decoded(
    codec: str, width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, failed, came = WantedFrames(), threading.Event(), []
    loop = SimpleNamespace(call_soon_threadsafe=lambda put, one: came.append(one))
    decoding = Decoding(loop, wanted, failed, lambda: 0)  # type: ignore[arg-type]
    decoded: list[Any] = []
    real = FrameDecoder.decode
    monkeypatch.setattr(FrameDecoder, "decode", lambda self, frame: decoded.append(frame) or real(self, frame))
    good = encoded(codec, 3, 30)
    for frame in (*good, wide(codec, width, height), *encoded(codec, 3, 30)):
        decoding.take(parameters(codec), frame)
    assert [frame.data for frame in decoded] == [frame.data for frame in good]
    (said,) = [one.reason for one in came if isinstance(one, Refused)]
    assert f"{width}x{height}" in said and str(MAX_SIDE) in said and len(said) < 124
    assert not failed.is_set(), "another key frame would be as large"


@pytest.mark.parametrize("codec", ENCODERS)
def test_pictures_as_large_as_are_taken_are_decoded(codec: str) -> None:
    came, asked = run([wide(codec, MAX_SIDE, 64)], codec)
    assert came[0].width == MAX_SIDE and not asked


def test_ffmpeg_has_the_bound_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding_module, "MAX_PIXELS", 320 * 180 - 1)
    for deblock in (True, False):
        with pytest.raises(av.FFmpegError):
            for frame in encoded("H264", 3, 10):
                FrameDecoder(parameters("H264"), deblock).decode(frame)


def test_deblocking_is_given_up_and_taken_back_at_key_frames_only() -> None:
    first, second, third = (encoded("H264", 20, 20) for _ in range(3))
    for offset, part in ((20, second), (40, third)):
        for frame in part:
            frame.timestamp += 3000 * offset

    class Every(WantedFrames):
        def arrival(self, frame: av.VideoFrame, arrived_s: float | None) -> Arrival:
            return super().arrival(frame, arrived_s) or Arrival(frame)

    def careless(wanted: Any) -> None:
        wanted.deblock = False

    whole, _ = run([*first, *second], wanted=Every())
    came, asked = run(first[:10], wanted=Every(), then=careless, more=[*first[10:], *second])
    assert asked  # for a key frame, since the change waits for one
    same = [np.array_equal(one.to_ndarray(), other.to_ndarray()) for one, other in zip(whole, came, strict=True) if one]
    assert all(same[:20])  # up to the key frame
    assert not any(same[20:])  # from it on
    difference = np.abs(whole[30].to_ndarray().astype(int) - came[30].to_ndarray()).mean()
    assert difference < 8  # grey levels: the same pictures, with the edges of their blocks


@pytest.mark.parametrize("codec", ENCODERS)
def test_key_frames_are_known(codec: str) -> None:
    frames = encoded(codec, 12, 5)
    assert [is_key(codec, frame.data) for frame in frames] == [number % 5 == 0 for number in range(12)]
    assert not is_key(codec, b"")


def test_a_receiver_takes_turns_before_its_decoder_begins() -> None:
    async def kind() -> Any:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("video").receiver
        with ThreadPoolExecutor(1) as threads:
            decode_in_turns(receiver, threads)
            found = waiting_of(receiver)
            decode_in_turns(receiver, threads)
            assert waiting_of(receiver) is found  # once
        await connection.close()
        return found

    assert isinstance(asyncio.run(kind()), DecoderQueue)


def test_in_turns_the_same_frames_come() -> None:
    frames = encoded("H264", 40, 20)
    alone = [frame.pts for frame in run(frames)[0][:-1]]

    async def scene() -> list[Any]:
        came: list[Any] = []
        with ThreadPoolExecutor(2) as threads:
            several = [(DecoderQueue(threads), WantedFrames()) for _ in range(3)]
            serving = [
                asyncio.create_task(
                    asyncio.to_thread(decode_on, asyncio.get_running_loop(), waiting, out, threading.Event())
                )
                for waiting, out in several
            ]
            for frame in frames:
                for waiting, _ in several:
                    waiting.put((parameters("H264"), frame))
            while any(decoded(out) < len(frames) for _, out in several):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
            for waiting, out in several:
                waiting.put(None)
                came.append([])
                while (one := await out.get()) is not None:
                    came[-1].append(one.frame.pts)
            await asyncio.gather(*serving)
        return came

    assert asyncio.run(scene()) == [alone] * 3


def test_a_closed_loop_is_no_failure() -> None:
    loop = asyncio.new_event_loop()
    out = WantedFrames()
    loop.close()
    Decoding(loop, out, threading.Event(), lambda: 0).end()
    assert out.empty()


def test_aiortc_begins_its_threads_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtcrtpreceiver, "decoder_worker", rtcrtpreceiver.decoder_worker)
    decode_apart()
    decode_apart()
    assert rtcrtpreceiver.decoder_worker is decode_on
