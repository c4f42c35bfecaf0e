"""A picture is complete with its last packet; otherwise the buffer does what aiortc's does."""

from random import Random

import pytest
from aiortc import rtcrtpreceiver
from aiortc.codecs import depayload
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sources.webrtc.jitter import ArrivedFrame, MarkedJitterBuffer, use_markers
from stream.sources.webrtc.payload import part_of

FIRST = 65_500  # sequence numbers wrap on the way


def packets_of(sizes: list[int], marked: bool = True) -> list[RtpPacket]:
    """The packets of pictures with so many packets each."""
    made: list[RtpPacket] = []
    for number, size in enumerate(sizes):
        for place in range(size):
            packet = RtpPacket(sequence_number=(FIRST + len(made)) % 65_536, timestamp=3000 * number)
            packet.marker = int(marked and place == size - 1)
            packet._data = bytes([number % 256, place % 256])  # type: ignore[attr-defined]
            made.append(packet)
    return made


def empty_like(packet: RtpPacket, timestamp: int) -> RtpPacket:
    """Padding: a packet without payload."""
    made = RtpPacket(timestamp=timestamp)
    made.marker = packet.marker
    made._data = b""  # type: ignore[attr-defined]
    return made


def numbered(packets: list[RtpPacket]) -> list[RtpPacket]:
    for place, packet in enumerate(packets):
        packet.sequence_number = (FIRST + place) % 65_536
    return packets


def frames_of(buffer: JitterBuffer, packets: list[RtpPacket]) -> list[tuple[int, int, bytes]]:
    """After which packet which frame came out."""
    out = []
    for number, packet in enumerate(packets):
        _, frame = buffer.add(packet)
        each = frame.each() if isinstance(frame, ArrivedFrame) else [frame] if frame is not None else []
        out += [(number, one.timestamp, one.data) for one in each]
    return out


def whole(sizes: list[int]) -> list[tuple[int, bytes]]:
    return [
        (3000 * number, b"".join(bytes([number % 256, place % 256]) for place in range(size)))
        for number, size in enumerate(sizes)
    ]


sizes_of_pictures = st.lists(st.integers(1, 9), min_size=1, max_size=30)


@settings(deadline=None)
@given(sizes_of_pictures)
def test_each_picture_comes_with_its_last_packet(sizes: list[int]) -> None:
    came = frames_of(MarkedJitterBuffer(capacity=128, is_video=True), packets_of(sizes))
    assert [(timestamp, data) for _, timestamp, data in came] == whole(sizes)
    ends = [sum(sizes[: number + 1]) - 1 for number in range(len(sizes))]
    assert [after for after, _, _ in came] == ends


@settings(deadline=None)
@given(sizes_of_pictures, st.integers(0, 2**32))
def test_without_the_bit_it_is_aiortcs_buffer(sizes: list[int], seed: int) -> None:
    """But that what is complete at once comes at once."""
    packets = disordered(packets_of(sizes, marked=False), seed)
    ours = frames_of(MarkedJitterBuffer(capacity=128, is_video=True), packets)
    theirs = frames_of(JitterBuffer(capacity=128, is_video=True), packets)
    assert [frame[1:] for frame in ours][: len(theirs)] == [frame[1:] for frame in theirs]
    assert all(mine[0] <= other[0] for mine, other in zip(ours, theirs, strict=False))


def test_a_packet_that_comes_late_puts_nothing_behind_but_what_waited_for_it() -> None:
    """Pictures of a packet each, the eleventh of which comes 30 places late."""
    packets = packets_of([1] * 100)
    packets.insert(40, packets.pop(10))
    came = frames_of(MarkedJitterBuffer(capacity=512, is_video=True), packets)
    assert [frame[1:] for frame in came] == whole([1] * 100)
    assert [after for after, _, _ in came] == [*range(10), *[40] * 31, *range(41, 100)]


def test_pictures_that_come_together_have_their_times_over_the_wrap() -> None:
    packets = packets_of([1] * 4)
    for number, packet in enumerate(packets):
        packet.timestamp = (2**32 - 3000 + 3000 * number) % 2**32
    buffer = MarkedJitterBuffer(capacity=16, is_video=True)
    for packet in (packets[0], packets[2], packets[3]):
        buffer.add(packet)
    _, frame = buffer.add(packets[1])
    assert isinstance(frame, ArrivedFrame)
    frame.timestamp = 3000  # as its receiver maps it
    assert [one.timestamp for one in frame.each()] == [3000, 6000, 9000]


@settings(max_examples=200, deadline=None)
@given(sizes_of_pictures, st.integers(0, 2**32), st.floats(0, 0.3))
def test_in_disorder_and_with_losses_no_picture_is_broken_or_later(sizes: list[int], seed: int, loss: float) -> None:
    rng = Random(seed)
    packets = packets_of(sizes)
    kept = [packets[0], *(packet for packet in packets[1:] if rng.random() >= loss)]
    kept = [kept[0], *disordered(kept[1:], seed)]
    # as many as aiortc has; with fewer, what overflows comes in pieces from either
    ours = frames_of(MarkedJitterBuffer(capacity=512, is_video=True), kept)
    theirs = frames_of(JitterBuffer(capacity=512, is_video=True), kept)
    complete = dict(whole(sizes))
    assert all(complete[timestamp] == data for _, timestamp, data in ours)
    assert [timestamp for _, timestamp, _ in ours] == sorted(timestamp for _, timestamp, _ in ours)
    came = {timestamp: after for after, timestamp, _ in ours}
    for after, timestamp, data in theirs:
        if complete[timestamp] == data:
            assert came[timestamp] <= after


@settings(max_examples=200, deadline=None)
@given(sizes_of_pictures, st.booleans(), st.data())
def test_packets_without_payload_are_nowhere_in_the_way(sizes: list[int], marked: bool, data: st.DataObject) -> None:
    """Before the first packet, behind the marked one, in the middle, with the timestamp of their neighbour or their
    own, with a mark of their own or none."""
    packets: list[RtpPacket] = []
    for packet in packets_of(sizes, marked):
        around = data.draw(st.lists(st.sampled_from(["before", "behind", "own", "marked"]), max_size=3))
        for place in around:
            padding = empty_like(packet, packet.timestamp + 17 * (place == "own"))
            padding.marker = int(place == "marked")
            if place != "behind":
                packets.append(padding)
        packets.append(packet)
        packets += [empty_like(packet, packet.timestamp) for place in around if place == "behind"]
    came = frames_of(MarkedJitterBuffer(capacity=512, is_video=True), numbered(packets))
    expected = whole(sizes) if marked else whole(sizes)[:-1]  # without marks the last waits for another
    assert [(timestamp, frame) for _, timestamp, frame in came] == expected
    if marked:
        assert [packets[after].marker and packets[after]._data for after, _, _ in came] == [  # type: ignore[attr-defined]
            bytes([number % 256, size - 1]) for number, size in enumerate(sizes)
        ], "each with its last packet"


def test_padding_without_end_takes_no_place() -> None:
    buffer = MarkedJitterBuffer(capacity=16, is_video=True)
    first, second = packets_of([2, 1])[:2], packets_of([2, 1])[2:]
    packets = [*first, *(empty_like(first[0], first[0].timestamp) for _ in range(100)), *second]
    packets[1].marker = 1
    asked = [buffer.add(packet)[0] for packet in numbered(packets)]
    assert not any(asked)


def test_sound_is_as_ever() -> None:
    packets = packets_of([1] * 20)
    ours, theirs = MarkedJitterBuffer(capacity=16, prefetch=4), JitterBuffer(capacity=16, prefetch=4)
    assert frames_of(ours, packets) == frames_of(theirs, packets)


def test_receivers_are_made_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtcrtpreceiver, "JitterBuffer", JitterBuffer)
    monkeypatch.setattr(rtcrtpreceiver, "depayload", depayload)
    use_markers()
    use_markers()
    assert rtcrtpreceiver.JitterBuffer is MarkedJitterBuffer and rtcrtpreceiver.depayload is part_of


def disordered(packets: list[RtpPacket], seed: int) -> list[RtpPacket]:
    """Each a few places from where it was."""
    rng = Random(seed)
    places = sorted(range(len(packets)), key=lambda place: place + rng.uniform(0, 4))
    return [packets[place] for place in places]
