"""Decodes frames in threads; only those that the sampler may want wake the event loop, the others are counted.

aiortc makes a task on the event loop for every decoded frame. Of 30 frames a second at most 8 are used, chosen by their
timestamps: so the choice is made in the decoder's thread, and the loop gets the number of the others.

*Bound*: `BACKLOG` encoded frames wait for a decoder, for at most `BEHIND_S`. Beyond either, frames are skipped and
counted, up to the next key frame, which is requested of the publisher; aiortc has no such bound. Newest wins: a burst
that is decoded in time costs nothing, and no picture is decoded that has waited longer.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

import av

from features.decode.colours import Colours
from stream.sources.arrival import Arrival, Sieve
from stream.sources.feed import MAX_PIXELS, FeedError, check_size

from . import aiortc_compat
from .aiortc_compat import JitterFrame
from .decoder_queue import DecoderQueue
from .jitter import ArrivedFrame
from .payload import H264, VP8
from .picture_size import sizes_of
from .requests import KeyFrameRequests

log = logging.getLogger(__name__)

BACKLOG: Final = 150  # 5 s at 30 frames a second
BEHIND_S: Final = 1.0
H264_KEY: Final = (5, 7)  # NAL units of an IDR picture, and of the parameters that precede one (RFC 6184)


@dataclass(frozen=True, slots=True)
class Refused:
    """No more pictures of this video are decoded, for a reason in words."""

    reason: str


class WantedFrames(asyncio.Queue[Arrival | Refused | None]):
    """Replaces a video track's queue. ``sieve`` and ``newest_s`` (of the monotonic clock, when a frame was
    decoded) are written by the decoder's thread alone, and may be read anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.sieve = Sieve()
        self.newest_s = 0.0
        self.deblock = True  # set by the reader; used from the next key frame on
        self.requests = KeyFrameRequests()

    def arrival(self, frame: av.VideoFrame, arrived_s: float | None) -> Arrival | None:
        """The arrival of a decoded frame, if it is to be handed on; without ``arrived_s`` it arrived now."""
        self.newest_s = time.monotonic()
        return self.sieve.take(frame, self.newest_s if arrived_s is None else arrived_s)


class FrameDecoder:
    """aiortc's decoder of a codec, on one thread; without ``deblock`` H.264 keeps the edges of its blocks."""

    def __init__(self, codec: Any, deblock: bool) -> None:
        self.name, self.deblock = codec.name, deblock
        self._decoder: Any = aiortc_compat.decoder_for(codec)
        context = getattr(self._decoder, "codec", None)
        if isinstance(context, av.VideoCodecContext):
            context.thread_count = 1  # the default, a thread a core for every stream, is a tenth slower
            quick = {"skip_loop_filter": "all"} if not deblock and self.name.upper() == H264 else {}
            context.options = {"max_pixels": str(MAX_PIXELS), **quick}

    def decode(self, frame: JitterFrame) -> list[Any]:
        frames: list[Any] = self._decoder.decode(frame)
        return frames


class Decoding:
    """The decoding of one receiver: its encoded frames in, the wanted pictures out. One thread at a time.

    ``waiting`` returns how many encoded frames wait behind the present one; ``failed`` requests a key frame of the
    publisher.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        frames: "asyncio.Queue[Any]",
        failed: threading.Event,
        waiting: Callable[[], int],
    ) -> None:
        self._loop, self._frames, self._failed, self._waiting = loop, frames, failed, waiting
        self._queue = frames if isinstance(frames, WantedFrames) else None
        self._decoder: FrameDecoder | None = None
        self._until_key = False  # skip all frames before the next key frame
        self._refused = False
        self._key_frame_requested = False  # to change how to decode from it on
        self._colours: Colours | None = None  # of VP8, from the newest key frame or a later frame

    def take(self, codec: Any, frame: JitterFrame) -> bool:
        """Decode a frame and those behind it, and hand on the wanted pictures; True if all were skipped, which takes no
        time. A frame that cannot be decoded is logged, and a key frame is requested."""
        frames = frame.each() if isinstance(frame, ArrivedFrame) else [frame]
        passed_over = [self._take(codec, encoded) for encoded in frames]
        return all(passed_over)

    def _take(self, codec: Any, frame: JitterFrame) -> bool:
        """Skips an empty frame: for FFmpeg it would be the end of the stream."""
        if not frame.data or self._refused:
            return True
        queue = self._queue
        if queue is not None and (reason := too_large(codec.name, frame.data)):
            log.info("the %s video is refused: %s", codec.name, reason)
            self._refused = True
            self._deliver(Refused(reason))
            return True
        if queue is not None and not self._due(codec.name, frame):
            self._pass_over(queue)
            return True
        try:
            decoded = self._fit(codec, frame.data).decode(frame)
        except av.FFmpegError as error:  # the decoder is kept: with a new one, every frame up to a key frame would fail
            log.info("a %s frame cannot be decoded: %s", codec.name, error)
            if isinstance(error, EOFError):  # it takes no more frames
                self._decoder = None
            if queue is not None:
                queue.requests.failed(is_key(codec.name, frame.data))
            self._failed.set()
            return False
        if queue is not None and decoded:
            queue.requests.decoded(not queue.requests.answered and is_key(codec.name, frame.data))
        colours = self._colours_of(codec.name, frame)
        for picture in decoded:
            if colours is not None and isinstance(picture, av.VideoFrame):
                colours.tag(picture)
            if queue is None or not isinstance(picture, av.VideoFrame):
                self._deliver(picture)
            elif (arrival := queue.arrival(picture, getattr(frame, "arrived_s", None))) is not None:
                self._deliver(arrival)
        return False

    def end(self) -> None:
        """Signal the end."""
        self._deliver(None)

    def _due(self, codec: str, frame: JitterFrame) -> bool:
        """Whether to decode a frame: not while too many wait or it has waited too long, and after that not before a key
        frame that has not."""
        waiting, arrived_s = self._waiting(), getattr(frame, "arrived_s", None)
        waited_s = 0.0 if arrived_s is None else time.monotonic() - arrived_s
        if waiting >= BACKLOG or waited_s > BEHIND_S:
            self._until_key = True
        elif self._until_key and is_key(codec, frame.data):
            self._until_key = waiting > 0 if arrived_s is None else waited_s > BEHIND_S / 2
        return not self._until_key

    def _colours_of(self, codec: str, frame: JitterFrame) -> Colours | None:
        """The frame's colours by the publisher, if the frame itself has none."""
        if codec.upper() != VP8:
            return None
        colours = getattr(frame, "colours", None)
        if colours is not None or is_key(codec, frame.data):
            self._colours = colours
        return self._colours

    def _pass_over(self, queue: WantedFrames) -> None:
        """Count a skipped frame. ``newest_s`` stays: a publisher without key frames is given up like a silent one."""
        queue.sieve.lose()
        queue.requests.failed(key=False)
        self._failed.set()

    def _fit(self, codec: Any, data: bytes) -> FrameDecoder:
        """The decoder for the frame: a new one after a change of codec, or at a key frame after a change of
        ``deblock``."""
        deblock = self._queue is None or self._queue.deblock or codec.name.upper() != H264  # only H.264 has a choice
        decoder = self._decoder
        if decoder is None or codec.name != decoder.name:
            decoder = FrameDecoder(codec, deblock)
        elif deblock != decoder.deblock:
            if is_key(codec.name, data):
                decoder, self._key_frame_requested = FrameDecoder(codec, deblock), False
            elif not self._key_frame_requested:
                self._failed.set()
                self._key_frame_requested = True
        self._decoder = decoder
        return decoder

    def _deliver(self, frame: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._frames.put_nowait, frame)


def decode_on(
    loop: asyncio.AbstractEventLoop, input_q: Any, output_q: "asyncio.Queue[Any]", decode_error: threading.Event
) -> None:
    """A decoder's thread that replaces aiortc's: decodes the frames of ``input_q`` up to None. With a `DecoderQueue` it
    only waits until that has decoded them."""
    decoding = Decoding(loop, output_q, decode_error, input_q.qsize)
    if isinstance(input_q, DecoderQueue):
        input_q.serve(decoding.take)
    else:
        while (task := input_q.get()) is not None:
            decoding.take(*task)
    decoding.end()


def too_large(codec: str, data: bytes) -> str:
    """Why pictures of a frame's announced size are not decoded, in words; empty if they are, or it announces none."""
    try:
        for width, height in sizes_of(codec.upper(), data):
            check_size(width, height)
    except FeedError as error:
        return str(error)
    return ""


def is_key(codec: str, data: bytes) -> bool:
    """Whether an encoded frame can be decoded without those before it: H.264 in Annex B form, VP8 (RFC 7741)."""
    if codec.upper() == H264:
        units = data.split(b"\x00\x00\x01")[1:]
        return any(unit and unit[0] & 0x1F in H264_KEY for unit in units)
    return bool(data) and not data[0] & 1


def decode_in_turns(receiver: Any, threads: Executor) -> None:
    """Let a receiver whose decoder has not begun share ``threads`` with others. More calls change nothing."""
    if not isinstance(aiortc_compat.waiting_of(receiver), DecoderQueue):
        aiortc_compat.wait_in(receiver, DecoderQueue(threads))


def decode_apart() -> None:
    """Let decoders' threads that start from now on, in this whole process, run `decode_on`. More calls change
    nothing."""
    aiortc_compat.decode_with(decode_on)
