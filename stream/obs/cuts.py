"""The cuts that OBS plays, in a folder of this process alone.

Once OBS has opened a cut, a tenth of a second of silence takes its place under its name: OBS goes on with the file that
it has open, and an OBS that is started again later begins with silence and not with an old piece of music, nor with a
window about missing files. Where a file that is open cannot be replaced (Windows), it stays until the next one.

*Bounds*: two cuts are written at a time; at most ``MOST_FILES`` with sound are in the folder, and ``MOST_STUBS`` with
silence (OBS's collection of scenes may name an old one); the oldest go first. Of the folders that ended processes have
left behind the newest ``MOST_LEFT`` keep their silence.
"""

import asyncio
import re
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from stream.own_folder import OwnFolder
from stream.server.excerpt import HEADER

from .cut import Cut, CutError, Piece, remove

MOST_FILES: Final = 6
MOST_STUBS: Final = 200
MOST_LEFT: Final = 4
READY_S: Final = 20.0  # for the first seconds of a cut to be written
STUB_RATE_HZ: Final = 8000
STUB_SAMPLES: Final = 800
STUB_BYTES: Final = HEADER.size + 2 * STUB_SAMPLES
NAME: Final = re.compile(r"segue-\d+-[0-9a-f]{8}\.(wav|part)")


def silence() -> bytes:
    """A tenth of a second of it, as WAV."""
    size = 2 * STUB_SAMPLES
    pcm = (16, 1, 1, STUB_RATE_HZ, 2 * STUB_RATE_HZ, 2, 16)
    return HEADER.pack(b"RIFF", HEADER.size + size - 8, b"WAVE", b"fmt ", *pcm, b"data", size) + bytes(size)


class Cuts:
    """``parent`` None: the system's folder for temporary files. It must be one that OBS can read."""

    def __init__(self, parent: Path | None = None) -> None:
        self._own = OwnFolder(parent)
        self._making_room = threading.Lock()
        self._writers = ThreadPoolExecutor(2, thread_name_prefix="segue-cut")
        self._sweeper = ThreadPoolExecutor(1, thread_name_prefix="segue-cuts")
        self._number = 0

    async def make(self, piece: Piece) -> Cut:
        """A cut whose first seconds are there. Raises `CutError`."""
        loop = asyncio.get_running_loop()
        try:
            folder = await loop.run_in_executor(None, self._make_room)
        except OSError as error:
            raise CutError(
                f"{self._own.parent}: no file can be made there ({error.strerror}); --obs-cuts names a folder for sound"
            ) from error
        self._number += 1
        cut = Cut(piece, folder / f"segue-{self._number}-{secrets.token_hex(4)}.wav")
        writing = loop.run_in_executor(self._writers, cut.write)
        try:
            if not await loop.run_in_executor(None, cut.ready.wait, READY_S):
                cut.failure = f"its sound was not read within {READY_S:g} s"
        except asyncio.CancelledError:
            writing.cancel()
            self.drop(cut)
            raise
        if cut.failure:
            self.drop(cut)
            raise CutError(cut.failure)
        return cut

    def opened(self, cut: Cut) -> None:
        """OBS has opened the cut: under its name there is silence from now on."""
        _hush(cut.file)

    def drop(self, cut: Cut) -> None:
        """The cut is no longer needed. Does not wait for the disk."""
        cut.close()
        try:
            self._sweeper.submit(self.opened, cut)
        except RuntimeError:  # `close` has been called: the end is near, and nobody else would do it
            self.opened(cut)

    def close(self, clear: bool) -> None:
        """Stop writing. ``clear``: remove the files, since OBS no longer names any."""
        self._writers.shutdown(wait=False, cancel_futures=True)
        self._sweeper.shutdown()
        if clear:
            _clear(self._own.path)
        self._own.let_go()

    def _make_room(self) -> Path:
        """The folder, with room for another cut. Raises OSError."""
        with self._making_room:
            if self._own.path is None:
                for number, left in enumerate(self._own.left_behind()):
                    _tidy(left) if number < MOST_LEFT else _clear(left)
            folder = self._own.ready()
        stubs, full = _sorted(folder)
        for file in [*full[: 1 - MOST_FILES], *stubs[:-MOST_STUBS]]:
            remove(file)
        return folder


def _hush(file: Path) -> None:
    """Put silence under this name."""
    stub = file.with_suffix(".part")
    try:
        stub.write_bytes(silence())
        stub.replace(file)
    except OSError:  # it is open, and this system holds on to it
        remove(stub)


def _ours(folder: Path) -> list[Path]:
    """The files that are ours, the oldest first."""
    with suppress(OSError):
        found = [file for file in folder.iterdir() if NAME.fullmatch(file.name)]
        return sorted(found, key=lambda file: file.stat().st_mtime_ns)
    return []


def _sorted(folder: Path) -> tuple[list[Path], list[Path]]:
    """Those with silence, and those with sound."""
    stubs, full = list[Path](), list[Path]()
    for file in _ours(folder):
        with suppress(OSError):
            (stubs if file.stat().st_size <= STUB_BYTES else full).append(file)
    return stubs, full


def _tidy(folder: Path) -> None:
    """Leave only silence: OBS may name one of these files still."""
    for file in _ours(folder):
        if file.suffix == ".part":
            remove(file)
    for file in _sorted(folder)[1]:
        _hush(file)


def _clear(folder: Path | None) -> None:
    """Remove a folder, with what is ours in it."""
    if folder is not None:
        for file in _ours(folder):
            remove(file)
        with suppress(OSError):
            folder.rmdir()
