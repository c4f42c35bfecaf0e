"""Files, and parts of files, for a playlist on this machine; nothing else."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from stream.errors import SourceError

SCHEME = "file:"


class LocalPart:
    """Bytes ``begin`` to ``end`` of a file, as a file of its own."""

    def __init__(self, path: Path, begin: int = 0, end: int | None = None) -> None:
        self.url = f"{SCHEME}{path}"
        self._file = path.open("rb")
        size = os.fstat(self._file.fileno()).st_size
        self._begin, self._end = begin, size if end is None else min(end, size)
        self._file.seek(begin)

    def read(self, size: int) -> bytes:
        return self._file.read(max(0, min(size, self._end - self._file.tell())))

    def read_all(self, limit: int) -> bytes:
        """The whole part. Raises SourceError for more than ``limit`` bytes."""
        if self._end - self._begin > limit:
            raise SourceError(f"{self.url}: more than {limit} bytes; it is no playlist")
        return self.read(limit)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: self._begin, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._end}[whence]
        return self._file.seek(max(self._begin, base + offset)) - self._begin

    def tell(self) -> int:
        return self._file.tell() - self._begin

    def close(self) -> None:
        self._file.close()


class Files:
    """Opens ``file:`` addresses, as `hls.Client`."""

    def join(self, base: str, place: str) -> str:
        if "://" in place and not place.startswith(f"{SCHEME}//"):
            return place
        path = place.removeprefix(f"{SCHEME}//").removeprefix(SCHEME)
        return f"{SCHEME}{Path(base.removeprefix(SCHEME)).parent / path}"

    def open(
        self, url: str, begin: int = 0, end: int | None = None, headers: Mapping[str, str] | None = None
    ) -> LocalPart:
        if not url.startswith(SCHEME):
            raise SourceError(f"{url}: a playlist on this machine may name files alone; watch it by its own address")
        path = Path(url.removeprefix(SCHEME))
        path = path if path.exists() else Path(unquote(str(path)))
        try:
            return LocalPart(path, begin, end)
        except OSError as error:
            raise SourceError(f"{path}: {str(error.strerror).lower()}; check the playlist") from error
