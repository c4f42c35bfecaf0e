"""Single pictures from a socket: each message is a header and one JPEG or WebP image.

A picture waits in a slot of capacity 1 (the newest wins, replaced ones are counted) while the one before is decoded, in
a thread. Of a fast client's pictures only one per half slot of 1/8 s is decoded: the sampler wants no more.
"""

import asyncio
import contextlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
from av.error import FFmpegError

from features.spec import MOTION_FPS
from stream.close_codes import Close
from stream.sources.arrival import Arrival
from stream.sources.decoder_bounds import bound, check_refused
from stream.sources.feed import FeedError, check_message, check_size, ignore_call

HEADER: Final = struct.Struct("!BBHQ")  # version, codec, reserved, microseconds
VERSION: Final = 1
CODECS: Final = {1: "mjpeg", 2: "webp"}
NAMES: Final = {1: "JPEG", 2: "WebP"}
TIME_BASE: Final = Fraction(1, 1_000_000)
MAX_PTS: Final = 2**53 - 1  # largest integer that is exact in a browser; 285 years
STEP_US: Final = 1_000_000 // (2 * MOTION_FPS)


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One message taken apart: ``codec`` is a key of `CODECS`, ``pts_us`` its time in microseconds."""

    codec: int
    pts_us: int
    data: bytes


def pack_picture(codec: int, pts_us: int, data: bytes) -> bytes:
    """The message for an encoded image; what `parse_picture` reads."""
    return HEADER.pack(VERSION, codec, 0, pts_us) + data


def parse_picture(message: bytes) -> EncodedPicture:
    """Read a picture's message; the image itself is not checked. Raises FeedError for other messages."""
    check_message(len(message))
    if len(message) <= HEADER.size:
        raise FeedError(
            Close.BAD_MESSAGE, f"a message of {len(message)} bytes: {HEADER.size} of header and an image are due"
        )
    version, codec, reserved, pts_us = HEADER.unpack_from(message)
    if version != VERSION:
        raise FeedError(Close.BAD_MESSAGE, f"a picture's header has version {version}; this server reads {VERSION}")
    if codec not in CODECS:
        raise FeedError(Close.UNREADABLE, f"a picture's codec is {codec}; 1 (JPEG) and 2 (WebP) are taken")
    if reserved != 0:
        raise FeedError(Close.BAD_MESSAGE, f"a picture's header has {reserved} in its reserved field; send 0")
    if pts_us > MAX_PTS:
        raise FeedError(Close.BAD_MESSAGE, f"a picture's time is {pts_us}; microseconds below 2^53 are taken")
    return EncodedPicture(codec, pts_us, message[HEADER.size :])


class PictureDecoder:
    """Images -> frames; keeps a decoder for each codec. To be used by one thread at a time."""

    def __init__(self) -> None:
        self._contexts: dict[int, av.VideoCodecContext] = {}

    def decode(self, picture: EncodedPicture) -> av.VideoFrame:
        """The frame with the message's time. Raises FeedError for an image that cannot be read or is too large."""
        context = self._contexts.get(picture.codec) or self._open(picture.codec)
        frame = None
        with contextlib.suppress(FFmpegError):
            frame = next(iter(context.decode(av.Packet(picture.data))), None)
        if frame is None:
            del self._contexts[picture.codec]  # its state cannot be trusted any more
            check_refused(context, picture.data)
            raise FeedError(
                Close.UNREADABLE, f"a picture is no {NAMES[picture.codec]} that can be decoded; check codec and encoder"
            )
        check_size(frame.width, frame.height)
        frame.pts, frame.time_base = picture.pts_us, TIME_BASE
        return frame

    def _open(self, codec: int) -> av.VideoCodecContext:
        context = av.CodecContext.create(CODECS[codec], "r")
        assert isinstance(context, av.VideoCodecContext)
        context.thread_count = 1  # several threads return frames late
        bound(context)
        self._contexts[codec] = context
        return context


class PictureFeed:
    """``on_frame`` is called on the event loop with every decoded frame; ``on_error`` once, with what ended the feed.

    Pictures that came too fast are skipped undecoded, and pictures that a newer one replaced are lost; the next frame
    carries both counts.
    """

    def __init__(self, on_frame: Callable[[Arrival], None], on_error: Callable[[FeedError], None]) -> None:
        self._passed = self._lost = 0  # since the newest frame
        self._on_frame = on_frame
        self._on_error = on_error
        self._decoder = PictureDecoder()
        self._slot: EncodedPicture | None = None  # capacity 1, newest wins
        self._last_us: int | None = None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = asyncio.create_task(self._work())

    def put(self, message: bytes) -> None:
        """Take a message; never blocks. Raises FeedError for one that is no picture's."""
        picture = parse_picture(message)
        if self._last_us is not None and 0 <= picture.pts_us - self._last_us < STEP_US:
            self._passed += 1
            return
        self._last_us = picture.pts_us
        self._lost += self._slot is not None
        self._slot = picture
        self._idle.clear()
        self._wake.set()

    async def finish(self, timeout_s: float) -> None:
        """No more pictures come: wait, for a bounded time, until the waiting one is decoded."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    async def close(self) -> None:
        """Stop; no callback comes afterwards. Idempotent."""
        self._on_frame = self._on_error = ignore_call
        task, self._task = self._task, None  # a cancelled task holds its frames, and so this feed
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            picture, self._slot = self._slot, None
            if picture is None:
                continue
            try:
                frame = await asyncio.to_thread(self._decoder.decode, picture)
            except FeedError as error:
                self._idle.set()
                return self._on_error(error)
            except Exception as error:  # noqa: BLE001 - any error of a decoder ends this client alone
                self._idle.set()
                return self._on_error(
                    FeedError(Close.UNREADABLE, f"a picture cannot be decoded ({type(error).__name__})")
                )
            arrival = Arrival(frame, self._passed, replaced=self._lost)
            self._passed = self._lost = 0
            self._on_frame(arrival)
            if self._slot is None:
                self._idle.set()
