"""A track from a place on as a WAV file that OBS plays while it is still being written.

The place is exact to the sample (`stream.server.track_pcm`), the level is part of the sound, and so are the rise at the
begin and the fall at the end: OBS only plays. The file has its whole size from the beginning, so a reader that would
overtake the writer hears silence, and no end. A fall may be set while the file is played, from a place on that OBS has
not read yet (``READ_AHEAD_S``); the file ends behind it.

*Bounds*: ``MOST_S`` of sound a file; what follows is another cut.
"""

import io
import math
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stream.server.excerpt import HEADER, Excerpt, ExcerptRequest
from stream.server.track_pcm import SoundGoneError, TrackPcm

from .errors import ObsError

MOST_S: Final = 20 * 60.0  # 212 MB of CD sound
READY_S: Final = 3.0  # written before OBS gets the file; writing is some fifty times faster than playing
READ_AHEAD_S: Final = 0.5  # of what OBS may have read already; 0.13 were measured (FFmpeg has a buffer of 32 KiB)
WAIT_S: Final = 10.0  # for the writer to reach the place of a fall
PEAK: Final = 32767


class CutError(ObsError):
    """A track cannot be cut; the text says why, to be put after its title."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be cut. ``length_s`` of the track, which begins at ``begin_s`` in ``path``; ``file_s``: of the whole
    file, if known. From ``start_s`` of the track on, rising for ``rise_s``, at ``gain_db``; but for the first
    ``silence_s`` there is silence instead."""

    path: Path
    length_s: float
    begin_s: float
    file_s: float | None
    start_s: float
    rise_s: float
    gain_db: float
    silence_s: float = 0.0

    @property
    def end_s(self) -> float:
        """Where in the track the file ends."""
        return min(self.length_s, self.start_s + MOST_S)

    @property
    def whole(self) -> bool:
        """Whether the file goes on to the track's end."""
        return self.end_s >= self.length_s


class Cut:
    """One file. `write` and `fall` block: call each in a thread; `close` may be called from anywhere."""

    def __init__(self, piece: Piece, file: Path) -> None:
        self.piece, self.file = piece, file
        self.ready = threading.Event()  # enough is written, or nothing will be: see ``failure``
        self.failure = ""
        self.falls_at_s: float | None = None  # in the track
        self._changed = threading.Condition()
        self._stop = False
        self._written = 0  # samples
        self._falls = False
        self._quiet = 0  # bytes of silence before the sound
        self._rate_hz, self._block, self._channels = 0, 0, 0
        self._out: io.FileIO | None = None

    def write(self) -> None:
        """Write the file; returns when it is complete, or no longer wanted. Never raises: see ``failure``."""
        try:
            self._write()
        except SoundGoneError as error:
            self._fail(f"its file {error}; index the folder again")
        except OSError as error:
            self._fail(f"{self.file}: cannot be written ({error.strerror}); is there room? --obs-cuts names the folder")
        finally:
            self.ready.set()

    def fall(self, at_s: float, fall_s: float) -> bool:
        """Let the sound fall from ``at_s`` of the track on, within ``fall_s``, and end there. False where the file is
        not there any more, or has ended before."""
        with self._changed:
            out = self._out
            if out is None:
                return False
            first = round((at_s - self.piece.start_s) * self._rate_hz)
            total = round((self.piece.end_s - self.piece.start_s) * self._rate_hz)
            last = min(first + max(1, round(fall_s * self._rate_hz)), total)
            if first < 0 or first >= last or self.falls_at_s is not None:
                return False
            self._changed.wait_for(lambda: self._written >= last or self._stop, WAIT_S)
            if self._written < last or self._out is not out:
                return False
            self._falls, self.falls_at_s = True, at_s
            place, size = HEADER.size + first * self._block, (last - first) * self._block
            out.seek(place)
            sound = np.frombuffer(out.read(size), np.int16).reshape(-1, self._channels)
            part = np.arange(len(sound)) / max(1, round(fall_s * self._rate_hz))
            gain = np.cos(np.pi / 2 * part)  # equal power with the sine of a rise
            _put(out, place, np.rint(sound * gain[:, None]).astype(np.int16).tobytes())
            out.truncate(HEADER.size + last * self._block)
            return True

    def close(self) -> None:
        """Stop writing and let go of the file, which is then no longer ours to change."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()
            if self._out is not None:
                self._out.close()
                self._out = None

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self.close()

    def _write(self) -> None:
        piece = self.piece
        sound = TrackPcm(piece.path, piece.file_s)
        try:
            begin_s = piece.start_s + piece.silence_s
            excerpt = Excerpt(sound, ExcerptRequest(begin_s, piece.rise_s), piece.end_s, piece.begin_s)
            if excerpt.size <= HEADER.size:
                raise SoundGoneError("is shorter than the place asked for")
            with self._changed:
                if self._stop:
                    return
                self._out = io.FileIO(self.file, "x+")
                self._quiet = round(piece.silence_s * sound.rate_hz) * sound.block
                self._out.truncate(excerpt.size + self._quiet)
                self._rate_hz, self._block, self._channels = sound.rate_hz, sound.block, sound.channels
            self._copy(excerpt)
        finally:
            sound.close()

    def _copy(self, excerpt: Excerpt) -> None:
        """Write what the excerpt reads, at the gain."""
        gain, at, odd = 10 ** (self.piece.gain_db / 20), 0, b""
        ready = HEADER.size + math.ceil(READY_S * self._rate_hz) * self._block
        while at < excerpt.size and not self._stop:
            read = excerpt.read()
            if not read:
                continue  # the place is still being looked for
            if at < HEADER.size:
                read = _longer(read, self._quiet)
            else:
                read, odd = _whole(odd + read, self._block)
                read = _at_gain(read, gain)
            with self._changed:
                if self._out is None or self._falls:
                    return
                _put(self._out, at + (self._quiet if at else 0), read)
                at += len(read)
                self._written = max(0, at + self._quiet - HEADER.size) // self._block
                self._changed.notify_all()
            if at >= ready:
                self.ready.set()
        with self._changed:
            self._written = max(self._written, (excerpt.size + self._quiet - HEADER.size) // self._block)
            self._changed.notify_all()


def _longer(header: bytes, more: int) -> bytes:
    """The header of a WAV whose sound is so many bytes longer."""
    name, size, *rest, sound = HEADER.unpack(header)
    return HEADER.pack(name, size + more, *rest, sound + more)


def _whole(data: bytes, block: int) -> tuple[bytes, bytes]:
    """As many whole samples as there are, and the rest."""
    size = len(data) - len(data) % block
    return data[:size], data[size:]


def _at_gain(data: bytes, gain: float) -> bytes:
    if gain == 1.0:
        return data
    samples = np.frombuffer(data, np.int16).astype(np.float32) * gain
    return bytes(np.clip(np.rint(samples, out=samples), -PEAK - 1, PEAK).astype(np.int16).tobytes())


def _put(out: io.FileIO, place: int, data: bytes) -> None:
    """Write all of ``data`` there."""
    out.seek(place)
    left = memoryview(data)
    while left:
        left = left[out.write(left) or 0 :]


def remove(file: Path) -> None:
    """Remove a file, if it is there and nobody forbids it."""
    with suppress(OSError):
        file.unlink()
