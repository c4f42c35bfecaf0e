"""Which part of a picture a packet of video holds, by its payload, without the marker bit.

An H.264 picture is a row of NAL units: some with pixels (slices), and some that stand around them (parameter sets, SEI,
delimiters, filler). Packets hold one, several or a piece of one (RFC 6184, section 5.2). A packet of VP8 holds a piece
of a picture, and marks the first one (RFC 7741, section 4.2).
"""

from typing import Any, Final

from . import aiortc_compat

H264, VP8 = "H264", "VP8"
NAL_TYPE: Final = 0x1F
SLICES: Final = frozenset({1, 2, 3, 4, 5})  # NAL units with pixels; data partitions among them (H.264, table 7-1)
HEADED: Final = frozenset({1, 2, 5})  # those of them that begin with first_mb_in_slice
STAP_A, FU_A = 24, 28  # several units in a packet; a piece of a unit
FU_START, FU_END = 0x80, 0x40
VP8_START, VP8_START_MASK = 0x10, 0x17  # S and PID of the payload descriptor: the first partition begins


class Part(bytes):
    """A packet's part of an encoded picture, in the form that a decoder takes; empty if it has none.

    ``picture``: it has pixels. ``begins``: it has the first pixels of a picture. ``whole``: none of its units goes on
    in the next packet. ``sliced``: such a picture may have more than one unit with pixels.
    """

    picture = True
    begins = False
    whole = True
    sliced = False


def part_of(codec: Any, payload: bytes) -> Part:
    """Read a packet's payload. A payload that cannot be read, or has no negotiated form, is an empty part, so that no
    picture waits for it."""
    try:
        part = Part(aiortc_compat.depayload(codec, payload))
    except ValueError:
        return Part()
    if codec.name == H264:
        part.sliced = True
        part.picture, part.begins, part.whole = _read_units(payload)
    elif codec.name == VP8:
        part.begins = payload[0] & VP8_START_MASK == VP8_START
    return part


def _read_units(payload: bytes) -> tuple[bool, bool, bool]:
    """Of an H.264 payload that ``depayload`` took: picture, begins, whole."""
    kind = payload[0] & NAL_TYPE
    if kind == FU_A:
        unit, piece = payload[1] & NAL_TYPE, payload[1]
        begins = bool(piece & FU_START) and unit in HEADED and _is_first(payload[1:3])
        return unit in SLICES, begins, bool(piece & FU_END)
    if kind != STAP_A:
        return kind in SLICES, kind in HEADED and _is_first(payload), True
    picture, begins, at = False, False, 1
    while at + 2 < len(payload):
        size = int.from_bytes(payload[at : at + 2], "big")
        if size:
            kind = payload[at + 2] & NAL_TYPE
            picture = picture or kind in SLICES
            begins = begins or (kind in HEADED and _is_first(payload[at + 2 : at + 2 + min(size, 2)]))
        at += 2 + size
    return picture, begins, True


def _is_first(unit: bytes) -> bool:
    """Whether a slice begins at the picture's first macroblock: zero in Exp-Golomb code is a single bit, 1."""
    return len(unit) > 1 and bool(unit[1] & 0x80)
