"""The process that pulls one URL for a client: ``python -m stream.sources.sandbox.child``, started by
``remote_pull.py``.

If a hostile video breaks a decoder, it breaks it here. The request is a JSON line on standard input, which stays open:
when it is closed, this program ends. Output: pictures of twice the canonical size, at most 8 a second, and sound. The
pipe is the bound: while it is full, nothing is read.
"""

import json
import os
import random
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, BinaryIO, Final

import av
import numpy as np
from numpy.typing import NDArray

from features.decode.picture import Scaler
from features.errors import PictureError
from features.spec import PICTURE_HEIGHT, PICTURE_WIDTH
from stream.core.sampler import Sampler
from stream.errors import StreamError
from stream.sources.feed import MAX_PIXELS
from stream.sources.listen.address import parsed
from stream.sources.listen.opening import wait_at
from stream.sources.listen.ports import open_port
from stream.sources.pull.playback_clock import PlaybackClock, stands_s
from stream.sources.pull.pull import Pull, Telling, is_live
from stream.sources.pull.reconnect import Backoff, reconnecting

from .addresses import networks, without_secrets
from .confinement import confine
from .guarded import guarded

HEADER: Final = struct.Struct("!BIqI")  # kind, bytes that follow, microseconds, frames skipped before
PICTURE, SOUND, NOTE, ERROR, END, CAME = range(1, 7)
SOUND_HZ: Final = 16_000
SENT_WIDTH, SENT_HEIGHT = 2 * PICTURE_WIDTH, 2 * PICTURE_HEIGHT  # enough is left if bars are cut off
AGAIN_S: Final = 5.0
BACKOFF: Final = Backoff(first_s=0.5, most_s=4.0, tries=4)


def main() -> None:
    """Errors are reported by the last message, never by the exit code."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not get into the pipe
    say = Speaker(out)
    request = json.loads(sys.stdin.buffer.readline())
    try:
        lack = confine(shutil.which("ffmpeg") if request["url"].lower().startswith("srt:") else None)
        if lack:
            say(NOTE, f"the process can still open files: {lack}".encode())
        threading.Thread(target=_die_with_parent, daemon=True).start()
        if request.get("listen"):
            listen(request["url"], request["socket"], say)
        else:
            pull(request["url"], request["allowed"], say)
        say(END, b"")
    except (StreamError, PictureError) as error:
        say(ERROR, without_secrets(str(error)).encode()[:2000])
    except BrokenPipeError:
        pass
    except Exception as error:  # noqa: BLE001 - reported, not printed
        say(ERROR, f"the stream cannot be decoded ({type(error).__name__})".encode())
    out.close()
    os._exit(0)  # threads of FFmpeg may still hang in a read


class Speaker:
    """Writes messages to a pipe; blocks while it is full."""

    def __init__(self, out: BinaryIO | Any) -> None:
        self._out = out

    def __call__(self, kind: int, data: bytes, pts_us: int = 0, passed: int = 0) -> None:
        view = memoryview(HEADER.pack(kind, len(data), pts_us, passed) + data)
        while view:
            view = view[self._out.write(view) :]


def pull(url: str, allowed: list[str], say: Callable[..., None]) -> None:
    """Pictures and sound of ``url`` until it ends. Raises SourceError, BrokenPipeError."""
    opener = guarded(networks(allowed))
    note, hear = Notes(say), Sounds(say)
    first = Pull(url, 1, opener)
    waiting = [first]

    def open_again() -> Telling:
        return Telling(waiting.pop() if waiting else Pull(url, 1, opener), note, hear)

    def wait(seconds: float) -> bool:
        time.sleep(seconds)
        return True

    if first.endless:
        frames = reconnecting(open_again, BACKOFF, random.random, wait, lambda notice: note(notice.reason))
    else:
        frames = open_again().frames()
    _send(frames, first.held_s, is_live(url), say)
    if not first.endless and first.warning is not None:
        note(first.warning)


def listen(url: str, number: int | None, say: Callable[..., None]) -> None:
    """Pictures and sound of the next publisher that comes to ``url``, until it goes. Raises SourceError,
    BrokenPipeError. ``number``: the descriptor of the bound socket, None to bind here."""
    address = parsed(url)
    bound = open_port(address) if number is None else socket.socket(fileno=number)
    opened = wait_at(address, bound, lambda: say(CAME, b""))
    source = Pull(address.text, 1, lambda _: replace(opened, pixels=MAX_PIXELS))
    _send(Telling(source, Notes(say), Sounds(say)).frames(), source.held_s, True, say)


class Notes:
    """Sends notes for viewers."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say

    def __call__(self, text: str) -> None:
        self._say(NOTE, without_secrets(text).encode()[:2000])


class Sounds:
    """Sends sound, resampled."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._resampler = av.AudioResampler("s16", "mono", SOUND_HZ)

    def __call__(self, frame: av.AudioFrame) -> None:
        for part in self._resampler.resample(frame):
            self._say(SOUND, bytes(part.planes[0])[: 2 * part.samples])


def _send(frames: Generator[av.VideoFrame, None, None], held_s: float, is_live: bool, say: Callable[..., None]) -> None:
    """Send a picture for each free slot; what is not live, in its own time."""
    scaler = Scaler(SENT_WIDTH, SENT_HEIGHT)
    sampler, pace, passed = Sampler(held_s), PlaybackClock(time.monotonic(), held_s), 0
    screen = Screen(say)
    frame = None
    for frame in frames:
        if frame.pts is None or frame.time_base is None:
            continue
        if not is_live:
            screen.wait(pace.wait_s(frame.pts * frame.time_base, time.monotonic()))
        if sampler.offer(frame.pts, frame.time_base) is None:
            passed += 1
        else:
            screen.show(scaler.canonical(frame), round(frame.pts * frame.time_base * 1_000_000), passed)
            passed = 0
    if frame is not None and not is_live:
        screen.wait(stands_s(frame))


class Screen:
    """The picture on the screen. It is sent again while it is held for long, so that the stream does not count as
    silent."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._newest: tuple[bytes, int] | None = None

    def show(self, picture: NDArray[np.uint8], pts_us: int, passed: int) -> None:
        self._newest = picture.tobytes(), pts_us
        self._say(PICTURE, *self._newest, passed)

    def wait(self, seconds: float) -> None:
        """Wait until the next picture is due."""
        for count in range(1, int(seconds / AGAIN_S) + 1):
            time.sleep(AGAIN_S)
            if self._newest is not None and count * AGAIN_S < seconds:
                data, pts_us = self._newest
                self._say(PICTURE, data, pts_us + round(count * AGAIN_S * 1_000_000))
        time.sleep(seconds % AGAIN_S)


def _die_with_parent() -> None:
    sys.stdin.buffer.read()
    if os.name == "posix" and os.getpgrp() == os.getpid():  # a waiting ffmpeg would hold its port for ever
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
