"""Samples as they are decoded, gathered to one array: in memory, and beyond some minutes in a file.

The file has no name, so nothing is left of it when the process ends, however that ends. It lies where temporary files
last (``/var/tmp``), since ``/tmp`` is memory on many systems; ``TMPDIR`` says another place.
"""

import os
import tempfile
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from features.errors import AudioError
from features.spec import MUSIC_RATE_HZ

Floats = NDArray[np.float32]

MEMORY_S: Final = 1200  # 77 MB; what is longer lies in a file
FIRST_S: Final = 60
MOST: Final = 8.0  # full scale 1; float files may hold anything
LASTING: Final = Path("/var/tmp")


class Gathered:
    """``add`` pieces, then take the ``whole``. Values that are not finite become 0, as NaN would spread through every
    spectrum; those above 8 are clipped."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._array = np.empty(FIRST_S * MUSIC_RATE_HZ, np.float32)
        self._file: IO[bytes] | None = None
        self._in_memory = MEMORY_S * MUSIC_RATE_HZ
        self.length = 0

    def add(self, piece: Floats) -> None:
        """Raises ``AudioError`` beyond ``most_s`` seconds in all, and where there is no room for the file."""
        end = self.length + len(piece)
        if end > self._most_s * MUSIC_RATE_HZ:
            raise AudioError(f"is more than {self._most_s / 3600:g} h long; cut it into tracks")
        if self._file is None and end > self._in_memory:
            self._move()
        if self._file is not None:
            self._write(_mended(piece.copy()))
        else:
            if end > len(self._array):
                self._array.resize(max(end, len(self._array) * 3 // 2), refcheck=False)
            self._array[self.length : end] = piece
        self.length = end

    def whole(self) -> Floats:
        """(n,) everything that was added; nothing may be added any more."""
        if self._file is None:
            self._array.resize(self.length, refcheck=False)
            return _mended(self._array)
        try:
            with self._file as file:
                file.flush()
                return np.memmap(file, np.float32, "r", shape=(self.length,))
        except OSError as error:
            raise _no_room(error) from error

    def _move(self) -> None:
        """To a file, if there is a place for one."""
        try:
            self._file = tempfile.TemporaryFile(dir=_folder())  # noqa: SIM115 - closed by ``whole``
        except OSError:
            self._in_memory = round(self._most_s * MUSIC_RATE_HZ)
            return
        self._array.resize(self.length, refcheck=False)
        self._write(_mended(self._array))
        self._array = np.empty(0, np.float32)

    def _write(self, values: Floats) -> None:
        assert self._file is not None
        try:
            self._file.write(values.data)
        except OSError as error:
            self._file.close()
            raise _no_room(error) from error


def _mended(values: Floats) -> Floats:
    """``values``, changed in place."""
    if len(values) and not np.isfinite([values.max(), values.min()]).all():
        np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(values, -MOST, MOST, out=values)


def _folder() -> Path | None:
    """Where to keep it; None: the system's place for temporary files."""
    named = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return None if named or not os.access(LASTING, os.W_OK) else LASTING


def _no_room(error: OSError) -> AudioError:
    where = _folder() or Path(tempfile.gettempdir())
    return AudioError(
        f"is so long that its samples need a temporary file (230 MB an hour), which {where} has no room for "
        f"({error.strerror or error}); free some space there, or name another folder in TMPDIR"
    )
