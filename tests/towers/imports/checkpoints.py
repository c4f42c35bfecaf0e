"""Writes small TensorFlow checkpoints, so that the reader can be held against bytes of known meaning."""

from collections.abc import Mapping
from typing import Any

import numpy as np

MAGIC = 0xDB4775248B80FB57
KINDS = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "uint8": 4}


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(array: np.ndarray, offset: int, shard: int = 0) -> bytes:
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    told = field(1, KINDS[array.dtype.name]) + field(2, shape)
    told += (field(3, shard) if shard else b"") + (field(4, offset) if offset else b"") + field(5, array.nbytes)
    return told + varint(6 << 3 | 5) + b"\1\2\3\4"  # a checksum, in four bytes


def block(rows: list[tuple[bytes, bytes]], kind: int = 0, prefixes: bool = True) -> bytes:
    out, before = b"", b""
    for key, value in rows:
        shared = 0
        while prefixes and shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return out + bytes(4) + (1).to_bytes(4, "little") + bytes([kind]) + bytes(4)


def checkpoint(
    arrays: Mapping[str, np.ndarray], header: bytes = b"\x08\x01", rows_each: int = 3, **options: Any
) -> tuple[bytes, bytes]:
    """``.index`` and ``.data``: a block for every ``rows_each`` variables; ``options`` of ``block``."""
    data, rows = b"", [(b"", header)]
    for name in sorted(arrays):
        rows.append((name.encode(), entry(arrays[name], len(data))))
        data += arrays[name].astype(arrays[name].dtype.newbyteorder("<")).tobytes()
    table, handles = b"", []
    for start in range(0, len(rows), rows_each):
        piece = block(rows[start : start + rows_each], **options)
        last = rows[min(start + rows_each, len(rows)) - 1][0]
        handles.append((last, varint(len(table)) + varint(len(piece) - 5)))
        table += piece
    empty, index = block([]), block(handles)
    footer = varint(len(table)) + varint(len(empty) - 5) + varint(len(table) + len(empty)) + varint(len(index) - 5)
    return table + empty + index + footer.ljust(40, b"\0") + MAGIC.to_bytes(8, "little"), data
