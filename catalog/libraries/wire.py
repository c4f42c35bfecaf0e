"""Protocol Buffers' wire format, as much of it as Mixxx's beats need: fields of a message, not its meaning.

https://protobuf.dev/programming-guides/encoding: a key (number << 3 | kind) before each value; kind 0 is a varint, 1
eight bytes, 2 a length and so many bytes, 5 four bytes. A field may come again.
"""

import struct
from collections.abc import Iterator
from typing import Final

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
_LONGEST: Final = 10  # bytes of a varint


class WireError(ValueError):
    """Bytes that are no message."""


def fields_of(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """(number, value) of each field: varints as signed 64-bit integers, eight bytes as a double, four as a float.
    Raises ``WireError``."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value - (1 << 64) if value >> 63 else value
        elif kind in (EIGHT, FOUR):
            size = 8 if kind == EIGHT else 4
            part, at = _part(data, at, size)
            yield number, struct.unpack("<d" if kind == EIGHT else "<f", part)[0]
        elif kind == BYTES:
            size, at = _varint(data, at)
            part, at = _part(data, at, size)
            yield number, part
        else:
            raise WireError(f"a field of kind {kind}")


def _part(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(data):
        raise WireError("ends inside a field")
    return data[at : at + size], at + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST):
        if at >= len(data):
            raise WireError("ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value & (1 << 64) - 1, at
    raise WireError("a number of more than 64 bits")
