"""Decoded frames of a file, a camera or a URL, and clear errors for inputs that cannot be read.

Damage inside a file does not end it: packets that cannot be decoded are skipped and counted, and ``warning`` says so
afterwards. Where other streams begin in the middle, the pictures go on with those.
"""

import contextlib
import time
from collections.abc import Callable, Generator
from fractions import Fraction
from types import TracebackType
from typing import Any, Final, Self

import av
from av.error import FFmpegError
from av.stream import Discard

from features.decode.colours import container_colours
from features.decode.streams import FrameTimes, best_audio, best_video, length_s
from stream.core.timeline import HELD_BROADCAST_S, HELD_S
from stream.errors import SourceError
from stream.sources.decoder_bounds import bound, check_refused

from .ending import Reach
from .opened import CHANGED, Opened, Opener, cause_of
from .opening import is_device, is_live, is_url, open_source

__all__ = ["Opened", "Opener", "Pull", "Telling", "is_device", "is_live", "is_url"]

TS_DISCONT: Final = 0x0200  # FFmpeg's flag of a format whose times may start anew (AVFMT_TS_DISCONT)
UNDATED_LIMIT: Final = 250  # the first frames of an input may lack timestamps; with more it is refused
PARTS: Final = 10_000  # that one input may be made of
MICROSECOND: Final = Fraction(1, 1_000_000)

Tell = Callable[[str], None]


class Pull:
    """An open input; a context manager. ``frames`` yields every decoded frame in order of presentation.

    Raises ``SourceError`` for what cannot be opened, holds no video, or never yields a picture, and ``FeedError`` for a
    picture over the opener's bound. ``threads`` is for the
    decoder, 0 for as many as there are cores (30 s of 480p H.264 on two: 2.0 s, with one thread 3.0 s). A live input
    uses slice threads, since frame threads add latency. ``opener`` is how the input is opened. ``clock`` gives seconds;
    it is used where a stream has no times of its own: then frames get the time of their arrival.
    """

    def __init__(
        self,
        source: str,
        threads: int = 0,
        opener: Opener | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._threads = threads
        self._clock = clock
        self._decoded = self._dated = self._broken = 0
        self._notes: list[str] = []
        self._pixels = 0
        self.warning: str | None = None
        self._use((opener or open_source)(source))
        self.endless = self._is_endless()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the input. May be called twice."""
        self._opened.close()

    @property
    def held_s(self) -> float:
        """For how long a picture of this input may be held before a step in its timestamps is a jump."""
        return HELD_BROADCAST_S if self._container.format.flags & TS_DISCONT else HELD_S

    @property
    def duration_s(self) -> float | None:
        """The promised duration, if the input promises one."""
        if self._opened.duration_s is not None or not self._opened.whole:
            return self._opened.duration_s
        return length_s(self._container, self._stream)

    @property
    def finished(self) -> bool:
        """Whether the sender ended a live stream, so that there is no use in opening it again."""
        return self._opened.finished()

    def frames(
        self, hear: Callable[[av.AudioFrame], None] | None = None, tell: Tell | None = None
    ) -> Generator[av.VideoFrame, None, None]:
        """Every frame once. Ends at the end of the input, or where it breaks off; ``warning`` then says so.

        ``hear`` gets the frames of the sound that belongs to the pictures, if there is any. ``tell`` gets notes for
        viewers meanwhile; without it, they become part of ``warning``.
        """
        for _ in range(PARTS):
            broke_off = ""
            try:
                yield from self._demux(hear)
            except (FFmpegError, OSError, SourceError) as error:
                broke_off = self._cause(error)
            except IndexError:  # PyAV's, at the end of an input that got more streams on the way
                yield from self._decode(None)
            if not self._open_following(broke_off, tell):
                break
        self._conclude(broke_off)

    def _is_endless(self) -> bool:
        """Whether it is a live stream and no recording: its end is a loss, and it is opened again."""
        return is_live(self._source) if self._opened.endless is None else self._opened.endless

    def _use(self, opened: Opened) -> None:
        """Read from this open input from now on."""
        self._opened = opened
        self._container = opened.container
        try:
            stream = best_video(self._container)
            if stream is None:
                cause = "has only audio" if self._container.streams.audio else "has no video stream"
                raise SourceError(f"{self._source}: {cause}; give a file or stream with video")
            if stream.codec_context is None:
                raise SourceError(f"{self._source}: its pictures cannot be decoded; give a video that plays elsewhere")
            if stream.codec_context.name == "ansi":  # FFmpeg plays plain text as terminal art
                raise SourceError(f"{self._source}: is text; give a video")
        except BaseException:
            opened.close()
            raise
        self._stream = stream
        live = is_live(self._source) or bool(opened.endless)
        stream.thread_type = "SLICE" if live else "AUTO"
        stream.codec_context.thread_count = self._threads
        self._pixels = opened.pixels or self._pixels  # the parts after it have the same bound
        if self._pixels:
            bound(stream.codec_context, self._pixels)
        self._times = FrameTimes(self._container, stream)
        self._reach = Reach(self._container, stream)
        self._colours = container_colours(stream)

    def _demux(self, hear: Callable[[av.AudioFrame], None] | None) -> Generator[av.VideoFrame, None, None]:
        sound = best_audio(self._container, self._stream) if hear is not None else None
        streams_to_read = [self._stream, *([sound] if sound is not None else [])]
        if self._reach.sounds:
            streams_to_read += [stream for stream in self._container.streams.audio if stream not in streams_to_read]
        for stream in self._container.streams:
            if stream not in streams_to_read:
                stream.discard = Discard.all  # nor is it fetched, if it has an address of its own
        for packet in self._container.demux(streams_to_read):
            self._reach.push(packet)
            if packet.stream.index == self._stream.index:
                yield from self._decode(packet)
            elif hear is not None and packet.stream is sound:
                with contextlib.suppress(FFmpegError):
                    for frame in packet.decode():
                        if isinstance(frame, av.AudioFrame):
                            hear(frame)

    def _decode(self, packet: "av.Packet[Any] | None") -> Generator[av.VideoFrame, None, None]:
        try:
            frames = self._stream.decode(packet)
        except FFmpegError:
            self._broken += packet is not None
            if packet is not None and self._pixels:
                check_refused(self._stream.codec_context, bytes(packet), self._pixels)
            return
        for frame in frames:
            if not isinstance(frame, av.VideoFrame):
                continue
            self._decoded += 1
            self._times.mend(frame)
            if self._colours is not None:
                self._colours.tag(frame)
            if self._opened.arrivals:
                frame.pts, frame.time_base = round(self._clock() * 1_000_000), MICROSECOND
            if frame.pts is not None and frame.time_base is not None:
                self._dated += 1
            elif not self._dated and self._decoded >= UNDATED_LIMIT:
                raise SourceError(self._undated())
            yield frame

    def _open_following(self, broke_off: str, tell: Tell | None) -> bool:
        """Open the next part. False if there is none."""
        before = self._description()
        notes = [note] if (note := self._reach.shortfall()) is not None and self._opened.whole else []
        notes += [note] if (note := self._opened.shortfall()) is not None else []
        try:
            following = self._opened.following()
            if following is None:
                self._notes += [*([f"broke off ({broke_off})"] if broke_off else []), *notes]
                return False
            self._opened.container.close()
            self._use(following)
        except (SourceError, FFmpegError, OSError) as error:
            self._notes += [f"broke off ({self._cause(error)})", *notes]
            return False
        after = self._description()
        note = following.note
        if note is not None or before != after:
            text = f"{note or CHANGED} ({after})"
            if tell is None:
                self._notes.append(text)
            else:
                tell(f"{self._source}: {text}")
        return True

    def _description(self) -> str:
        """The codecs and the size, in words."""
        context = self._stream.codec_context
        sound = best_audio(self._container, self._stream)
        sound_name = "no sound" if sound is None else "unknown sound" if sound.codec_context is None else sound.name
        return f"{context.name} {self._stream.width}x{self._stream.height}, {sound_name}"

    def _conclude(self, broke_off: str) -> None:
        if self._decoded == 0:
            cause = broke_off or ("its pictures cannot be decoded" if self._broken else "it holds no picture")
            raise SourceError(f"{self._source}: {cause}; give a video that plays elsewhere")
        if self._dated == 0:
            raise SourceError(self._undated())
        if self._broken:
            self._notes.append(f"{self._broken} damaged packets were skipped")
        if self._notes:
            self.warning = f"{self._source}: {'; '.join(self._notes)}"

    def _undated(self) -> str:
        return f"{self._source}: its frames carry no timestamps; put it into a container (ffmpeg -i IN OUT.mkv)"

    def _cause(self, error: Exception) -> str:
        return (
            str(error).removeprefix(f"{self._source}: ") if isinstance(error, SourceError) else cause_of(error).lower()
        )


class Telling:
    """A ``Pull`` with callbacks for its sound and its notes, for `reconnect.reconnecting`; a context manager."""

    def __init__(self, pull: Pull, tell: Tell, hear: Callable[[av.AudioFrame], None] | None = None) -> None:
        self._pull = pull
        self._tell = tell
        self._hear = hear

    @property
    def warning(self) -> str | None:
        return self._pull.warning

    @property
    def finished(self) -> bool:
        return self._pull.finished

    def frames(self) -> Generator[av.VideoFrame, None, None]:
        return self._pull.frames(self._hear, self._tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pull.close()
