"""The sound of a track from any sample on, as 16-bit PCM.

Time is what the indexer counts: from the container's begin on, samples of the first audio stream in decoding order
(see `features.decode.sound`). Players that use bit rates or time stamps miss a place by up to seconds, so both are
checked first. To be fast far into a long file, the decoder seeks by time stamp to a little before the place, and the
stamps of its first frames give its position. Whether they are right is tested once a file, by seeking near its end: the
end must be where counting puts it. If it is not (damage, gaps, drifting stamps), all samples before the place are
counted. In an MP3, frames are counted by their headers, and read from the byte where one begins.
"""

import statistics
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import FFmpegError

from features.decode.sound import DecodeState, frames_of

from .mp3_frames import Mp3Frames, mp3_frames

MAX_RATE_HZ: Final = 48_000  # a higher rate is halved until it is not
NEAR_S: Final = 5.0  # from the beginning: counting is as fast
EARLY_S: Final = 1.0  # before the place, for decoders to settle: overlaps, bit reservoirs, predictions
WARM_S: Final = 0.1  # of it goes through the resampler too
VOTES: Final = 24  # frames that vote on the position: one in ten of Vorbis has a stamp that is up to 14 ms off
TAIL_S: Final = 1.5
FAR_S: Final = 120.0  # a seek that ends so far before the place has failed
TRUST_S: Final = 0.003  # Matroska rounds stamps to 1 ms
MOST_PADDING_S: Final = 0.25  # an MP3's tag has 12 bits for it, of samples
STEP_S: Final = 10.0  # of sound skipped in one call, so that the reader can stop
PIECE: Final = 1 << 16  # bytes a call, about
SAMPLE_BYTES: Final = 2
STEADY: Final = frozenset({"mp3", "mp3float", "opus", "vorbis"})  # codecs that settle; others add random noise


class SoundGoneError(Exception):
    """The file can no longer be played; the text is the reason, to be put after the file's name."""


class TrackPcm:
    """Reads one file. It blocks, so use it in a thread, and in only one at a time.

    ``rate_hz``, ``channels`` (1 or 2) and ``block`` (bytes of one sample of all channels) describe the output;
    ``steady``: a sample is the same to the bit wherever reading began.
    """

    def __init__(self, path: Path, length_s: float | None, stamps_hold: bool | None = None) -> None:
        """``length_s``: the counted length of the whole file, None: as the file declares; ``stamps_hold``: the result
        of an earlier test of its time stamps, if any. Raises `SoundGoneError`."""
        self.path, self.stamps_hold = path, stamps_hold
        self._length_s = length_s
        self._container: InputContainer | None = None
        self._frames: Iterator[AudioFrame] = iter(())
        self._lead_s = 0.0  # from the container's begin to the first sample
        self._inside = False  # whether the container begins in the middle of the file
        first = self._open()
        self.channels = 1 if first.layout.nb_channels == 1 else 2
        self.block = self.channels * SAMPLE_BYTES
        self.rate_hz = first.sample_rate
        while self.rate_hz > MAX_RATE_HZ:
            self.rate_hz //= 2
        self.steady = self._is_steady()
        self._origin_s = _stamp_s(first) or 0.0
        self._out = _Converter(self._lead_s, 0, self.rate_hz, self.channels)

    def seek(self, sample: int) -> None:
        """`read` continues with this sample. Raises `SoundGoneError`."""
        if self._container is None or self._inside:
            self._open()
        at_s = sample / self.rate_hz
        reached_s = None
        if at_s > NEAR_S and self._stamps_usable():
            reached_s = self._seek_by_headers(at_s - EARLY_S)
            if reached_s is None:
                reached_s = self._seek_by_stamp(at_s - EARLY_S)
        if reached_s is None or reached_s > at_s - WARM_S:
            self._open()
            reached_s = self._lead_s
        self._out = _Converter(reached_s, sample, self.rate_hz, self.channels)

    def read(self) -> bytes | None:
        """The next samples, interleaved, native int16; empty while the place is still being reached, None at the
        end."""
        pieces: list[bytes] = []
        size, passed_s = 0, 0.0
        try:
            for frame in self._frames:
                passed_s += _length_s((frame,))
                pieces.append(self._out.add(frame))
                size += len(pieces[-1])
                if size >= PIECE or passed_s >= STEP_S:
                    return b"".join(pieces)
            pieces.append(self._out.flush())
        except FFmpegError:  # frames of a kind that cannot be converted
            self._frames = iter(())
        return b"".join(pieces) if passed_s or any(pieces) else None

    def close(self) -> None:
        """Close the file; `seek` opens it again."""
        self._frames = iter(())
        if self._container is not None:
            self._container.close()
            self._container = None

    def _open(self) -> AudioFrame:
        """Open the file at its beginning; returns the first frame."""
        self.close()
        try:
            # "file" alone, as in features.decode.sound
            opened = av.open(str(self.path), metadata_errors="ignore", options={"protocol_whitelist": "file"})
        except (OSError, FFmpegError) as error:
            raise SoundGoneError(f"cannot be opened ({error.strerror})") from error
        self._container, self._inside = opened, False
        if not opened.streams.audio:
            self.close()
            raise SoundGoneError("has no audio stream")
        measured = DecodeState()
        rest = frames_of(opened, measured)
        first = next((frame for frame in rest if frame.samples and frame.sample_rate), None)
        if first is None:
            self.close()
            raise SoundGoneError("holds no audio that decodes")
        self._frames = chain((first,), rest)
        self._lead_s = max(0.0, measured.lead_s)
        return first

    def _is_steady(self) -> bool:
        assert self._container is not None
        stream = self._container.streams.audio[0]
        fine = stream.time_base is not None and stream.time_base * self.rate_hz <= 1  # else places are rounded
        return fine and (stream.codec.lossless or stream.codec.name in STEADY)

    def _stamps_usable(self) -> bool:
        """Whether time stamps give a frame's position in the file."""
        if self.stamps_hold is None:
            length_s = self._declared_s() if self._length_s is None else self._length_s
            self.stamps_hold = self._headers_agree(length_s) or None
        if self.stamps_hold is None:
            reached_s = self._seek_by_stamp(length_s - TAIL_S) if length_s > TAIL_S else None
            near = reached_s is not None and reached_s > length_s - FAR_S
            self.stamps_hold = near and abs((reached_s or 0.0) + _length_s(self._frames) - length_s) < TRUST_S
        return self.stamps_hold

    def _declared_s(self) -> float:
        assert self._container is not None
        stream = self._container.streams.audio[0]
        if stream.duration is None or stream.time_base is None:
            return 0.0
        return self._lead_s + float(stream.duration * stream.time_base)

    @cached_property
    def _headers(self) -> Mp3Frames | None:
        """The frames of an MP3, if they are like its first frame."""
        assert self._container is not None
        frames = mp3_frames(self.path) if self._container.format.name == "mp3" else None
        return frames if frames is not None and frames.rate_hz == self.rate_hz else None

    def _headers_agree(self, length_s: float) -> bool:
        """Whether an MP3's frames, counted by their headers, have its counted length, apart from padding at the end
        that its tag declares."""
        end = self._headers.after(None) if self._headers is not None else None
        if self._headers is None or end is None:
            return False
        whole_s = self._time_s(end.count)
        padded = 0.0 < whole_s - length_s < MOST_PADDING_S and abs(self._declared_s() - length_s) < TRUST_S
        return padded or abs(whole_s - length_s) < TRUST_S

    def _seek_by_headers(self, at_s: float) -> float | None:
        """As `_seek_by_stamp` for an MP3, to the frame that its headers give; None where they do not."""
        if self._headers is None:
            return None
        count = int((at_s - self._time_s(0)) * self.rate_hz / self._headers.frame)
        place = self._headers.after(count)
        if place is None:
            return None
        part = f"subfile,,start,{place.byte},end,0,,:file:{self.path}"
        try:
            opened = av.open(part, format="mp3", options={"protocol_whitelist": "file,subfile"})
        except (OSError, FFmpegError):
            return None
        self.close()
        self._container, self._inside = opened, True
        self._frames = frames_of(opened, DecodeState())
        return self._time_s(count)

    def _time_s(self, count: int) -> float:
        """Where the frame of an MP3 after ``count`` others begins; the begin of the first one is the encoder's delay,
        and is cut off."""
        assert self._headers is not None
        return self._lead_s - self._origin_s + count * self._headers.frame / self._headers.rate_hz

    def _seek_by_stamp(self, at_s: float) -> float | None:
        """Seek to ``at_s`` or before; returns the position of the next frame, None if it is not known."""
        assert self._container is not None
        stream = self._container.streams.audio[0]
        if stream.time_base is None:
            return None
        try:
            at_s += self._origin_s - self._lead_s
            self._container.seek(round(at_s / stream.time_base), stream=stream)
        except FFmpegError:
            return None
        rest = frames_of(self._container, DecodeState())
        first_frames = list(islice(rest, VOTES))
        self._frames = chain(first_frames, rest)
        votes: list[float] = []
        for place, frame in enumerate(first_frames):
            stamp_s = _stamp_s(frame)
            if stamp_s is not None:
                votes.append(self._lead_s + stamp_s - self._origin_s - _length_s(first_frames[:place]))
        return statistics.median_low(votes) if votes else None


class _Converter:
    """Converts frames to int16 at one rate, from the sample ``first_sample`` on; the first frame is at ``at_s``.

    A stream may change its format on the way, as joined files do.
    """

    def __init__(self, at_s: float, first_sample: int, rate_hz: int, channels: int) -> None:
        self._at_s, self._first_sample, self._rate_hz = at_s, first_sample, rate_hz
        self._layout, self._block = ("stereo", "mono")[channels == 1], channels * SAMPLE_BYTES
        self._at: int | None = None  # the sample that comes out next
        self._kind: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None

    def add(self, frame: AudioFrame) -> bytes:
        if not frame.samples or not frame.sample_rate:
            return b""
        began_s, self._at_s = self._at_s, self._at_s + frame.samples / frame.sample_rate
        if self._at_s < self._first_sample / self._rate_hz - WARM_S:
            return b""
        before = b""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            before = self.flush()
            self._resampler, self._kind = AudioResampler("s16", self._layout, self._rate_hz), kind
        if self._at is None:
            self._at = round(began_s * self._rate_hz)
            if self._at > self._first_sample:  # the sound begins later than the track
                before = bytes((self._at - self._first_sample) * self._block)
        assert self._resampler is not None
        frame.pts = None  # gaps and jumps in time stamps are not filled
        return before + self._cut(self._resampler.resample(frame))

    def flush(self) -> bytes:
        """The samples that are left in the resampler."""
        last, self._resampler, self._kind = self._resampler, None, None
        return b"" if last is None else self._cut(last.resample(None))

    def _cut(self, frames: Iterable[AudioFrame]) -> bytes:
        assert self._at is not None
        sound = b"".join(bytes(frame.planes[0])[: frame.samples * self._block] for frame in frames)
        early = max(0, self._first_sample - self._at)
        self._at += len(sound) // self._block
        return sound[early * self._block :]


def _stamp_s(frame: AudioFrame) -> float | None:
    return None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)


def _length_s(frames: Iterable[AudioFrame]) -> float:
    return sum(frame.samples / frame.sample_rate for frame in frames if frame.sample_rate)
