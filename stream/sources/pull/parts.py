"""Pieces of an input as files of their own, for ``av.open``: a head that was read already, one layout of a transport
stream after another, a deciphered segment."""

import io
import os
from collections.abc import Callable
from typing import Final, Protocol

from .transport import PAT_DISTANCE, SIZES, Layout

RECENT_BYTES: Final = (PAT_DISTANCE + 2) * SIZES[-1]


class Reader(Protocol):
    """What ``av.open`` reads from; ``read`` gives from 1 to ``size`` bytes, none at the end."""

    def read(self, size: int, /) -> bytes: ...
    def seekable(self) -> bool: ...
    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...


class Part:
    """``raw`` from position ``begin`` on; ``buffered`` are bytes from there that were read already.

    With a ``layout`` it ends where the streams of the transport stream change, and `following` is the part after
    that. Closing it leaves ``raw`` open.
    """

    def __init__(
        self, raw: Reader, begin: int = 0, buffered: bytes = b"", layout: Layout | None = None, name: str = ""
    ):
        self.name = name  # FFmpeg uses its ending
        self._raw = raw
        self._begin = self._at = begin
        self._buffered, self._buffered_at = buffered, begin
        self._layout = layout
        self._read_at = begin  # up to here the layout was followed
        self._recent = b""
        self._end: int | None = None
        self._over = False
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        """From 1 to ``size`` bytes; none at the end, and none after ``raw`` broke off: ``error`` is set then."""
        if self._end is not None:
            size = min(size, self._end - self._at)
        if size <= 0 or self.error is not None:
            return b""
        try:
            data = self._some(size)
        except (OSError, ValueError) as error:  # not passed on: FFmpeg would read again and again
            self.error = error
            return b""
        self._over = not data
        if self._layout is not None and data:
            data = self._until_change(self._layout, data)
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        return self._raw.seekable()

    def tell(self) -> int:
        return self._at - self._begin

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            self._at = max(self._begin, self._raw.seek(offset, os.SEEK_END))
        else:
            self._at = max(self._begin, (self._begin if whence == os.SEEK_SET else self._at) + offset)
        return self._at - self._begin

    def close(self) -> None: ...

    def skip(self) -> None:
        """Read to where the part ends."""
        if self.seekable():
            self._at = self._begin
        while self.read(64 * 1024):
            pass

    @property
    def following(self) -> "Part | None":
        """The part that begins where this one ends, unless it is the last."""
        if self._end is None or self.error is not None:
            return None
        begin = self._end if self._buffered_at <= self._end else self._buffered_at
        return Part(self._raw, begin, self._buffered[begin - self._buffered_at :], Layout(), self.name)

    @property
    def cut_short(self) -> bool:
        """Whether it was read to its end, and that is within a packet."""
        return self._over and self._layout is not None and self._layout.cut_short

    def _some(self, size: int) -> bytes:
        within = self._at - self._buffered_at
        if 0 <= within < len(self._buffered):
            return self._buffered[within : within + size]
        if self._raw.seekable() and self._raw.tell() != self._at:
            self._raw.seek(self._at)
        return self._raw.read(size)

    def _until_change(self, layout: Layout, data: bytes) -> bytes:
        if self._at != self._read_at:
            layout.restart()
            self._recent = b""
        end = layout.push(data, self._at)
        if end is not None:
            self._end = end if self._end is None else min(end, self._end)
            before = self._recent[max(0, len(self._recent) - max(0, self._at - self._end)) :]
            self._buffered, self._buffered_at = before + data, self._at - len(before)
            data = data[: max(0, self._end - self._at)]
        self._recent = (self._recent + data)[-RECENT_BYTES:]
        self._read_at = self._at + len(data)
        return data


class Forgiving:
    """A segment that may break off: it then ends, and ``on_error`` is called with the reason."""

    def __init__(self, raw: Reader, head: bytes, on_error: Callable[[Exception], None]) -> None:
        self._raw = raw
        self._head = io.BytesIO(head)
        self._on_error = on_error

    def read(self, size: int) -> bytes:
        if data := self._head.read(size):
            return data
        try:
            return self._raw.read(size)
        except (OSError, ValueError) as error:  # SourceError among them
            self._on_error(error)
            return b""

    def close(self) -> None:
        self._raw.close()


class Deciphered:
    """AES-128 in CBC with PKCS#7 padding, as in HLS (RFC 8216, section 4.3.2.4). Raises OSError for other data."""

    def __init__(self, raw: Reader, key: bytes, iv: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7

        self._raw = raw
        self._decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        self._padding = PKCS7(128).unpadder()
        self._over = False

    def read(self, size: int) -> bytes:
        while not self._over:
            data = self._raw.read(size)
            try:
                if data:
                    plain = self._padding.update(self._decryptor.update(data))
                else:
                    self._over = True
                    plain = self._padding.update(self._decryptor.finalize()) + self._padding.finalize()
            except ValueError as error:
                raise OSError(f"the segment cannot be deciphered ({error})") from error
            if plain:
                return bytes(plain)
        return b""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        raise OSError("a ciphered segment is read from its beginning")

    def tell(self) -> int:
        raise OSError("a ciphered segment is read from its beginning")

    def close(self) -> None:
        self._raw.close()
