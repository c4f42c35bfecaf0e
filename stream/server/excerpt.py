"""A track from any place on as one WAV file: 16-bit PCM at the track's own rate (48 kHz at most), mono or stereo.

It is exact in every player, since a player has nothing to guess. Its length is known before anything is decoded, so
ranges are exact too. CD sound is 1.4 Mbit/s, little for a local network, and costs less CPU than an encoder. A file
that has become shorter since it was indexed ends in silence.
"""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from .track_pcm import PIECE, SAMPLE_BYTES, SoundGoneError, TrackPcm

HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")  # RIFF, fmt, data: 44 bytes


@dataclass(frozen=True, slots=True)
class ExcerptRequest:
    """``start_s`` in the track; ``fade_s``: how long the sound rises from silence there."""

    start_s: float
    fade_s: float = 0.0


class Excerpt:
    """The WAV's bytes in order, from any byte on. Blocks; not for two threads at once."""

    def __init__(self, sound: TrackPcm, request: ExcerptRequest, length_s: float, begin_s: float = 0.0) -> None:
        """The track is ``length_s`` long and begins at ``begin_s`` in its file."""
        self.sound = sound
        self._start = round((begin_s + request.start_s) * sound.rate_hz)
        self._fade = round(request.fade_s * sound.rate_hz)
        count = max(0, round((begin_s + length_s) * sound.rate_hz) - self._start)
        self.size = HEADER.size + count * sound.block
        self._at = 0  # the byte that comes next
        self._positioned = False

    def seek(self, byte: int) -> None:
        """`read` continues with this byte; this call does not touch the file."""
        self._at, self._positioned = byte, False

    def read(self) -> bytes:
        """The next bytes; empty while the place is still being looked for, and at the end."""
        if self._at < HEADER.size:
            return self._advance(self._header()[self._at :])
        sample, odd = divmod(self._at - HEADER.size, self.sound.block)
        try:
            if not self._positioned:
                self.sound.seek(self._start + sample)
                self._positioned = True
            piece = self.sound.read()
        except SoundGoneError:  # after the first opening
            piece = None
        if piece is None:
            return self._advance(bytes(min(PIECE, self.size - self._at)))
        return self._advance(self._fade_in(piece, sample)[odd : odd + self.size - self._at])

    def close(self) -> None:
        """Close the file; `read` opens it again at the same place."""
        self._positioned = False
        self.sound.close()

    def _advance(self, piece: bytes) -> bytes:
        self._at += len(piece)
        return piece

    def _fade_in(self, piece: bytes, first: int) -> bytes:
        if first >= self._fade or not piece:
            return piece
        samples = np.frombuffer(piece, np.int16).reshape(-1, self.sound.channels)
        part = np.minimum(1.0, np.arange(first, first + len(samples)) / self._fade)
        gain = np.sin(np.pi / 2 * part)  # equal power with a falling cosine
        return np.rint(samples * gain[:, None]).astype(np.int16).tobytes()

    def _header(self) -> bytes:
        rate, block, sound = self.sound.rate_hz, self.sound.block, self.size - HEADER.size
        pcm = (b"WAVE", b"fmt ", 16, 1, self.sound.channels, rate, rate * block, block, 8 * SAMPLE_BYTES)
        return HEADER.pack(b"RIFF", self.size - 8, *pcm, b"data", sound)
