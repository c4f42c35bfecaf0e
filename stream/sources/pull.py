"""Decoded frames of a file, a camera or a URL, and clear words for what cannot be read.

Damage inside a file does not end it: what cannot be decoded is skipped and counted, and ``warning`` says so afterwards.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
from av.error import FFmpegError
from av.stream import Disposition

from stream.errors import SourceError

from .decoder_bounds import bound, check_refused
from .external import srt_pipe

SCHEMES: Final = ("http", "https", "rtmp", "rtmps", "rtsp", "srt")
LIVE_SCHEMES: Final = ("rtmp", "rtmps", "rtsp", "srt")
OPEN_TIMEOUT_S: Final = 15.0
READ_TIMEOUT_S: Final = 15.0
TRUNCATED_S: Final = 1.0  # ending this much before the promised end is worth a word
UNDATED_LIMIT: Final = 250  # frames without a timestamp, with none before, after which the input is refused

Probe = Callable[[str, float], None]


def is_url(source: str) -> bool:
    return "://" in source


def is_device(source: str) -> bool:
    """Whether it is a camera's node (Linux: ``/dev/video0``)."""
    return source.startswith("/dev/video") or (source.startswith("/dev/") and Path(source).is_char_device())


def is_live(source: str) -> bool:
    """Whether frames arrive at their own pace; HTTP may run ahead of time, so it is paced like a file."""
    return source.partition("://")[0].lower() in LIVE_SCHEMES or is_device(source)


@dataclass(frozen=True)
class Opened:
    """An open container, and what else has to be let go of with it; ``pixels``: of the largest picture, 0 for any."""

    container: av.container.InputContainer
    stop: Callable[[], None] = lambda: None
    pixels: int = 0

    def close(self) -> None:
        """May be called twice."""
        self.container.close()
        self.stop()


Opener = Callable[[str], Opened]


class Pull:
    """An open input; a context manager. ``frames`` yields every decoded frame in order of presentation.

    Raises ``SourceError`` for what cannot be opened, holds no video, or never yields a picture, and ``FeedError`` for a
    picture over the opener's bound. ``threads`` is for the
    decoder, 0 for as many as there are cores (30 s of 480p H.264 on two: 2.0 s, with one thread 3.0 s). A live input
    uses slice threads, since frame threads add latency. ``opener`` is how the input is opened.
    """

    def __init__(self, source: str, threads: int = 0, opener: Opener | None = None) -> None:
        self._source = source
        self._decoded = self._dated = self._broken = 0
        self._end_s: float | None = None
        self.warning: str | None = None
        self._opened = (opener or open_source)(source)
        self._container = self._opened.container
        try:
            self._stream = _video_stream(self._container, source)
        except BaseException:
            self._opened.close()
            raise
        self._stream.thread_type = "SLICE" if is_live(source) else "AUTO"
        self._stream.codec_context.thread_count = threads
        if self._opened.pixels:
            bound(self._stream.codec_context, self._opened.pixels)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the input. May be called twice."""
        self._opened.close()

    @property
    def endless(self) -> bool:
        """Whether it is on air rather than a recording, so that its end is a loss: worth opening it again."""
        hls = self._container.format.name == "hls"
        return is_live(self._source) or (is_url(self._source) and hls and self.duration_s is None)

    @property
    def duration_s(self) -> float | None:
        """The promised duration, if the input promises one."""
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return None if self._container.duration is None else self._container.duration / av.time_base

    def frames(self, hear: Callable[[av.AudioFrame], None] | None = None) -> Iterator[av.VideoFrame]:
        """Every frame once. Ends at the end of the input, or where it breaks off, which ``warning`` then tells.

        ``hear`` gets the frames of the first audio stream, if there is one.
        """
        broke_off = ""
        sounds = self._container.streams.audio[:1] if hear is not None else ()
        try:
            for packet in self._container.demux(self._stream, *sounds):
                if packet.stream.index == self._stream.index:
                    yield from self._decode(packet)
                elif hear is not None:
                    with contextlib.suppress(FFmpegError):
                        for frame in packet.decode():
                            if isinstance(frame, av.AudioFrame):
                                hear(frame)
        except (FFmpegError, OSError) as error:
            broke_off = _cause(error)
        self._judge(broke_off)

    def _decode(self, packet: "av.Packet[Any]") -> Iterator[av.VideoFrame]:
        try:
            frames = self._stream.decode(packet)
        except FFmpegError:
            if self._opened.pixels:
                check_refused(self._stream.codec_context, bytes(packet), self._opened.pixels)
            self._broken += 1
            return
        for frame in frames:
            if not isinstance(frame, av.VideoFrame):
                continue
            self._decoded += 1
            if frame.pts is not None and frame.time_base is not None:
                self._dated += 1
                self._end_s = float(frame.pts * frame.time_base)
            elif not self._dated and self._decoded >= UNDATED_LIMIT:
                raise SourceError(self._undated())
            yield frame

    def _judge(self, broke_off: str) -> None:
        if self._decoded == 0:
            cause = broke_off or ("its pictures cannot be decoded" if self._broken else "it holds no picture")
            raise SourceError(f"{self._source}: {cause}; give a video that plays elsewhere")
        if self._dated == 0:
            raise SourceError(self._undated())
        notes = [f"broke off ({broke_off})"] if broke_off else []
        if self._broken:
            notes.append(f"{self._broken} damaged packets were skipped")
        start = self._stream.start_time or 0
        begin_s = float(start * self._stream.time_base) if self._stream.time_base is not None else 0.0
        seen_s, promised_s = (self._end_s or 0.0) - begin_s, self.duration_s
        if promised_s is not None and not is_live(self._source) and seen_s < promised_s - TRUNCATED_S:
            notes.append(f"ends at {seen_s:.1f} s of {promised_s:.1f} s, so it was probably cut short")
        if notes:
            self.warning = f"{self._source}: {'; '.join(notes)}"

    def _undated(self) -> str:
        return f"{self._source}: its frames carry no timestamps; put it into a container (ffmpeg -i IN -c copy OUT.mkv)"


def open_source(source: str) -> Opened:
    """Any input that the user names. Raises SourceError."""
    if is_url(source):
        return _open_url(source)
    if is_device(source) and Path(source).exists():
        return Opened(_open_device(source))
    return Opened(_open_file(source))


def _open_url(source: str) -> Opened:
    scheme = source.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise SourceError(f"{source}: {scheme} is not taken; use {', '.join(SCHEMES)} or a file")
    options = {"rtsp_transport": "tcp"} if scheme == "rtsp" else {}
    try:
        return open_url(source, options)
    except av.ProtocolNotFoundError as error:
        if scheme != "srt":
            raise SourceError(f"{source}: this PyAV was built without {scheme}; use its wheel from PyPI") from error
    except (FFmpegError, OSError) as error:
        raise SourceError(f"{source}: {_cause(error)}; check the address and that it is on air") from error
    return open_srt(source)


def open_url(source: str, options: Mapping[str, str]) -> Opened:
    """A URL by FFmpeg's own protocols. Raises FFmpegError or OSError."""
    return Opened(av.open(source, options=dict(options), timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)))


def open_srt(source: str, kind: str = "") -> Opened:
    """An SRT address by an ``ffmpeg`` program; ``kind`` as in `srt_pipe`. Raises SourceError."""
    pipe = srt_pipe(source, kind)
    try:
        return Opened(av.open(pipe, "r", format="matroska", options={"protocol_whitelist": ""}), pipe.stop)
    except (FFmpegError, OSError) as error:
        cause = pipe.complaint() or _cause(error)
        pipe.stop()
        raise SourceError(f"{source}: {cause}; check the address and that it is on air") from error
    except BaseException:
        pipe.stop()
        raise


def _open_device(source: str) -> av.container.InputContainer:
    """A camera, with the size and rate that it offers first."""
    try:
        return av.open(source, format="v4l2")
    except PermissionError as error:
        raise SourceError(f"{source}: may not be read; add yourself to its group (video)") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{source}: is no camera that can be used ({_cause(error)}); see segue doctor") from error


def _open_file(source: str) -> av.container.InputContainer:
    path = Path(source)
    if not path.exists():
        raise SourceError(f"{source}: no such file; check the path")
    if path.is_dir():
        raise SourceError(f"{source}: is a folder; name one video")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{source}: is empty (0 bytes); copy or record it again")
    try:
        # "file:" keeps a name with a colon from being taken for a protocol.
        container = av.open(f"file:{source}")
    except PermissionError as error:
        raise SourceError(f"{source}: may not be read; change its permissions") from error
    except (FFmpegError, OSError) as error:
        raise SourceError(
            f"{source}: is no video, or its end is missing ({_cause(error)}); give a whole video"
        ) from error
    if container.format.name == "tty":  # FFmpeg plays plain text as terminal art
        container.close()
        raise SourceError(f"{source}: is text; give a video")
    return container


def _video_stream(container: av.container.InputContainer, source: str) -> av.VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:  # the cover of a song is no video
            return stream
    audio = len(container.streams.audio)
    has = "only audio" if audio else "no video stream"
    raise SourceError(f"{source}: {'has ' + has}; give a file or stream with video")


def _cause(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text)[:200].lower() or type(error).__name__
