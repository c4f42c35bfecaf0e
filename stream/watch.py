"""A file or URL through the whole path: as fast as possible, or in its own time.

``watch_fast`` is synchronous and deterministic: it offers every frame to the sampler, waits for every answer and reads
no clock. ``watch_paced`` feeds a ``LiveDriver`` as a live input would, from one reader thread; it opens a live source
again when it breaks off.
"""

import asyncio
import contextlib
import math
import random
import threading
import time
from collections.abc import Callable, Generator
from functools import partial

import av

from features.frame import FrameFeatures
from stream.core.events import End, Notice, Warned
from stream.core.session import SessionOptions
from stream.driver.immediate import ImmediateDriver
from stream.driver.live import LiveDriver
from stream.driver.runtime import Runtime
from stream.driver.stopwatch import DECODE, SILENT, Stopwatch
from stream.recording.recorder import Recorder
from stream.sinks.base import Sink, Sinks
from stream.sources.arrival import Arrival
from stream.sources.pull.playback_clock import PlaybackClock, stands_s
from stream.sources.pull.pull import Pull, Telling, is_live
from stream.sources.pull.reconnect import Backoff, reconnecting

from .watch_live import watch_live

Frames = Generator[av.VideoFrame, None, None]


def watch_fast(
    pull: Pull,
    runtime: Runtime,
    options: SessionOptions,
    sink: Sink,
    stopwatch: Stopwatch = SILENT,
    recorder: Recorder | None = None,
    analysed: Callable[[FrameFeatures], object] = lambda features: None,
) -> None:
    """Send ``sink`` all notices of the input. ``late_ms`` stays None: the same input gives the same events.
    ``analysed`` gets the features of each sampled frame."""
    sinks = _WarnedBeforeEnd(pull, Sinks(() if recorder is None else (recorder,), needed=[sink]))
    driver = ImmediateDriver(runtime, options, sinks.put, stopwatch=stopwatch, recorder=recorder, held_s=pull.held_s)
    session, sampler = driver.session, driver.sampler

    def pass_time(before_s: float, now_s: float) -> None:
        """While a picture is held, each second without a new one still gets its list."""
        for second in range(math.floor(before_s) + 1, math.floor(now_s) + 1 if now_s - before_s > 1.0 else 0):
            driver.handle(session.tick(float(second)))

    last_s = 0.0  # how long the newest picture is shown
    for frame in _time_frames(pull.frames(tell=lambda text: sinks.put(Warned(text))), stopwatch):
        before_s = sampler.elapsed_s
        sampled = driver.sample(frame)
        if not sampled.restarted:
            pass_time(before_s, sampler.elapsed_s)
        if sampled.slot is not None:
            analysis = driver.analyzer.analyze(frame, sampler.elapsed_s)
            analysed(analysis.features)
            driver.push(analysis, sampled.slot)
        last_s = stands_s(frame)
    pass_time(sampler.elapsed_s, sampler.elapsed_s + last_s)
    if last_s > 1.0:
        driver.handle(session.tick(sampler.elapsed_s + last_s))
    driver.handle(session.finish(sampler.frames, sampler.stale + sampler.undated))
    driver.close()


async def watch_paced(
    pull: Pull,
    source: str,
    runtime: Runtime,
    options: SessionOptions,
    sink: Sink,
    stopwatch: Stopwatch = SILENT,
    recorder: Recorder | None = None,
) -> None:
    """The same in real time, through a ``LiveDriver``; returns after its ``End``.

    Raises SourceError when the input has no video; a failure inside the session raises RuntimeError.
    """
    loop, stop = asyncio.get_running_loop(), threading.Event()

    async def feed(live: LiveDriver, sinks: Sink) -> None:
        frames = _time_frames(_frames(pull, source, stop, loop, sinks), stopwatch)
        reading = loop.create_task(asyncio.to_thread(_read, frames, not is_live(source), loop, live, stop, pull.held_s))
        try:
            await asyncio.shield(reading)
        finally:
            stop.set()
            await asyncio.gather(reading, return_exceptions=True)

    warned = partial(_WarnedBeforeEnd, pull)
    await watch_live(feed, runtime, options, sink, recorder, stopwatch=stopwatch, around=warned)


class _WarnedBeforeEnd:
    """``sink``, with a warning about damaged input before ``End``."""

    def __init__(self, pull: Pull, sink: Sink) -> None:
        self._pull, self._sink = pull, sink

    def put(self, notice: Notice) -> None:
        if isinstance(notice, End) and self._pull.warning is not None:
            self._sink.put(Warned(self._pull.warning))
        self._sink.put(notice)


def _frames(pull: Pull, source: str, stop: threading.Event, loop: asyncio.AbstractEventLoop, sink: Sink) -> Frames:
    """The frames of ``pull`` and, if it is a live source, of each pull that replaces a lost one; for the reader's
    thread."""
    first = [pull]

    def tell(notice: Warned) -> None:
        loop.call_soon_threadsafe(sink.put, notice)

    def open_again() -> Telling:
        return Telling(first.pop() if first else Pull(source), lambda text: tell(Warned(text)))

    if not pull.endless:
        return open_again().frames()
    return reconnecting(open_again, Backoff(), random.random, lambda seconds: not stop.wait(seconds), tell)


def _read(
    frames: Frames,
    paced: bool,
    loop: asyncio.AbstractEventLoop,
    live: LiveDriver,
    stop: threading.Event,
    held_s: float,
) -> None:
    """Decode in a thread and hand over one frame at a time. With ``paced``, hand over each when its time has come, and
    return when the last one has been shown for its whole duration."""
    pace = PlaybackClock(time.monotonic(), held_s)
    with contextlib.closing(frames):  # closes pulls that were opened again, too
        frame = None
        for frame in frames:
            if paced and frame.pts is not None and frame.time_base is not None:
                stop.wait(pace.wait_s(frame.pts * frame.time_base, time.monotonic()))
            if stop.is_set():
                return
            handed_over = threading.Event()
            loop.call_soon_threadsafe(_hand_over, live, frame, handed_over)
            while not handed_over.wait(0.1):  # the loop takes a frame at once, unless it has ended
                if stop.is_set():
                    return
        if paced and frame is not None:
            stop.wait(stands_s(frame))


def _hand_over(live: LiveDriver, frame: av.VideoFrame, handed_over: threading.Event) -> None:
    live.offer(Arrival(frame))
    handed_over.set()


def _time_frames(frames: Frames, stopwatch: Stopwatch) -> Frames:
    """The frames; the stopwatch gets the time that each took to read and decode."""
    with contextlib.closing(frames):
        while True:
            begun = stopwatch.start()
            frame = next(frames, None)
            if frame is None:
                return
            stopwatch.lap(DECODE, begun)
            yield frame
