"""A URL that a client named, pulled and decoded by a process of its own; its pictures become frames here.

*Bounds*: the pipe between the processes (64 KiB) and one message of at most 256 KiB; a process is killed if no picture
comes in time, and always at the end.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import numpy as np

from stream.core.quality_level import QualityLevel
from stream.errors import SourceError
from stream.sources.arrival import Arrival
from stream.sources.ended import STOPPED, Ended, lost, silent
from stream.sources.feed import ignore_call

from .child import CAME, END, ERROR, HEADER, NOTE, PICTURE, SENT_HEIGHT, SENT_WIDTH, SOUND, SOUND_HZ
from .confinement import environment

log = logging.getLogger(__name__)

MESSAGE_BYTES: Final = 256 * 1024
MOST_PASSED: Final = 1000  # frames between two pictures: what a stranger's video took over may claim
PICTURE_SHAPE: Final = (SENT_HEIGHT, SENT_WIDTH, 3)
MICROSECOND: Final = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class RemoteOptions:
    """``open_s``: to the first picture; ``idle_s``: from one to the next, while the process may connect again."""

    open_s: float = 25.0
    idle_s: float = 30.0


@dataclass(frozen=True)
class Listening:
    """``socket``: the descriptor of a bound socket that the process inherits, None where it binds one itself."""

    socket: int | None = None


class RemotePull:
    """One pulled URL, for its session. To be made on the event loop, where the callbacks are called.

    ``allowed`` are networks that may be reached though they are not public. ``on_end`` is called once,
    with the reason, unless `close` came first. With ``listening`` the URL is an address to listen on: the time to the
    first picture begins when a publisher has come.
    """

    def __init__(
        self,
        url: str,
        allowed: tuple[str, ...],
        on_frame: Callable[[Arrival], None],
        on_sound: Callable[[av.AudioFrame], None],
        on_end: Callable[[Ended], None],
        options: RemoteOptions | None = None,
        listening: Listening | None = None,
    ) -> None:
        self.connected = False
        request: dict[str, object] = {"url": url, "allowed": allowed}
        self._listening = listening
        if listening is not None:
            request |= {"listen": True, "socket": listening.socket}
        self._request = json.dumps(request).encode() + b"\n"
        self._on_frame = on_frame
        self._on_sound = on_sound
        self._on_end: Callable[[Ended], None] | None = on_end
        self._on_note: Callable[[str], None] = ignore_call
        self._options = options or RemoteOptions()
        self._opened: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    async def opened(self) -> None:
        """Return with the first picture. Raises SourceError with the reason if none comes."""
        reason = await asyncio.shield(self._opened)
        if reason is not None:
            raise SourceError(reason)

    def hear_notes(self, on_note: Callable[[str], None]) -> None:
        """Call ``on_note``, on the event loop, with notes on the stream for viewers."""
        self._on_note = on_note

    def follow(self, level: QualityLevel) -> None:
        """Does nothing: the process decodes in full at every level."""

    async def close(self) -> None:
        """Kill the process; idempotent, and ``on_end`` is not called any more."""
        self._on_end = None
        self.connected = False
        if self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._on_frame = self._on_sound = self._on_note = ignore_call

    async def _run(self) -> None:
        ended = lost("the session was ended")
        try:
            ended = await self._pull()
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            log.info("a pulling process failed: %r", error)
            ended = lost("the process that pulled the stream broke off")
        except Exception:  # whoever waits for the end must hear of it
            log.exception("what a pulling process sent was not dealt with")
            ended = lost("what came of the stream was not dealt with; the server's log says why")
        finally:
            if not self._opened.done():
                self._opened.set_result("the stream ended before its first picture" if ended.stopped else ended.text)
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(ended)
        self.connected = False

    async def _pull(self) -> Ended:
        """Run the process to its end; returns why it ended."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # import nothing from the working folder
            "-m",
            "stream.sources.sandbox.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=MESSAGE_BYTES,
            start_new_session=True,  # so that its own processes are killed with it
            env=environment(os.environ),
            pass_fds=self._inherited(),
        )
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(self._request)  # by the pipe: every user of the machine can see arguments
            await process.stdin.drain()
            return await self._read(process.stdout)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def _inherited(self) -> tuple[int, ...]:
        return () if self._listening is None or self._listening.socket is None else (self._listening.socket,)

    async def _read(self, pipe: asyncio.StreamReader) -> Ended:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._options.open_s if self._listening is None else None
        while True:
            try:
                async with asyncio.timeout_at(deadline_s):
                    kind, size, pts_us, passed = HEADER.unpack(await pipe.readexactly(HEADER.size))
                    if size > MESSAGE_BYTES:
                        raise ValueError(f"a message of {size} bytes")
                    data = await pipe.readexactly(size)
            except TimeoutError:
                waited_s = self._options.idle_s if self.connected else self._options.open_s
                return silent(waited_s)
            if kind == PICTURE:
                self._show(data, pts_us, min(passed, MOST_PASSED))
                deadline_s = loop.time() + self._options.idle_s
            elif kind == SOUND:
                self._play(data)
            elif kind == NOTE:
                log.info("pulled stream: %s", data.decode(errors="replace"))
                self._on_note(data.decode(errors="replace"))
            elif kind == CAME:
                deadline_s = loop.time() + self._options.open_s
            elif kind == ERROR:
                return lost(data.decode(errors="replace"))
            elif kind == END:
                return STOPPED
            else:
                raise ValueError(f"a message of kind {kind}")

    def _show(self, data: bytes, pts_us: int, passed: int) -> None:
        picture = np.frombuffer(data, np.uint8).reshape(PICTURE_SHAPE)
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts, frame.time_base = pts_us, MICROSECOND
        self.connected = True
        if not self._opened.done():
            self._opened.set_result(None)
        self._on_frame(Arrival(frame, passed))

    def _play(self, data: bytes) -> None:
        samples = np.frombuffer(data, np.int16)[None]
        if samples.size:
            sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            sound.sample_rate = SOUND_HZ
            self._on_sound(sound)
