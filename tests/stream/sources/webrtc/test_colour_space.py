"""What a publisher says of its colours goes from a packet's header to the frames that it is about."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection, rtp
from aiortc.codecs import get_encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters
from aiortc.rtp import RtpPacket

from features.decode.colours import Colours
from stream.sources.arrival import Arrival
from stream.sources.webrtc.adapt import adapt_aiortc
from stream.sources.webrtc.colour_space import URI, ColourfulMap, colours_in
from stream.sources.webrtc.decoding import Decoding, WantedFrames
from stream.sources.webrtc.jitter import ArrivedFrame, MarkedJitterBuffer
from stream.sources.webrtc.payload import part_of
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer

CANVAS, FILE, UNTAGGED_FILE = bytes.fromhex("010d0120"), bytes.fromhex("01010110"), bytes.fromhex("06060610")
MID = RTCRtpHeaderExtensionParameters(id=4, uri="urn:ietf:params:rtp-hdrext:sdes:mid")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (CANVAS, Colours(1, True)),
        (FILE, Colours(1, False)),
        (UNTAGGED_FILE, Colours(6, False)),
        (bytes((9, 16, 9, 0x10)) + bytes(24), Colours(9, False)),  # high dynamic range: 28 bytes
        (bytes((1, 1, 1, 0x1F)), Colours(1, False)),  # whatever the chroma siting
        (bytes((1, 1, 1, 0x00)), None),
        (bytes((1, 1, 1, 0x30)), None),
        (bytes((1, 1, 1, 0xF0)), None),
        (bytes((1, 1, 0, 0x20)), None),  # RGB
        (bytes((1, 1, 8, 0x20)), None),  # YCgCo
        (bytes((1, 1, 255, 0x20)), None),
        (CANVAS[:3], None),
        (b"", None),
    ],
)
def test_the_extension_is_read(value: bytes, found: Colours | None) -> None:
    assert colours_in(value) == found


@pytest.mark.parametrize("two_bytes", [False, True])
@pytest.mark.parametrize("number", [1, 9, 14])
def test_it_is_found_among_others(number: int, two_bytes: bool) -> None:
    known = ColourfulMap()
    own = RTCRtpHeaderExtensionParameters(id=number, uri=URI)
    known.configure(SimpleNamespace(headerExtensions=[MID, own]))  # type: ignore[arg-type]
    known.configure(SimpleNamespace(headerExtensions=[MID]))  # type: ignore[arg-type]  # that of the sound
    for value, found in ((CANVAS, Colours(1, True)), (None, None)):
        extensions = [(4, b"0"), *([] if value is None else [(number, value)]), (15 if two_bytes else 13, bytes(9))]
        if two_bytes:
            profile, packed = 0x1000, b"".join(bytes((name, len(each))) + each for name, each in extensions)
        else:
            profile, packed = rtp.pack_header_extensions(extensions)
        read: Any = known.get(profile, packed)
        assert read.mid == "0" and getattr(read, "colours", None) == found


def test_without_it_nothing_is_read_into_other_extensions() -> None:
    known = ColourfulMap()
    known.configure(SimpleNamespace(headerExtensions=[MID]))  # type: ignore[arg-type]
    assert not hasattr(known.get(*rtp.pack_header_extensions([(4, b"0"), (9, CANVAS)])), "colours")


def test_the_last_packet_of_a_picture_tells() -> None:
    buffer = MarkedJitterBuffer(capacity=128, is_video=True)
    came = []
    for at in range(6):
        packet: Any = RtpPacket(sequence_number=at, timestamp=3000 * (at // 2), marker=at % 2)
        packet._data = bytes([at])
        if at == 1:
            packet.extensions.colours = Colours(1, True)
        came += [frame for frame in [buffer.add(packet)[1]] if isinstance(frame, ArrivedFrame)]
    assert [frame.colours for frame in came] == [Colours(1, True), None, None]


def encoded(codec: RTCRtpCodecParameters, count: int, key: int) -> list[ArrivedFrame]:
    encoder, made = get_encoder(codec), []
    for at in range(count):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * (at % 5), np.uint8), "rgb24")
        frame.pts, frame.time_base = 11_250 * at, Fraction(1, 90_000)
        payloads, _ = encoder.encode(frame, at % key == 0)
        made.append(ArrivedFrame(b"".join(part_of(codec, payload) for payload in payloads), 11_250 * at))
    return made


@pytest.mark.parametrize(("name", "told"), [("VP8", [1, 1, 1, 2, 2, 2, 6, 6, 6]), ("H264", [2] * 9)])
def test_it_counts_up_to_the_next_key_frame(name: str, told: list[int]) -> None:
    """Of H.264 the stream itself tells."""
    codec = RTCRtpCodecParameters(mimeType=f"video/{name}", clockRate=90_000, payloadType=100)
    frames = encoded(codec, 9, 3)
    frames[0].colours, frames[6].colours = Colours(1, True), Colours(6, False)
    came: list[Any] = []
    loop: Any = SimpleNamespace(call_soon_threadsafe=lambda put, one: came.append(one))
    decoding = Decoding(loop, WantedFrames(), threading.Event(), lambda: 0)
    for frame in frames:
        decoding.take(codec, frame)
    pictures = [one.frame for one in came if isinstance(one, Arrival)]
    assert [int(picture.colorspace) for picture in pictures] == told
    if name == "VP8":
        assert [int(picture.color_range) for picture in pictures] == [2, 2, 2, 1, 1, 1, 1, 1, 1]


def test_it_is_asked_for_where_it_is_offered() -> None:
    adapt_aiortc()

    async def answers() -> list[str]:
        found = []
        with ThreadPoolExecutor(1) as threads:
            for offered in (f"a=extmap:11 {URI}\r\n", ""):
                publisher = RTCPeerConnection()
                publisher.addTransceiver("video", direction="sendonly")
                await publisher.setLocalDescription(await publisher.createOffer())
                sdp = "".join(
                    line for line in publisher.localDescription.sdp.splitlines(keepends=True) if URI not in line
                )
                peer = WebRtcPeer(PeerOptions(), threads)
                found.append(await peer.answer(sdp + offered))
                await peer.close()
                await publisher.close()
        return found

    with_it, without = asyncio.run(answers())
    assert f"a=extmap:11 {URI}" in with_it and URI not in without
