"""How large a picture of a client may be: a larger one is refused, with its size, before memory is taken for it.

FFmpeg's ``max_pixels`` works as an option of the codec's own context, set before it opens. As an option of a container
it only works while the beginning of a stream is probed. A decoder that refuses a picture does not report its size; so
the size is read from the refused data.
"""

import math
import struct
from typing import Final

import av
from av.error import FFmpegError

from .feed import MAX_PIXELS, check_size

OPTION: Final = "max_pixels"
JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the frame headers among JPEG's markers
VP9_SYNC: Final = b"\x49\x83\x42"


def bound(context: av.VideoCodecContext, pixels: int = MAX_PIXELS) -> None:
    """Limit a decoder that is not open yet to pictures of at most ``pixels``."""
    context.options = {**context.options, OPTION: str(pixels)}


def check_refused(context: av.VideoCodecContext, data: bytes, pixels: int = MAX_PIXELS) -> None:
    """Check ``data`` that a bounded decoder refused: raises FeedError with the picture's size if that is the reason."""
    size = size_of(context, data)
    if size is not None and size[0] * size[1] > pixels:
        check_size(*size, math.isqrt(pixels))


def size_of(context: av.VideoCodecContext, data: bytes) -> tuple[int, int] | None:
    """Width and height by a packet's headers, undecoded; None where they have none or cannot be read."""
    codec = context.codec.canonical_name
    if codec in ("mjpeg", "webp", "vp9"):
        size = {"mjpeg": _jpeg, "webp": _webp, "vp9": _vp9}[codec](data)
        return size if size is not None and all(size) else None
    reader = av.CodecContext.create(context.name, "r")
    assert isinstance(reader, av.VideoCodecContext)
    if context.extradata:
        reader.extradata = context.extradata
    try:
        reader.parse(data)  # fills in the values of the headers
        reader.parse(b"")
    except (FFmpegError, ValueError):  # damaged, or of a codec that has no parser
        return None
    return (reader.width, reader.height) if reader.width and reader.height else None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """ITU-T T.81, B.2.2: segments up to the frame header."""
    at = 2
    while len(data) >= at + 9 and data[at] == 0xFF:
        if data[at + 1] in JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 1 if data[at + 1] == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    """RFC 9649, section 2: the first chunk is lossy, lossless or extended."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    return None


def _vp9(data: bytes) -> tuple[int, int] | None:
    """VP9 bitstream, 6.2: the uncompressed header of a key frame. FFmpeg's parser reads no size of VP9."""
    bits = "".join(f"{byte:08b}" for byte in data[:16])
    profile = int(bits[3:4] + bits[2:3] or "0", 2)
    at = 4 + (profile == 3)
    if len(data) < 16 or bits[:2] != "10" or bits[at : at + 2] != "00":  # shown again, or no key frame
        return None
    at += 4
    if int(bits[at : at + 24], 2) != int.from_bytes(VP9_SYNC, "big"):
        return None
    at += 24 + (profile >= 2)  # bit depth
    rgb = bits[at : at + 3] == "111"
    at += 3 if rgb else 4  # else with the range
    if profile in (1, 3):
        at += 1 if rgb else 3  # subsampling
    return 1 + int(bits[at : at + 16], 2), 1 + int(bits[at + 16 : at + 32], 2)
