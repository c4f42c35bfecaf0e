"""The size of the pictures in an encoded frame, read before a decoder takes memory for them.

H.264 has it in sequence parameter sets (ITU-T H.264, section 7.3.2.1.1), VP8 in key frames (RFC 6386, section 9.1).
"""

from collections.abc import Iterator
from typing import Final

from .payload import H264, NAL_TYPE, SLICES, VP8

SPS: Final = 7
WITH_CHROMA: Final = frozenset(
    {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
)  # profiles with these fields
MACROBLOCK: Final = 16  # pixels a side
SPS_BYTES: Final = 1024  # longer than any
VP8_START: Final = b"\x9d\x01\x2a"
START: Final = b"\x00\x00\x01"


def sizes_of(codec: str, data: bytes) -> list[tuple[int, int]]:
    """Widths and heights in pixels, those of H.264 in whole macroblocks; none if a frame has none."""
    if codec == H264:
        return [size for unit in _parameter_sets(data) if (size := _size_of(unit)) is not None]
    if codec == VP8 and data and not data[0] & 1 and data[3:6] == VP8_START and len(data) >= 10:
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        return [(width, height)] if width and height else []
    return []


def _parameter_sets(data: bytes) -> Iterator[bytes]:
    """The parameter sets before the first slice, without their first byte; data in Annex B form."""
    at = data.find(START)
    while 0 <= at < len(data) - len(START):
        kind = data[at + len(START)] & NAL_TYPE
        if kind in SLICES:
            return
        end = data.find(START, at + len(START))
        if kind == SPS:
            yield data[at + len(START) + 1 : end if end >= 0 else len(data)]
        at = end


def _size_of(unit: bytes) -> tuple[int, int] | None:
    """The size by a parameter set; None if it is cut short or invalid."""
    bits = _Bits(unit[:SPS_BYTES].replace(b"\x00\x00\x03", b"\x00\x00"))
    try:
        profile = bits.take(8)
        bits.take(16)  # constraints, level
        bits.unsigned()  # identity
        if profile in WITH_CHROMA:
            _skip_chroma(bits)
        bits.unsigned()  # frame numbers
        match bits.unsigned():  # order of pictures
            case 0:
                bits.unsigned()
            case 1:
                bits.take(1)
                bits.unsigned()
                bits.unsigned()
                for _ in range(bits.unsigned()):
                    bits.unsigned()
        bits.unsigned()  # reference frames
        bits.take(1)  # gaps
        width, height = bits.unsigned() + 1, bits.unsigned() + 1
        fields = 1 - bits.take(1)
    except EOFError:
        return None
    return MACROBLOCK * width, MACROBLOCK * height * (1 + fields)


def _skip_chroma(bits: "_Bits") -> None:
    chroma = bits.unsigned()
    if chroma == 3:
        bits.take(1)
    bits.unsigned()  # depths
    bits.unsigned()
    bits.take(1)
    if not bits.take(1):
        return
    for number in range(12 if chroma == 3 else 8):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if number < 6 else 64):
            if following:
                following = (last + bits.signed()) % 256
            last = following or last


class _Bits:
    """Numbers of so many bits, and of Exp-Golomb code, one after another. Raises EOFError at the end, and for
    a code of more than 32 bits, which is invalid."""

    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise EOFError
        return self._number >> self._left & (1 << count) - 1

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise EOFError
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)
