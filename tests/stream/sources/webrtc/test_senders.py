"""Pictures as publishers really packetise them, through the real buffer and decoder: as many come out as went in, the
same ones, and none later than it must be."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from aiortc.codecs import get_encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sources.arrival import Arrival
from stream.sources.webrtc.decoding import Decoding, WantedFrames
from stream.sources.webrtc.jitter import ArrivedFrame, MarkedJitterBuffer
from stream.sources.webrtc.payload import Part, part_of

FPS, PICTURES, STEP = 30, 40, 3000
H264 = RTCRtpCodecParameters(mimeType="video/H264", clockRate=90_000, payloadType=96)
VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90_000, payloadType=97)
SLICES, SPS, PPS, SEI, AUD = (1, 5), 7, 8, 6, 9

STREAMS = {
    "one slice": {},
    "four slices": {"x264-params": "slices=4"},
    "delimiters, four slices": {"x264-params": "slices=4:aud=1"},
    "headers repeated": {"x264-params": "slices=4:aud=1:repeat-headers=1", "g": "5"},
    "filler": {"x264-params": "nal-hrd=cbr:vbv-maxrate=900:vbv-bufsize=900:slices=2", "b": "900k"},
    "small slices": {"x264-params": "slice-max-size=300"},
    "interlaced": {"x264-params": "tff=1", "profile": "main"},
    "main": {"profile": "main"},
    "high": {"profile": "high"},
    "Mbit": {"b": "8M"},
}


@cache
def encoded(name: str) -> list[list[bytes]]:
    """Each picture's NAL units; noise that moves."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 320, 192, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    context.thread_count = 1  # more are more slices
    options = {"profile": "baseline", "tune": "zerolatency", "preset": "veryfast", "bf": "0", "g": "20"}
    context.options = options | STREAMS[name]
    noise = np.random.default_rng(1).integers(0, 256, (192, 320, 3), np.uint8)
    pictures = []
    for number in range(PICTURES):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, 4 * number, axis=1), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        pictures += [list(H264Encoder._split_bitstream(bytes(packet))) for packet in context.encode(frame)]
    assert len(pictures) == PICTURES
    return pictures


@dataclass(frozen=True)
class Sent:
    """A packet as it is sent: payload, mark, picture; ``last`` of its picture."""

    payload: bytes
    marked: bool
    picture: int
    last: bool


Marks = Callable[[int, bytes, bool, bool], bool]  # picture, NAL unit, whether the piece is its last, and the picture's

MARKS: dict[str, Marks] = {
    "each picture": lambda picture, unit, ends, last: last,
    "each unit": lambda picture, unit, ends, last: ends,
    "each slice": lambda picture, unit, ends, last: ends and unit[0] & 31 in SLICES,
    "each packet": lambda picture, unit, ends, last: True,
    "none": lambda picture, unit, ends, last: False,
    "some pictures": lambda picture, unit, ends, last: last and picture % 3 == 1,
    "key frames": lambda picture, unit, ends, last: last and unit[0] & 31 == 5,
    "each unit later": lambda picture, unit, ends, last: ends if picture >= 20 else last,
}


def pieces(unit: bytes, most: int = 700) -> Iterator[bytes]:
    """A NAL unit as one payload, or as FU-A (RFC 6184, section 5.8)."""
    yield from [unit] if len(unit) <= most else H264Encoder._packetize_fu_a(unit) if len(unit) > 1300 else halves(unit)


def halves(unit: bytes) -> list[bytes]:
    middle, head = len(unit) // 2, bytes([unit[0] & 0xE0 | 28])
    kind = unit[0] & 31
    return [head + bytes([kind | 0x80]) + unit[1:middle], head + bytes([kind | 0x40]) + unit[middle:]]


def packetised(name: str, marks: Marks, together: bool = False, pictures: int = PICTURES) -> list[Sent]:
    """``together``: parameter sets and what stands before the slices in one packet (STAP-A)."""
    out = []
    for number, units in enumerate(encoded(name)[:pictures]):
        payloads = [(unit, piece) for unit in units for piece in pieces(unit)]
        ends = [at + 1 == len(payloads) or payloads[at + 1][0] is not unit for at, (unit, _) in enumerate(payloads)]
        made = [
            Sent(piece, marks(number, unit, end, at + 1 == len(payloads)), number, at + 1 == len(payloads))
            for at, ((unit, piece), end) in enumerate(zip(payloads, ends, strict=True))
        ]
        if together:
            heads = [unit for unit in units if unit[0] & 31 not in (*SLICES, 12)]
            if len(heads) > 1:
                payload = bytes([24 | 0x60]) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in heads)
                made = [Sent(payload, made[0].marked, number, False), *made[len(heads) :]]
        out += made
    return out


def received(sent: list[Sent], codec: Any = H264, stamp: Callable[[Sent], int] | None = None) -> list[tuple[int, Any]]:
    """After which packet which encoded picture came out."""
    buffer = MarkedJitterBuffer(capacity=512, is_video=True)
    out = []
    for at, one in enumerate(sent):
        packet = RtpPacket(
            sequence_number=(65_000 + at) % 65_536,
            timestamp=one.picture * STEP if stamp is None else stamp(one),
            marker=int(one.marked),
        )
        packet._data = part_of(codec, one.payload) if one.payload else b""  # type: ignore[attr-defined]
        _, frame = buffer.add(packet)
        if isinstance(frame, ArrivedFrame):
            out += [(at, each) for each in frame.each()]
            frame.behind.clear()
    return out


def decoded(frames: list[Any], codec: Any = H264) -> tuple[list[av.VideoFrame], bool]:
    """The pictures that a publisher's decoder makes, and whether it asked for a key frame."""

    class Every(WantedFrames):
        def arrival(self, frame: av.VideoFrame, arrived_s: float | None) -> Arrival:
            return super().arrival(frame, arrived_s) or Arrival(frame)

    wanted, failed, came = Every(), threading.Event(), []
    loop = SimpleNamespace(call_soon_threadsafe=lambda put, one: came.append(one))
    decoding = Decoding(loop, wanted, failed, lambda: 0)  # type: ignore[arg-type]
    for frame in frames:
        frame.arrived_s = time.monotonic()  # as it comes: who is late by a busy machine's time asks for a key frame
        decoding.take(codec, frame)
    assert all(isinstance(one, Arrival) for one in came)
    return [one.frame for one in came], failed.is_set()


END = Sent(b"\x09\x10", False, PICTURES, False)  # the next picture's delimiter


@cache
def truth(name: str) -> list[np.ndarray[Any, Any]]:
    whole = [SimpleNamespace(data=b"".join(b"\0\0\0\1" + unit for unit in units), timestamp=STEP * number)
             for number, units in enumerate(encoded(name))]  # fmt: skip
    return [frame.to_ndarray() for frame in decoded(whole)[0]]


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize("marks", [name for name in MARKS if "later" not in name])
@pytest.mark.parametrize("name", STREAMS)
def test_as_many_pictures_come_out_as_went_in(name: str, marks: str, together: bool) -> None:
    came = received([*packetised(name, MARKS[marks], together), END])
    assert [frame.timestamp for _, frame in came] == [STEP * number for number in range(PICTURES)]
    pictures, asked = decoded([frame for _, frame in came])
    assert not asked
    assert len(pictures) == PICTURES and [frame.pts for frame in pictures] == [STEP * at for at in range(PICTURES)]
    assert all(np.array_equal(one.to_ndarray(), other) for one, other in zip(pictures, truth(name), strict=True))


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize("name", STREAMS)
def test_where_marks_are_right_only_the_first_picture_waits(name: str, together: bool) -> None:
    sent = packetised(name, MARKS["each picture"], together)
    came = received(sent)
    lasts = [at for at, one in enumerate(sent) if one.last]
    assert [at for at, _ in came[1:]] == lasts[1:] and came[0][0] == lasts[0] + 1


def test_marks_that_go_wrong_later_cost_one_picture_and_are_not_believed_again() -> None:
    came = received([*packetised("headers repeated", MARKS["each unit later"]), END])
    pictures, _ = decoded([frame for _, frame in came])
    stamps = [frame.timestamp // STEP for _, frame in came]
    assert sorted(set(stamps)) == list(range(PICTURES)) and len(stamps) <= PICTURES + 1
    whole = truth("headers repeated")
    for picture in pictures[-19:]:
        assert np.array_equal(picture.to_ndarray(), whole[(picture.pts or 0) // STEP])


def test_a_picture_that_was_cut_short_comes_again_whole_and_a_key_frame_is_asked_for() -> None:
    """From a key frame on, so that the decoder starts from it anew."""
    early = packetised("one slice", MARKS["each picture"], pictures=3)
    later = [
        Sent(one.payload, one.marked, one.picture + 100, one.last)
        for one in packetised("four slices", MARKS["each slice"])
    ]
    sent = [*early, *later, Sent(END.payload, False, 999, False)]
    came = [frame for _, frame in received(sent)]
    stamps = [frame.timestamp // STEP for frame in came]
    first = stamps.index(100)
    assert stamps[first : first + 3] == [100, 100, 101], "the second time whole"
    pictures, _ = decoded(came[first + 1 :])
    whole = truth("four slices")
    assert all(np.array_equal(one.to_ndarray(), right) for one, right in zip(pictures, whole, strict=True))


def test_a_broken_mark_asks_for_a_key_frame_once() -> None:
    buffer = MarkedJitterBuffer(capacity=512, is_video=True)
    asked = 0
    sent = packetised("one slice", MARKS["each picture"], pictures=3) + [
        Sent(one.payload, one.marked, one.picture + 3, one.last)
        for one in packetised("four slices", MARKS["each slice"])
    ]
    for at, one in enumerate(sent):
        packet = RtpPacket(sequence_number=at, timestamp=STEP * one.picture, marker=int(one.marked))
        packet._data = part_of(H264, one.payload)  # type: ignore[attr-defined]
        asked += buffer.add(packet)[0]
    assert asked == 1


@pytest.mark.parametrize("marks", ["each picture", "each unit"])
def test_parameter_sets_with_a_time_of_their_own_go_with_the_next_picture(marks: str) -> None:
    sent = [*packetised("headers repeated", MARKS[marks]), END]
    late = {SPS, PPS, SEI, AUD}
    came = received(sent, stamp=lambda one: one.picture * STEP - 11 * (one.payload[0] & 31 in late))
    pictures, asked = decoded([frame for _, frame in came])
    assert not asked and len(pictures) == PICTURES
    assert all(np.array_equal(a.to_ndarray(), b) for a, b in zip(pictures, truth("headers repeated"), strict=True))


def test_two_pictures_of_one_timestamp_are_no_broken_mark() -> None:
    sent = packetised("one slice", MARKS["each picture"])
    came = received(sent, stamp=lambda one: STEP * (one.picture - one.picture % 2 * (one.picture > 9)))
    assert len(came) == PICTURES
    assert [at for at, _ in came[1:]] == [at for at, one in enumerate(sent) if one.last][1:]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["headers repeated", "one slice", "interlaced"]), st.sampled_from(sorted(MARKS)), st.data())
def test_padding_anywhere_changes_nothing(name: str, marks: str, data: st.DataObject) -> None:
    plain = [*packetised(name, MARKS[marks], pictures=8), Sent(END.payload, False, 8, False)]
    padded: list[Sent] = []
    for one in plain:
        before, behind = (data.draw(st.lists(st.booleans(), max_size=2)) for _ in range(2))
        padded += [Sent(b"", marked, one.picture, False) for marked in before]
        padded += [one, *(Sent(b"", marked, one.picture, False) for marked in behind)]
    with_padding, without = received(padded), received(plain)
    assert [(f.timestamp, f.data) for _, f in with_padding] == [(f.timestamp, f.data) for _, f in without]
    assert [padded[at] for at, _ in with_padding] == [plain[at] for at, _ in without], "and nothing comes later"


def test_what_cannot_be_read_is_passed_over_at_once() -> None:
    """A unit of a kind that is not negotiated, a payload cut short: nobody waits for it."""
    sent = packetised("one slice", MARKS["each picture"])
    odd = [Sent(payload, False, 3, False) for payload in (b"\x1f\x00", b"\x00\x00", b"\x7c", b"\x18\x00\x09\x01")]
    at = next(at for at, one in enumerate(sent) if one.picture == 3)
    came = received([*sent[:at], *odd, *sent[at:]])
    pictures, asked = decoded([frame for _, frame in came])
    assert len(pictures) == PICTURES and not asked


@pytest.mark.parametrize("every", [1, 4])
def test_vp8_is_given_at_its_mark_from_the_first_picture_on(every: int) -> None:
    encoder: Any = get_encoder(VP8)
    noise = np.random.default_rng(1).integers(0, 256, (192, 320, 3), np.uint8)
    sent: list[Sent] = []
    for number in range(PICTURES):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, 4 * number, axis=1), format="rgb24")
        frame.pts, frame.time_base = number * STEP, Fraction(1, 90_000)
        payloads, _ = encoder.encode(frame)
        last = len(payloads) - 1
        sent += [Sent(one, at == last and number % every == 0, number, at == last) for at, one in enumerate(payloads)]
        sent.append(Sent(b"\x10", False, number, False))  # a descriptor, and nothing behind it
    came = received([*sent, Sent(b"\x10\x00\x00", False, PICTURES, False)], VP8)
    pictures, asked = decoded([frame for _, frame in came], VP8)
    assert len(pictures) == PICTURES and not asked
    if every == 1:
        assert [sent[at].last for at, _ in came] == [True] * PICTURES


@pytest.mark.parametrize(
    ("payload", "picture", "begins", "whole"),
    [
        (bytes([0x65, 0x88]), True, True, True),
        (bytes([0x41, 0x40]), True, False, True),
        (bytes([0x67, 0x42]), False, False, True),
        (bytes([0x0C, 0xFF]), False, False, True),
        (bytes([0x7C, 0x85, 0x88]), True, True, False),
        (bytes([0x7C, 0x05, 0x88]), True, False, False),
        (bytes([0x7C, 0x45, 0x88]), True, False, True),
        (bytes([0x7C, 0x87, 0x42]), False, False, False),
        (bytes([0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xCE]), False, False, True),
        (bytes([0x78, 0, 2, 0x67, 0x42, 0, 2, 0x65, 0x88]), True, True, True),
        (bytes([0x78, 0, 0, 0, 2, 0x41, 0x40]), True, False, True),
    ],
)
def test_what_an_h264_packet_holds(payload: bytes, picture: bool, begins: bool, whole: bool) -> None:
    part = part_of(H264, payload)
    assert (part.picture, part.begins, part.whole, part.sliced) == (picture, begins, whole, True)
    assert part.startswith(b"\0\0\0\1") or payload[1] == 0x05 or payload[1] == 0x45


@settings(deadline=None)
@given(st.binary(max_size=40), st.sampled_from([H264, VP8]))
def test_any_payload_is_a_part(payload: bytes, codec: Any) -> None:
    if payload:
        assert isinstance(part_of(codec, payload), Part)
