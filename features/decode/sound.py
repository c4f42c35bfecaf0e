"""Any file that FFmpeg decodes -> mono 16 kHz samples.

The first audio stream counts, so a video with music will do. A damaged file is kept as far as it decodes, with a note;
what stays unusable is refused by an ``AudioError`` whose text is the reason, to stand behind the file's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from features.errors import AudioError, ForeignError
from features.spec import MUSIC_RATE_HZ

Floats = NDArray[np.float32]

MIN_S = 1.0
MAX_S = 4 * 3600.0  # 921 MB of samples
SHORTFALL = 0.9  # less than this share of the declared duration is worth a note
PIECE = MUSIC_RATE_HZ  # samples that leave the resampler at once: by the second, for codecs' own frames are tiny
MAX_BAD_PACKETS = 10_000  # a file that is noise from some point on


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """``samples`` (n,) float32 of full scale 1, mono, 16 kHz, finite; ``note`` says what was lost, or is empty."""

    samples: Floats
    note: str

    @property
    def duration_s(self) -> float:
        return len(self.samples) / MUSIC_RATE_HZ


def decode(path: Path) -> Sound:
    """The whole file as samples. Raises ``AudioError``: not audio, no audio stream, too short, too long, unreadable."""
    try:
        # "file" alone: a playlist under a music file's name must not reach the network.
        container = av.open(str(path), metadata_errors="ignore", options={"protocol_whitelist": "file"})
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror or error}") from error
    except FFmpegError as error:
        empty = path.stat().st_size == 0
        raise ForeignError("is empty" if empty else "is not audio that FFmpeg knows") from error
    with container:
        return _decoded(container)


def _decoded(container: InputContainer) -> Sound:
    if not container.streams.audio:
        raise ForeignError("has no audio stream")
    declared_s = (container.duration or 0) / av.time_base
    if declared_s > 1.01 * MAX_S:
        raise AudioError(_too_long(declared_s))
    samples, bad = _Samples(), _Damage()
    for piece in resampled(_frames(container, bad)):
        samples.add(piece)
    sound = samples.whole()
    duration_s = len(sound) / MUSIC_RATE_HZ
    if not len(sound):
        raise AudioError("holds no audio that decodes")
    if duration_s < MIN_S:
        raise AudioError(f"is {duration_s:.2f} s long, at least {MIN_S:g} s are needed")
    note = ""
    if declared_s and duration_s < SHORTFALL * declared_s:
        note = f"damaged: {duration_s:.0f} s of {declared_s:.0f} s decode"
    elif bad.packets:
        note = f"damaged: {bad.packets} packets do not decode"
    return Sound(sound, note)


class _Samples:
    """A float32 array that grows in place, so that a long track is held once."""

    def __init__(self) -> None:
        self._array = np.empty(60 * MUSIC_RATE_HZ, np.float32)
        self._length = 0

    def add(self, piece: Floats) -> None:
        end = self._length + len(piece)
        if end > MAX_S * MUSIC_RATE_HZ:
            raise AudioError(_too_long(end / MUSIC_RATE_HZ))
        if end > len(self._array):
            self._array.resize(max(end, len(self._array) * 3 // 2), refcheck=False)
        self._array[self._length : end] = piece
        self._length = end

    def whole(self) -> Floats:
        self._array.resize(self._length, refcheck=False)
        # Float files may hold anything; NaN would spread through every spectrum.
        if not np.isfinite(self._array).all():
            np.nan_to_num(self._array, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return np.clip(self._array, -8.0, 8.0, out=self._array)


@dataclass(slots=True)
class _Damage:
    packets: int = 0


def _frames(container: InputContainer, bad: _Damage) -> Iterator[AudioFrame]:
    """Frames of the first audio stream; packets that do not decode are counted and left out."""
    stream = container.streams.audio[0]
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except FFmpegError:
                bad.packets += 1
                if bad.packets > MAX_BAD_PACKETS:
                    return
    except FFmpegError:  # the container itself breaks off
        bad.packets += 1


def resampled(frames: Iterator[AudioFrame]) -> Iterator[Floats]:
    """Pieces at 16 kHz, the mean of both channels; a stream may change its format on the way, as joined files do."""
    resampler: AudioResampler | None = None
    current: tuple[str, str, int] | None = None
    for frame in frames:
        if not frame.samples or not frame.sample_rate:
            continue
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != current:
            if resampler is not None:
                yield from _arrays(resampler.resample(None))
            # FFmpeg's own way to mono adds channels at -3 dB each; what is in both would come out louder than it is.
            layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
            resampler, current = AudioResampler("fltp", layout, MUSIC_RATE_HZ, frame_size=PIECE), kind
        assert resampler is not None
        frame.pts = None  # gaps and jumps in time stamps are not filled
        yield from _arrays(resampler.resample(frame))
    if resampler is not None:
        yield from _arrays(resampler.resample(None))


def _arrays(frames: list[AudioFrame]) -> Iterator[Floats]:
    for frame in frames:
        yield frame.to_ndarray().mean(axis=0, dtype=np.float32)


def _too_long(duration_s: float) -> str:
    return f"is {duration_s / 3600:.1f} h long, at most {MAX_S / 3600:g} h are taken; cut it into tracks"
