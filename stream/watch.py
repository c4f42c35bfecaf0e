"""A file or URL through the whole path: as fast as it goes, or in its own time.

``watch_fast`` is synchronous and deterministic: every frame is offered to the sampler, every answer is waited for, no
clock is read. ``watch_paced`` feeds a ``LiveSession`` as a live input would, from one reader thread; what is on air and
breaks off is opened again.
"""

import asyncio
import contextlib
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import av

from features.frame import FrameFeatures
from stream.core.events import End, Event, Failed, Notice, Question, Suggestions, Warned
from stream.core.sampler import Discontinuity, Sampler
from stream.core.session import Session, SessionOptions
from stream.live import LiveOptions, LiveSession
from stream.recording.recorder import Recorder
from stream.runtime import Runtime, needs_small
from stream.sources.pace import Pace, stands_s
from stream.sources.pull import Pull, Telling, is_live
from stream.sources.reconnect import Backoff, reconnecting
from stream.stages import Look, Probe, answer

WORKERS: Final = 2  # one for pixels, one for answers

Publish = Callable[[Notice], None]


def watch_fast(
    pull: Pull,
    runtime: Runtime,
    options: SessionOptions,
    publish: Publish,
    probe: Probe | None = None,
    recorder: Recorder | None = None,
    looked: Callable[[FrameFeatures], object] | None = None,
) -> None:
    """Publish everything that the input gives rise to. ``late_ms`` stays None: the same input, the same events.
    ``looked`` is given the features of each frame that was looked at."""
    session = (Session if recorder is None else recorder.session)(runtime.model, options)
    sampler = Sampler(pull.held_s)
    look = Look(probe, needs_small(runtime.model), None if recorder is None else recorder.keep)
    publish = _warn_before_end(pull, publish if recorder is None else recorder.listen(publish))

    def drive(events: Sequence[Event]) -> None:
        waiting = deque(events)
        while waiting:
            event = waiting.popleft()
            if isinstance(event, Question):
                outputs = answer(runtime, event, probe)
                begun = time.perf_counter() if probe is not None else 0.0
                following = session.result(event.id, outputs)
                if probe is not None and any(isinstance(each, Suggestions) for each in following):
                    probe("rank", time.perf_counter() - begun)
                waiting.extend(following)
            elif probe is None:
                publish(event)
            else:
                begun = time.perf_counter()
                publish(event)
                probe("publish", time.perf_counter() - begun)

    def pass_time(before_s: float, now_s: float) -> None:
        """A picture is held: each second in which nothing comes has its list."""
        for second in range(math.floor(before_s) + 1, math.floor(now_s) + 1 if now_s - before_s > 1.0 else 0):
            drive(session.tick(float(second)))

    last_s = 0.0  # how long the newest picture stands
    for frame in _timed(pull.frames(tell=lambda text: publish(Warned(text))), probe):
        before_s = sampler.elapsed_s
        slot = sampler.offer(frame.pts, frame.time_base)
        if isinstance(slot, Discontinuity):
            look.restart()
            drive(session.reset(slot.reason))
            slot = slot.slot
        else:
            pass_time(before_s, sampler.elapsed_s)
        if slot is not None:
            found = look.look(frame, sampler.elapsed_s)
            if found.revised:
                drive(session.revise(found.revised))
            if looked is not None:
                looked(found.features)
            drive(session.push(found.features, slot))
        last_s = stands_s(frame)
    pass_time(sampler.elapsed_s, sampler.elapsed_s + last_s)
    if last_s > 1.0:
        drive(session.tick(sampler.elapsed_s + last_s))
    drive(session.finish(sampler.frames, sampler.stale + sampler.undated))


async def watch_paced(
    pull: Pull,
    source: str,
    runtime: Runtime,
    options: SessionOptions,
    publish: Publish,
    probe: Probe | None = None,
    recorder: Recorder | None = None,
) -> None:
    """The same in real time, through a ``LiveSession``; returns after its ``End``.

    Raises SourceError when the input turns out to hold nothing; a failure inside the session raises RuntimeError.
    """
    loop = asyncio.get_running_loop()
    failures: list[str] = []
    gone: list[OSError] = []
    publish = _warn_before_end(pull, publish if recorder is None else recorder.listen(publish))

    def listen(notice: Notice) -> None:
        if isinstance(notice, Failed):
            failures.append(notice.reason)
        try:
            publish(notice)
        except OSError as error:  # the reader of our lines went away: to be told as such, not as a failed session
            gone.append(error)
            raise

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="watch") as workers:
        live = LiveSession(
            runtime, LiveOptions(session=options), listen, workers=workers, probe=probe, recorder=recorder
        )
        running = loop.create_task(live.run())
        stop = threading.Event()
        frames = _frames(pull, source, stop, loop, listen)
        timed = _timed(frames, probe)
        reader = loop.create_task(asyncio.to_thread(_read, timed, not is_live(source), loop, live, stop, pull.held_s))
        try:
            await asyncio.wait({running, reader}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            await live.close()
            await asyncio.gather(running, reader, return_exceptions=True)
    if (error := reader.exception()) is not None:
        raise error
    if gone:
        raise gone[0]
    if failures:
        raise RuntimeError(failures[0])


def _frames(
    pull: Pull, source: str, stop: threading.Event, loop: asyncio.AbstractEventLoop, publish: Publish
) -> Iterator[av.VideoFrame]:
    """The frames of ``pull``, and, if it is on air, of what is opened in its place whenever it is lost; for the
    reader's thread."""
    first = [pull]

    def tell(notice: Warned) -> None:
        loop.call_soon_threadsafe(publish, notice)

    def open_again() -> Telling:
        return Telling(first.pop() if first else Pull(source), lambda text: tell(Warned(text)))

    if not pull.endless:
        return open_again().frames()
    return reconnecting(open_again, Backoff(), random.random, lambda seconds: not stop.wait(seconds), tell)


def _read(
    frames: Generator[av.VideoFrame, None, None],
    paced: bool,
    loop: asyncio.AbstractEventLoop,
    live: LiveSession,
    stop: threading.Event,
    held_s: float,
) -> None:
    """Decode in a thread and hand over one frame at a time; with ``paced``, each when its time has come, and an end
    when the last one has stood for as long as it should."""
    pace = Pace(time.monotonic(), held_s)
    with contextlib.closing(frames):  # what was opened again is let go of
        frame = None
        for frame in frames:
            if paced and frame.pts is not None and frame.time_base is not None:
                stop.wait(pace.wait_s(frame.pts * frame.time_base, time.monotonic()))
            if stop.is_set():
                return
            taken = threading.Event()
            loop.call_soon_threadsafe(_hand_over, live, frame, taken)
            while not taken.wait(0.1):  # the loop takes a frame at once, unless it is gone
                if stop.is_set():
                    return
        if paced and frame is not None:
            stop.wait(stands_s(frame))


def _hand_over(live: LiveSession, frame: av.VideoFrame, taken: threading.Event) -> None:
    live.offer(frame)
    taken.set()


def _warn_before_end(pull: Pull, publish: Publish) -> Publish:
    """The same, with a word about damaged input ahead of ``End``."""

    def say(notice: Notice) -> None:
        if isinstance(notice, End) and pull.warning is not None:
            publish(Warned(pull.warning))
        publish(notice)

    return say


def _timed(frames: Iterator[av.VideoFrame], probe: Probe | None) -> Generator[av.VideoFrame, None, None]:
    """The frames, with the time that each took to read and decode given to the probe."""
    if probe is None:
        yield from frames
        return
    while True:
        begun = time.perf_counter()
        frame = next(frames, None)
        if frame is None:
            return
        probe("decode", time.perf_counter() - begun)
        yield frame
