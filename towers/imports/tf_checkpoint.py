"""A TensorFlow checkpoint (version 2, "tensor bundle") as NumPy arrays, without TensorFlow.

Two files. The index is a table as LevelDB writes it: blocks of entries with shared key prefixes, an index block that
names them, and a footer of 48 bytes that names the index block. Its values are protobuf messages: what dtype and shape
a tensor has, and where in the data file its bytes are. Layout: LevelDB's doc/table_format.md; TensorFlow's
core/protobuf/tensor_bundle.proto.

Only files of one shard with little-endian numbers and uncompressed blocks are read. Checksums are not compared: the
package that holds the files is verified as a whole.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .errors import ImportedError

FOOTER: Final = 48
MAGIC: Final = 0xDB4775248B80FB57
TRAILER: Final = 5  # behind each block: one byte that says how it is compressed, and its checksum
DTYPES: Final = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}  # the types of TensorFlow that weights and counters have

Message = Mapping[int, list[int | bytes]]


def read_checkpoint(index: bytes, data: bytes) -> dict[str, NDArray[np.generic]]:
    """Variable name -> array, of the two files' bytes (``.index`` and ``.data-00000-of-00001``).

    Raises ``ImportedError`` for bytes that are no such index or are cut short, and for tensors of another kind or
    outside ``data``.
    """
    try:
        entries = dict(_entries(index))
        header = _message(entries.pop(b""))
        shards, big_endian = _number(header, 1, 1), _number(header, 2, 0)
        if shards != 1 or big_endian:
            raise ImportedError(f"checkpoint: {shards} shards, byte order {big_endian}; only one little-endian is read")
        return {name.decode(): _tensor(name.decode(), _message(value), data) for name, value in entries.items()}
    except (IndexError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, ImportedError):
            raise
        raise ImportedError(f"checkpoint: its index is damaged ({error!r}); fetch the package again") from error


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(table) < FOOTER or int.from_bytes(table[-8:], "little") != MAGIC:
        raise ImportedError("checkpoint: its index is no table (the last 8 bytes are others); fetch the package again")
    footer = table[-FOOTER:]
    _, at = _varint(footer, 0)  # the meta-index block: where and how long, empty in these files
    _, at = _varint(footer, at)
    offset, at = _varint(footer, at)
    size, at = _varint(footer, at)
    for _, handle in _block(table, offset, size):
        start, at = _varint(handle, 0)
        length, _ = _varint(handle, at)
        yield from _block(table, start, length)


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a block: length shared with the key before, length of the rest, length of the value; then both."""
    if offset + size + TRAILER > len(table):
        raise ImportedError("checkpoint: its index is cut short; fetch the package again")
    if table[offset + size]:
        raise ImportedError(
            f"checkpoint: a block is compressed (kind {table[offset + size]}); only plain ones are read"
        )
    block = table[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    end = size - 4 - 4 * restarts
    if end < 0:
        raise ValueError(f"a block of {size} bytes with {restarts} restarts")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        rest, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or at + rest + length > end:
            raise ValueError("an entry that reaches outside its block")
        key = key[:shared] + block[at : at + rest]
        yield key, block[at + rest : at + rest + length]
        at += rest + length


def _tensor(name: str, entry: Message, data: bytes) -> NDArray[np.generic]:
    kind, shard = _number(entry, 1, 0), _number(entry, 3, 0)
    offset, size = _number(entry, 4, 0), _number(entry, 5, 0)
    if kind not in DTYPES or shard or 7 in entry:
        raise ImportedError(f"checkpoint: {name} is of kind {kind} in shard {shard}; only plain numbers are read")
    shape = [_number(_message(_bytes(part)), 1, 0) for part in _message(_bytes(entry.get(2, [b""])[0])).get(2, [])]
    dtype = np.dtype(DTYPES[kind])
    if math.prod(shape) * dtype.itemsize != size or offset + size > len(data):
        raise ImportedError(
            f"checkpoint: {name} of shape {shape} is said to have {size} bytes at {offset} of {len(data)}; "
            "the file is cut short or another's: fetch the package again"
        )
    return np.frombuffer(data, dtype, math.prod(shape), offset).reshape(shape)


def _message(data: bytes) -> Message:
    """Fields of a protobuf message by number: whole numbers and bytes, each as often as it stands there."""
    fields: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value: int | bytes
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
            case 1 | 5 as wire:
                length = 8 if wire == 1 else 4
                value, at = data[at : at + length], at + length
            case 2:
                length, at = _varint(data, at)
                value, at = data[at : at + length], at + length
            case wire:
                raise ValueError(f"wire type {wire}")
        if at > len(data):
            raise ValueError("a field that reaches outside its message")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in seven bits a byte, the lowest first, and where the next thing begins."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")


def _number(message: Message, field: int, default: int) -> int:
    value = message.get(field, [default])[-1]
    if not isinstance(value, int):
        raise ValueError(f"field {field} is no number")
    return value


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number where a message should be")
    return value
