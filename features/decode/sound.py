"""Any file that FFmpeg decodes -> mono 16 kHz samples.

The first audio stream counts, so a video with music works too. Time is that of a player: it begins with the container,
and from there samples are counted. A damaged file is used as far as it decodes, with a note; an unusable file raises an
``AudioError`` whose text is the reason, to print behind the file's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from features.errors import AudioError, ForeignError
from features.r128 import Levels
from features.spec import MUSIC_RATE_HZ

from .channels import Balance, Mix, mean, only
from .container import declared_s, foreign, lead_s
from .gathered import Gathered
from .metered import Tap, join_frames, kind_of

Floats = NDArray[np.float32]

MIN_S = 1.0
MAX_S = 4 * 3600.0  # 921 MB of samples, on the disk
SHORTFALL = 0.9  # less than this share of the declared duration is worth a note
PIECE = MUSIC_RATE_HZ  # samples that leave the resampler at once, a second: codecs' own frames are tiny
MAX_BAD_PACKETS = 10_000  # a file that is noise from some point on
SIDES: Final = ("left", "right")


@dataclass(frozen=True, slots=True)
class Sound:
    """``samples`` (n,) float32 of full scale 1, mono, 16 kHz, finite; those of a long file are mapped
    (``features.mapped``). ``note`` says what was lost, or is empty.

    ``lead``: how many zeros stand in front, for the time between the container's begin and the sound's. ``levels``: of
    the file's own channels at its own rate, in the same time; None where they were not requested.
    """

    samples: Floats
    note: str
    lead: int = 0
    levels: Levels | None = None

    @property
    def duration_s(self) -> float:
        return len(self.samples) / MUSIC_RATE_HZ


def decode(path: Path, levels: bool = False) -> Sound:
    """The whole file as samples, and its ``levels`` if requested.

    Raises ``AudioError``: not audio, no audio stream, too short, too long, unreadable."""
    try:
        balance = Balance()
        sound = _decode(path, balance.mix, Tap() if levels else None)
        better = balance.better()
        if better is None:
            return sound
        # This is rare, so the file is decoded twice rather than every track held twice.
        one_channel = _decode(path, only(better))
        remark = f"its channels cancel each other: only the {SIDES[better]} one is heard"
        return replace(
            one_channel, note=f"{one_channel.note}; {remark}" if one_channel.note else remark, levels=sound.levels
        )
    except AudioError as error:
        if path.is_file() and (reason := foreign(path)):
            raise AudioError(reason) from error
        raise


def _decode(path: Path, mix: Mix, tap: Tap | None = None) -> Sound:
    try:
        # "file" alone: a playlist under a music file's name must not reach the network.
        container = av.open(str(path), metadata_errors="ignore", options={"protocol_whitelist": "file"})
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror or error}") from error
    except FFmpegError as error:
        empty = path.stat().st_size == 0
        raise ForeignError("is empty" if empty else "is not audio that FFmpeg knows") from error
    with container:
        if not container.streams.audio:
            raise ForeignError("has no audio stream")
        samples, state, lead = Gathered(MAX_S), DecodeState(), 0
        frames = join_frames(frames_of(container, state))
        if tap is not None:
            frames = tap.measure(frames, lambda: state.lead_s)
        for piece in resampled(frames, mix):
            if not samples.length:
                lead = round(state.lead_s * MUSIC_RATE_HZ)
                samples.add(np.zeros(lead, np.float32))
            samples.add(piece)
        sound = samples.whole()
        declared = declared_s(container, path)
    if not len(sound):
        if path.stat().st_size == 0:
            raise ForeignError("is empty")
        raise AudioError("holds no audio that decodes")
    duration_s = (len(sound) - lead) / MUSIC_RATE_HZ
    if duration_s < MIN_S:
        raise AudioError(f"is {duration_s:.2f} s long, at least {MIN_S:g} s are needed")
    note = ""
    if duration_s < SHORTFALL * declared:
        note = f"damaged: {duration_s:.0f} s of {declared:.0f} s decode"
    elif state.bad_packets:
        note = f"damaged: {state.bad_packets} packets do not decode"
    return Sound(sound, note, lead, None if tap is None else tap.finish())


@dataclass(slots=True)
class DecodeState:
    """What decoding a file has come across so far."""

    bad_packets: int = 0
    lead_s: float = -1.0  # before the first frame


def frames_of(container: InputContainer, state: DecodeState) -> Iterator[AudioFrame]:
    """Frames of the first audio stream; packets that do not decode are counted and left out."""
    stream = container.streams.audio[0]
    try:
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    if state.lead_s < 0.0 and frame.samples:
                        state.lead_s = lead_s(container, frame)
                    yield frame
            except FFmpegError:
                state.bad_packets += 1
                if state.bad_packets > MAX_BAD_PACKETS:
                    return
    except FFmpegError:  # the container itself breaks off
        state.bad_packets += 1


def resampled(frames: Iterator[AudioFrame], mix: Mix = mean) -> Iterator[Floats]:
    """Pieces at 16 kHz, ``mix`` of the channels; a stream may change its format on the way, as joined files do."""
    resampler: AudioResampler | None = None
    current: tuple[str, str, int] | None = None
    for frame in frames:
        if not frame.samples or not frame.sample_rate:
            continue
        kind = kind_of(frame)
        if kind != current:
            if resampler is not None:
                yield from _arrays(resampler.resample(None), mix)
            # FFmpeg's own mix to mono adds channels at -3 dB each; sound in both channels would come out too loud.
            layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
            resampler, current = AudioResampler("fltp", layout, MUSIC_RATE_HZ, frame_size=PIECE), kind
        assert resampler is not None
        frame.pts = None  # gaps and jumps in time stamps are not filled
        yield from _arrays(resampler.resample(frame), mix)
    if resampler is not None:
        yield from _arrays(resampler.resample(None), mix)


def _arrays(frames: list[AudioFrame], mix: Mix) -> Iterator[Floats]:
    for frame in frames:
        yield mix(frame.to_ndarray().astype(np.float32, copy=False))
