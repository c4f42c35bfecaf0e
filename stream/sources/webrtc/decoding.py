"""What a decoder's thread does with its frames: most are counted, and only those that are wanted wake the event loop.

aiortc makes a task on the event loop for every decoded frame. Of 30 frames a second at most 8 are looked at, and which
ones their timestamps tell: so that is asked in the thread, and the loop hears of the others as a number.

*Bound*: `BACKLOG` encoded frames wait for a decoder. Beyond that, what waits is dropped up to the next key frame, and
the publisher is asked for one; aiortc has no such bound.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from typing import Any, Final

import av
from aiortc import rtcrtpreceiver
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterFrame

from stream.core.sampler import Sampler

log = logging.getLogger(__name__)

BACKLOG: Final = 150  # 5 s at 30 frames a second
H264_KEY: Final = (5, 7)  # NAL units of an IDR picture, and of the parameters that precede one (RFC 6184)


class WantedFrames(asyncio.Queue[av.VideoFrame | None]):
    """In the place of a video track's queue. ``decoded`` and ``newest_s`` (of the monotonic clock) are written by the
    decoder's thread alone, and may be read anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.decoded = 0
        self.newest_s = 0.0
        self._sampler = Sampler()

    def wants(self, frame: av.VideoFrame) -> bool:
        """Note a frame; whether it is to be looked at. Those with bad times are, since they are counted there."""
        sampler = self._sampler
        odd = sampler.stale + sampler.undated
        wanted = sampler.offer(frame.pts, frame.time_base) is not None or odd != sampler.stale + sampler.undated
        self.newest_s = time.monotonic()
        self.decoded += 1
        return wanted


def decode_on(
    loop: asyncio.AbstractEventLoop,
    encoded: "queue.Queue[tuple[Any, JitterFrame] | None]",
    frames: "asyncio.Queue[Any]",
    failed: threading.Event,
) -> None:
    """A decoder's thread, in the place of aiortc's: the same, but for what is said above. ``failed`` asks the
    publisher for a key frame. Ends with None in ``encoded``."""
    name, decoder = "", None
    wanted = frames if isinstance(frames, WantedFrames) else None
    dropping = False
    while (task := encoded.get()) is not None:
        codec, frame = task
        if encoded.qsize() >= BACKLOG and wanted is not None:
            dropping = True
        if dropping:
            if encoded.qsize() or not is_key(codec.name, frame.data):
                failed.set()
                continue
            dropping = False
        if codec.name != name:
            name, decoder = codec.name, get_decoder(codec)
        assert decoder is not None
        try:
            decoded = decoder.decode(frame)
        except av.FFmpegError as error:  # its state is kept: without, every frame up to a key frame would fail
            log.info("a %s frame cannot be decoded: %s", name, error)
            failed.set()
            continue
        for one in decoded:
            if wanted is None or not isinstance(one, av.VideoFrame) or wanted.wants(one):
                _hand(loop, frames, one)
    _hand(loop, frames, None)


def is_key(codec: str, data: bytes) -> bool:
    """Whether an encoded frame can be decoded without those before it: H.264 in Annex B form, VP8 (RFC 7741)."""
    if codec.upper() == "H264":
        units = data.split(b"\x00\x00\x01")[1:]
        return any(unit and unit[0] & 0x1F in H264_KEY for unit in units)
    return bool(data) and not data[0] & 1


def _hand(loop: asyncio.AbstractEventLoop, frames: "asyncio.Queue[Any]", frame: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to look
        loop.call_soon_threadsafe(frames.put_nowait, frame)


def decode_apart() -> None:
    """Let decoders' threads begun from now on, in this whole process, work so. More calls change nothing."""
    module: Any = rtcrtpreceiver
    module.decoder_worker = decode_on
