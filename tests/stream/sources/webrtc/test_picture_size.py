"""Sizes read from headers, against what encoders were told and decoders find."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sources.webrtc.picture_size import sizes_of


def encoded(codec: str, width: int, height: int, pixels: str = "yuv420p", **options: str) -> bytes:
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, pixels
    context.time_base, context.framerate, context.options = Fraction(1, 25), Fraction(25), options
    picture = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    (packet, *_) = [*context.encode(frame), *context.encode(None)]
    return bytes(packet)


def whole(side: int) -> int:
    return (side + 15) // 16 * 16


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 300), st.integers(8, 300), st.sampled_from(["baseline", "main", "high", "high444"]))
def test_h264_tells_its_macroblocks(width: int, height: int, profile: str) -> None:
    width, height = 2 * width, 2 * height
    pixels = "yuv444p" if profile == "high444" else "yuv420p"
    data = encoded("libx264", width, height, pixels, profile=profile, preset="ultrafast")
    assert sizes_of("H264", data) == [(whole(width), whole(height))]


@pytest.mark.parametrize("size", [(320, 176), (1920, 1072), (4096, 64), (4112, 32), (64, 4112)])
@pytest.mark.parametrize(
    "params",
    [
        "",
        "cqm=jvt",
        "tff=1",
        "nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900",
        "aud=1",
        "pic-struct=1",
        "bframes=3:b-pyramid=2",
    ],
)
def test_options_that_change_the_parameter_set_change_no_size(size: tuple[int, int], params: str) -> None:
    data = encoded("libx264", *size, preset="ultrafast", **{"x264-params": params})
    (found,) = sizes_of("H264", data)
    assert found[0] == size[0] and found[1] in (size[1], (size[1] + 31) // 32 * 32)  # fields are of whole macroblocks


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 500), st.integers(16, 500))
def test_vp8_tells_its_pixels(width: int, height: int) -> None:
    data = encoded("libvpx", width, height, deadline="realtime", **{"cpu-used": "8"})
    assert sizes_of("VP8", data) == [(width, height)]


def test_frames_that_lean_on_others_tell_none() -> None:
    assert sizes_of("H264", b"\0\0\0\1\x41\x9a\x24" + bytes(50)) == []
    assert sizes_of("VP8", b"\x11" + bytes(50)) == []
    assert sizes_of("opus", bytes(50)) == []


@settings(deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"\0\0\1\x67", b"\0\0\1\x67\x64\0\x1f", b"\0\0\0\x9d\x01\x2a"]))
def test_any_bytes_are_read_to_their_end(data: bytes, start: bytes) -> None:
    for codec in ("H264", "VP8"):
        for width, height in sizes_of(codec, start + data):
            assert width > 0 and height > 0
