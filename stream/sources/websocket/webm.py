"""WebM from a socket, as a browser's MediaRecorder makes it: chunks in, video and audio frames out.

The chunks are a file that never ends, and FFmpeg blocks to read a file; so each client has a thread, and a bounded pipe
of bytes from the event loop to the thread. A client that sends faster than its video is decoded is refused at the
bound, since a stream with a gap would be broken.

A chunk holds several frames. All at once they would replace each other, so they are handed on at the pace of their
timestamps, unless the next chunks wait already.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import av
from av.error import FFmpegError

from features.decode.colours import container_colours
from stream.close_codes import Close
from stream.sources.arrival import Arrival
from stream.sources.decoder_bounds import OPTION, bound, check_refused
from stream.sources.feed import (
    MAX_SIDE,
    FeedError,
    Handover,
    check_message,
    check_size,
    ignore_call,
)

log = logging.getLogger(__name__)

BACKLOG_BYTES: Final = 4 * 1024 * 1024  # half a minute of the page's video
MAX_BROKEN: Final = 100  # packets in a row that do not decode
SOUND_LIMIT: Final = 64  # audio frames that wait for the event loop: more than a second of Opus
MAGIC: Final = b"\x1a\x45\xdf\xa3"  # of EBML (RFC 8794, section 11.2.1): without it FFmpeg would wait for ever
STOP_S: Final = 5.0
HURRY: Final = 2  # with so many waiting chunks frames are handed on at once
SPREAD_S: Final = 0.125  # the longest wait between two frames: a slot of the sampler
VIDEO: Final = frozenset({"vp8", "vp9", "h264", "av1", "libdav1d"})
AUDIO: Final = frozenset({"opus", "vorbis"})
# a stream must be recognised from its first chunks, and may not name other places; browsers give no frame rate, and
# FFmpeg would wait for 32 frames to guess one: half a minute of a still screen
OPTIONS: Final = {
    "fpsprobesize": "0",
    "probesize": "65536",
    "analyzeduration": "500000",
    "protocol_whitelist": "",
}


class BytePipe:
    """Bytes from one thread to another, at most ``limit`` of them; the reader blocks, the writer never does.

    The reader may also hold no more than ``limit`` bytes: `confirm` says that all bytes so far were processed.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._unconfirmed = 0
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._news = threading.Condition()

    def write(self, data: bytes) -> bool:
        """Queue bytes. False, and nothing is kept, if they do not fit. After the end, bytes are ignored."""
        with self._news:
            if self._ended:
                return True
            if self._size + len(data) > self._limit:
                return False
            if data:
                self._parts.append(data)
                self._size += len(data)
                self._news.notify()
            return True

    def end(self) -> None:
        """No more bytes come; waiting ones can still be read."""
        with self._news:
            self._ended = True
            self._news.notify()

    def abort(self) -> None:
        """The same, and waiting bytes are dropped."""
        with self._news:
            self._ended = True
            self._parts.clear()
            self._size = 0
            self._news.notify()

    @property
    def waiting(self) -> int:
        """Parts that are not read to their end."""
        with self._news:
            return len(self._parts)

    def confirm(self) -> None:
        """All bytes read so far were processed; the reader no longer holds them."""
        self._unconfirmed = 0

    def read(self, size: int) -> bytes:
        """From 1 to ``size`` bytes, as soon as there are any; none at the end.

        Raises FeedError for a reader that holds too much: FFmpeg reads whole elements of a container, up to 256 MiB,
        and one header after another.
        """
        if self._unconfirmed > self._limit:
            self.abort()
            self._unconfirmed = 0  # once: after that the reader is at the end
            raise FeedError(
                Close.TOO_LARGE, f"more than {self._limit} bytes without a packet in them; send MediaRecorder's chunks"
            )
        with self._news:
            while not self._parts and not self._ended:
                self._news.wait()
            if not self._parts:
                return b""
            part = self._parts.popleft()
            if len(part) > size:
                self._parts.appendleft(part[size:])
                part = part[:size]
            self._size -= len(part)
            self._unconfirmed += len(part)
            return part


class WebmFeed:
    """``on_frame`` and ``on_sound`` are called on the event loop; ``on_error`` once, with what ended the feed.

    ``frames`` handed on, ``lost`` to an event loop that was busy (of video the newest wins).
    """

    def __init__(
        self,
        on_frame: Callable[[Arrival], None],
        on_sound: Callable[[av.AudioFrame], None],
        on_error: Callable[[FeedError], None],
        backlog_bytes: int = BACKLOG_BYTES,
        max_side: int = MAX_SIDE,
    ) -> None:
        self._max_side = max_side
        self._on_frame = on_frame
        self._on_error: Callable[[FeedError], None] | None = on_error
        self._closed = False
        self._head = b""  # the first bytes, until they are known to be WebM's
        self._limit = backlog_bytes
        self._pipe = BytePipe(backlog_bytes)
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._stop = threading.Event()
        self._last: tuple[float, float] | None = None  # time of the last frame, and when it was handed on
        self._pictures = Handover(self._loop, self._deliver, 1)
        self._reported_lost = 0
        self._sounds = Handover(self._loop, self._if_open(on_sound), SOUND_LIMIT)
        self._thread = threading.Thread(target=self._run, name="webm", daemon=True)
        self._thread.start()

    def put(self, message: bytes) -> None:
        """Take a chunk; never blocks. Raises FeedError at the bounds, and for data that is no WebM."""
        check_message(len(message))
        if len(self._head) < len(MAGIC):
            self._head += message[: len(MAGIC) - len(self._head)]
            if not MAGIC.startswith(self._head):
                raise FeedError(
                    Close.UNREADABLE, "the stream does not begin as WebM does; send MediaRecorder's chunks in order"
                )
        if not self._pipe.write(message):
            raise FeedError(
                Close.TOO_LARGE,
                f"more than {self._limit} bytes wait to be decoded; send a smaller picture or a lower rate",
            )

    async def finish(self, timeout_s: float) -> None:
        """No more chunks come: wait, for a bounded time, until the waiting ones are decoded."""
        self._pipe.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._done.wait()

    async def close(self) -> None:
        """Stop; no callback comes afterwards. Idempotent. The thread ends with its present packet."""
        self._closed = True
        self._stop.set()
        self._on_error = None
        self._pipe.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._done.wait()
        self._pictures.close()
        self._sounds.close()
        self._on_frame = ignore_call

    def _deliver(self, frame: av.VideoFrame) -> None:
        if not self._closed:
            lost = self._pictures.lost  # read once: the decoder's thread counts on
            replaced, self._reported_lost = lost - self._reported_lost, lost
            self._on_frame(Arrival(frame, replaced=replaced))

    def _if_open(self, hear: Callable[[av.AudioFrame], None]) -> Callable[[av.AudioFrame], None]:
        def deliver(frame: av.AudioFrame) -> None:
            if not self._closed:
                hear(frame)

        return deliver

    def _finished(self, error: FeedError | None) -> None:
        on_error, self._on_error = self._on_error, None
        self._done.set()
        if error is not None and on_error is not None:
            on_error(error)

    def _run(self) -> None:
        """The thread."""
        error: FeedError | None = None
        try:
            self._decode()
        except FeedError as reason:
            error = reason
        except (FFmpegError, OSError, ValueError) as cause:
            text = getattr(cause, "strerror", None) or str(cause)
            error = FeedError(
                Close.UNREADABLE, f"the stream cannot be read as WebM ({text.lower()}); send MediaRecorder's chunks"
            )
        except Exception as cause:
            log.exception("a WebM stream could not be decoded")
            error = FeedError(Close.UNREADABLE, f"the stream cannot be decoded ({type(cause).__name__})")
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._finished, error)

    def _decode(self) -> None:
        # with a fixed format, a playlist of other places is just a broken WebM
        options = {**OPTIONS, OPTION: str(self._max_side**2)}  # while it is probed; `bound` is for decoding
        with av.open(self._pipe, "r", format="matroska", options=options) as container:
            videos = container.streams.video
            if not videos:
                raise FeedError(Close.UNREADABLE, "the stream holds no video; record a video track")
            video = videos[0]
            _check_codec(_codec_of(video), VIDEO)
            check_size(video.width, video.height, self._max_side)
            video.codec_context.thread_count = 1
            bound(video.codec_context, self._max_side**2)
            audio = next((s for s in container.streams.audio if _codec_of(s) in AUDIO), None)
            streams = [video] if audio is None else [video, audio]
            broken = 0
            colours = container_colours(video)
            for packet in container.demux(streams):
                self._pipe.confirm()
                try:
                    frames = packet.decode()
                    broken = 0
                except FFmpegError as error:
                    if packet.stream is video:
                        check_refused(video.codec_context, bytes(packet), self._max_side**2)
                    broken += 1
                    if broken > MAX_BROKEN:
                        text = error.strerror or "damaged"
                        words = f"{broken} packets in a row do not decode ({text})"
                        raise FeedError(Close.UNREADABLE, words) from error
                    continue
                for frame in frames:
                    if isinstance(frame, av.VideoFrame):
                        check_size(frame.width, frame.height, self._max_side)
                        if colours is not None:
                            colours.tag(frame)
                        self._spread(frame)
                        self._pictures.put(frame)
                    elif isinstance(frame, av.AudioFrame):
                        self._sounds.put(frame)

    def _spread(self, frame: av.VideoFrame) -> None:
        """Wait until a frame is due, by its time after the one before; in the thread."""
        if frame.pts is None or frame.time_base is None:
            return
        pts_s = float(frame.pts * frame.time_base)
        if self._last is not None and self._pipe.waiting < HURRY:
            due_s = self._last[1] + min(max(0.0, pts_s - self._last[0]), SPREAD_S)
            self._stop.wait(max(0.0, due_s - time.monotonic()))
        self._last = pts_s, time.monotonic()


def _codec_of(stream: av.VideoStream | av.AudioStream) -> str:
    """The name of a stream's codec; PyAV has no context for one that this FFmpeg does not know."""
    return "of an unknown codec" if stream.codec_context is None else stream.codec_context.name


def _check_codec(name: str, known: frozenset[str]) -> None:
    if name not in known:
        raise FeedError(Close.UNREADABLE, f"the video is {name}; VP8, VP9, H.264 and AV1 are taken")
