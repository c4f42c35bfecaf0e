"""The file: eight bytes that name the format, then chunks, each readable by itself.

    file   = MAGIC chunk*
    chunk  = stored u32, raw u32, crc u32, body[stored]      crc: CRC-32 of the two lengths and the body
    body   = zlib of record*                                 ``raw`` bytes when unpacked
    record = text u32, blob u32, JSON[text], bytes[blob]

All integers are little-endian. A chunk is appended with one write, so a process that is killed leaves every chunk
before it readable; nothing after the first damaged byte is read, since a session's calls make sense only in
order. The first record is the header. The last record of a closed recording says why it ended (``recorder.py``).

*Bounds*: a record holds at most ``MAX_RECORD`` bytes, a chunk at most ``MAX_CHUNK`` unpacked; a file that claims more
is damaged. Nothing in a file is ever executed or unpickled.
"""

import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from .errors import RecordingError

MAGIC: Final = b"SEGUEREC"
FORMAT: Final = 1
MAX_RECORD: Final = 4 * 1024 * 1024
MAX_CHUNK: Final = 2 * MAX_RECORD
LEVEL: Final = 6  # of zlib

_CHUNK: Final = struct.Struct("<III")
_LENGTHS: Final = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON object and the bytes beside it."""

    fields: dict[str, Any]
    blob: bytes = b""


def pack_record(record: Record) -> bytes:
    """The record's bytes. Raises ``ValueError`` beyond ``MAX_RECORD`` or for what JSON cannot hold."""
    text = json.dumps(record.fields, separators=(",", ":")).encode("ascii")
    if len(text) + len(record.blob) > MAX_RECORD - _LENGTHS.size:
        raise ValueError(f"a record of {len(text) + len(record.blob)} bytes, at most {MAX_RECORD} are kept")
    return _LENGTHS.pack(len(text), len(record.blob)) + text + record.blob


def pack_chunk(records: bytes) -> bytes:
    """A chunk of records that ``pack_record`` made, at most ``MAX_CHUNK`` bytes of them."""
    body = zlib.compress(records, LEVEL)
    lengths = _LENGTHS.pack(len(body), len(records))
    return lengths + struct.pack("<I", zlib.crc32(body, zlib.crc32(lengths))) + body


def create(path: Path) -> BinaryIO:
    """A new file for a recording, readable by its owner alone, since it shows what was streamed.

    Unbuffered: written bytes go to the system at once. Raises ``RecordingError`` if the file exists or cannot be made.
    """
    try:
        return open(path, "xb", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600))
    except FileExistsError:
        raise RecordingError(f"{path}: exists already, and recordings are never overwritten; name a new file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecordingError(f"{path}: cannot be written ({reason}); name another file") from error


class Reader:
    """Reads a recording; a context manager. ``header`` is its first record's object.

    ``damage`` says, after the last of ``records``, why it stopped short of the end of the file, else None. Raises
    ``RecordingError`` for a file that cannot be read, is no recording, is of another format, or has no whole header.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: str | None = None
        try:
            self._file: BinaryIO = path.open("rb")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise RecordingError(f"{path}: cannot be read ({reason}); name a file made with --record") from error
        try:
            self._records = self._read()
            self.header = self._header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def records(self) -> Iterator[Record]:
        """Every whole record behind the header, in order; to be called once."""
        return self._records

    def _header(self) -> dict[str, Any]:
        if self._take(len(MAGIC)) != MAGIC:
            raise RecordingError(f"{self.path}: not a recording; name a file made with --record")
        first = next(self._records, None)
        if first is None:
            raise RecordingError(
                f"{self.path}: its header is damaged ({self.damage or 'nothing follows'}); copy it again"
            )
        version = first.fields.get("format")
        if version != FORMAT:
            maker = str(first.fields.get("segue", "unknown"))[:40]
            raise RecordingError(
                f"{self.path}: format {str(version)[:40]}, made by segue {maker}; this segue reads format {FORMAT}: "
                "replay it with the segue that made it"
            )
        return first.fields

    def _read(self) -> Iterator[Record]:
        try:
            while (records := self._chunk()) is not None:
                at = 0
                while at < len(records):
                    record, at = _record(records, at)
                    yield record
        except _DamageError as error:
            self.damage = str(error)

    def _chunk(self) -> bytes | None:
        """The next chunk unpacked, or None at the end of the file."""
        begun = self._file.tell()
        head = self._take(_CHUNK.size)
        if not head:
            return None
        if len(head) < _CHUNK.size:
            raise _DamageError(f"cut short at byte {begun}")
        stored, raw, crc = _CHUNK.unpack(head)
        if stored > MAX_CHUNK or raw > MAX_CHUNK:
            raise _DamageError(f"damaged at byte {begun}: a chunk of {max(stored, raw)} bytes")
        body = self._take(stored)
        if len(body) < stored:
            raise _DamageError(f"cut short at byte {begun}")
        if zlib.crc32(body, zlib.crc32(head[: _LENGTHS.size])) != crc:
            raise _DamageError(f"damaged at byte {begun}: checksum")
        unpacker = zlib.decompressobj()
        try:
            records = unpacker.decompress(body, raw + 1)
        except zlib.error as error:
            raise _DamageError(f"damaged at byte {begun}: {error}") from error
        if len(records) != raw or not unpacker.eof:
            raise _DamageError(f"damaged at byte {begun}: unpacks to another length than it says")
        return records

    def _take(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:
            raise RecordingError(f"{self.path}: cannot be read ({error.strerror}); copy it again") from error


class _DamageError(Exception):
    """The bytes are not what a recorder wrote."""


def _record(records: bytes, at: int) -> tuple[Record, int]:
    """The record at ``at`` and where the next one is."""
    begun = at + _LENGTHS.size
    text, blob = _LENGTHS.unpack_from(records, at) if begun <= len(records) else (MAX_CHUNK, 0)
    end = begun + text + blob
    if end > len(records):
        raise _DamageError("damaged: a record is longer than its chunk")
    try:
        fields = json.loads(records[begun : begun + text])
    except (ValueError, RecursionError) as error:
        raise _DamageError(f"damaged: a record is no JSON ({error})") from error
    if not isinstance(fields, dict):
        raise _DamageError("damaged: a record is no object")
    return Record(fields, records[begun + text : end]), end
