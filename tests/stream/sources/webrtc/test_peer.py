"""A publisher's media through two real connections: the short way, all frames counted, the wanted ones handed on."""

import asyncio
import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.rtp import RTCP_PSFB_PLI, RtcpPsfbPacket, RtpPacket, is_rtcp

from stream.core.quality_level import STEPS
from stream.sources.arrival import Arrival
from stream.sources.ended import Cause, Ended, silent
from stream.sources.feed import MAX_SIDE
from stream.sources.webrtc import rtp_fast_path
from stream.sources.webrtc.adapt import adapt_aiortc
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer

FPS = 30
FRAMES = 60


class Film(MediaStreamTrack):
    """``FRAMES`` pictures at their pace, then silence."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.began_s = time.monotonic()
        self.noise = np.random.default_rng(3).integers(0, 256, (180, 320, 3), np.uint8)

    async def recv(self) -> av.VideoFrame:
        if self.sent == FRAMES:
            await asyncio.Event().wait()
        await asyncio.sleep(max(0.0, self.began_s + self.sent / FPS - time.monotonic()))
        frame = av.VideoFrame.from_ndarray(np.roll(self.noise, 4 * self.sent, axis=0), format="rgb24")
        frame.pts, frame.time_base = self.sent * 90_000 // FPS, Fraction(1, 90_000)
        self.sent += 1
        return frame


@pytest.mark.parametrize("codec", ["video/H264", "video/VP8"])
def test_every_frame_is_counted_and_those_of_new_slots_are_handed_on(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[int] = []
    real = rtp_fast_path.finish

    def finish(step: Any) -> None:
        handled.append(1)
        real(step)

    monkeypatch.setattr(rtp_fast_path, "finish", finish)
    adapt_aiortc()

    async def scene() -> tuple[list[tuple[int, int]], int, dict[str, Any]]:
        peer, publisher = WebRtcPeer(PeerOptions()), RTCPeerConnection()
        came: list[tuple[int, int]] = []
        late_s: list[float] = []

        def see(arrival: Arrival) -> None:
            assert arrival.undecoded == 0
            came.append((arrival.frame.pts or 0, arrival.passed))
            late_s.append(time.monotonic() - (arrival.arrived_s or 0.0))

        reason: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        try:
            sender = publisher.addTransceiver(Film(), direction="sendonly")
            codecs = RTCRtpSender.getCapabilities("video").codecs
            sender.setCodecPreferences([one for one in codecs if one.mimeType == codec])
            await publisher.setLocalDescription()
            answer = await peer.answer(publisher.localDescription.sdp)
            peer.feed(see, lambda frame: None, reason.set_result)
            peer.follow(STEPS[-1])
            await publisher.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            async with asyncio.timeout(30):
                while decoded(peer) < FRAMES:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.1)
            assert all(0 < late < 1 for late in late_s)  # decoding takes a little
            return came, decoded(peer), vars(peer._connection.getTransceivers()[0].receiver.transport.transport)
        finally:
            await peer.close()
            await publisher.close()

    came, frames, ice = asyncio.run(scene())
    assert frames == FRAMES  # the last one too, though no packet follows it
    assert len(handled) >= FRAMES  # packets, none by the queue
    assert "data_received" not in vars(ice["_connection"])  # taken back with the connection
    slots = [pts * 8 // 90_000 for pts, _ in came]
    assert slots == sorted(set(slots)) and 14 <= len(slots) <= 17
    assert sum(passed + 1 for _, passed in came) <= FRAMES
    assert FRAMES - sum(passed + 1 for _, passed in came) < 4  # those after the last wanted one


def decoded(peer: WebRtcPeer) -> int:
    """How many video frames came out of a peer's decoder."""
    return peer._queue.sieve._sampler.frames


def send_as(publisher: RTCPeerConnection, change: Callable[[RtpPacket], list[RtpPacket]]) -> None:
    """Let a publisher of aiortc's send other packets than it would; their numbers are made to follow each other."""
    for dtls in {sender.transport for sender in publisher.getSenders()}:
        given, numbers = dtls._send_rtp, itertools.count(1)

        async def send(data: bytes, given: Any = given, numbers: Any = numbers) -> None:
            if is_rtcp(data):
                return await given(data)
            for packet in change(RtpPacket.parse(data)):
                packet.sequence_number = next(numbers) % 65_536
                await given(packet.serialize())
            return None

        dtls._send_rtp = send  # type: ignore[method-assign]


def padded(packet: RtpPacket) -> list[RtpPacket]:
    """Padding behind each picture, as libwebrtc sends it where retransmission is not negotiated."""
    padding = RtpPacket(payload_type=packet.payload_type, timestamp=packet.timestamp, ssrc=packet.ssrc)
    padding.padding_size = 200
    return [packet, padding] if packet.marker else [packet]


def marked_by_unit(packet: RtpPacket) -> list[RtpPacket]:
    """A packet for each NAL unit, or piece of one, and a mark at the end of each unit."""
    kind = packet.payload[0] & 31
    units, at = ([], 1) if kind == 24 else ([packet.payload], len(packet.payload))
    while at < len(packet.payload):
        size = int.from_bytes(packet.payload[at : at + 2], "big")
        units.append(packet.payload[at + 2 : at + 2 + size])
        at += 2 + size
    out = []
    for unit in units:
        one = RtpPacket(payload_type=packet.payload_type, timestamp=packet.timestamp, ssrc=packet.ssrc, payload=unit)
        one.marker = int(kind != 28 or bool(unit[1] & 0x40))
        out.append(one)
    return out


@pytest.mark.parametrize(
    ("codec", "change"), [("video/H264", padded), ("video/VP8", padded), ("video/H264", marked_by_unit)]
)
def test_what_publishers_really_send_is_decoded_picture_by_picture(
    codec: str, change: Callable[[RtpPacket], list[RtpPacket]]
) -> None:
    adapt_aiortc()

    async def scene() -> tuple[int, int]:
        peer, publisher = WebRtcPeer(PeerOptions()), RTCPeerConnection()
        ended: list[Ended] = []
        film, asked = Film(), 0
        try:
            sender = publisher.addTransceiver(film, direction="sendonly").sender
            transceiver = publisher.getTransceivers()[0]
            codecs = RTCRtpSender.getCapabilities("video").codecs
            transceiver.setCodecPreferences([one for one in codecs if one.mimeType == codec])
            await publisher.setLocalDescription()
            answer = await peer.answer(publisher.localDescription.sdp)
            peer.feed(lambda *told: None, lambda frame: None, ended.append)
            await publisher.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            send_as(publisher, change)
            heard = sender._handle_rtcp_packet

            async def count(packet: Any) -> None:
                nonlocal asked
                asked += isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_PLI
                await heard(packet)

            sender._handle_rtcp_packet = count  # type: ignore[method-assign]
            async with asyncio.timeout(30):
                while film.sent < FRAMES:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
                await asyncio.sleep(0.5)
            assert ended == []
            return decoded(peer), asked
        finally:
            await peer.close()
            await publisher.close()

    frames, asked = asyncio.run(scene())
    assert FRAMES - 1 <= frames <= FRAMES, "the last one waits for another where marks are not believed"
    assert asked == 0


class Wide(Film):
    def __init__(self) -> None:
        super().__init__()
        self.noise = np.zeros((32, MAX_SIDE + 16, 3), np.uint8)


@pytest.mark.parametrize("codec", ["video/H264", "video/VP8"])
def test_a_publisher_of_larger_pictures_than_are_taken_hears_their_size_and_the_bound(codec: str) -> None:
    adapt_aiortc()

    async def scene() -> tuple[str, int]:
        peer, publisher = WebRtcPeer(PeerOptions()), RTCPeerConnection()
        ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        try:
            publisher.addTransceiver(Wide(), direction="sendonly")
            codecs = RTCRtpSender.getCapabilities("video").codecs
            preferred = [one for one in codecs if one.mimeType == codec]
            publisher.getTransceivers()[0].setCodecPreferences(preferred)
            await publisher.setLocalDescription()
            answer = await peer.answer(publisher.localDescription.sdp)
            peer.feed(lambda *told: None, lambda frame: None, ended.set_result)
            await publisher.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            async with asyncio.timeout(20):
                return (await ended).text, decoded(peer)
        finally:
            await peer.close()
            await publisher.close()

    reason, frames = asyncio.run(scene())
    assert reason == f"a picture of {MAX_SIDE + 16}x32: sides of at most {MAX_SIDE} are taken; scale it down"
    assert frames == 0


def test_a_publisher_without_key_frames_hears_why_it_is_given_up() -> None:
    async def scene() -> tuple[Ended, Ended]:
        peer = WebRtcPeer(PeerOptions(idle_timeout_s=3))
        peer.connected = True
        quiet = peer._silence()
        for _ in range(40):
            peer._queue.sieve.lose()
        said = peer._silence()
        await peer.close()
        return quiet, said

    quiet, said = asyncio.run(scene())
    assert quiet == silent(3.0) and said.cause is Cause.SILENT
    assert "key frame every 2 s" in said.text and len(said.text) < 124, "fits a websocket's close"
