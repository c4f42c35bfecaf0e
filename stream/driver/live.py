"""One live input in real time: frames in at any rate, events out, and the event loop never blocked.

A frame waits in a slot of capacity 1 (the newest wins, replaced ones are counted). The sampler decides by its timestamp
before any pixel is converted; pixels, features and inference run in threads of the shared executor, one conversion and
one hop at a time. The session itself is touched on the event loop only, so it needs no lock.

*Deadline*: a hop whose networks have not run before its deadline (``useful_hops``) is given up and counted as skipped;
the hop of the newest second begins instead. Each time the next hop gets twice as long, up to ``PATIENCE`` times, and
half of that after a hop that succeeds: where the machine cannot keep up, lists come less often rather than not at all.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from typing import Any, Final

import av

from catalog.errors import SearchIndexError
from engines.errors import EngineBusy, EngineFailed
from features.spec import MOTION_FPS
from stream.core.events import (
    Answer,
    End,
    Event,
    Failed,
    GivenUp,
    Infer,
    Notice,
    Question,
    Suggestions,
    ViewerState,
)
from stream.core.quality_level import FULL, QualityLevel
from stream.core.session import SessionOptions
from stream.recording.recorder import Recorder
from stream.sinks.base import Sink, Sinks
from stream.sources.arrival import Arrival

from .asking import Asking
from .driver import SessionDriver
from .due_times import DueTimes
from .index_away import IndexAway
from .runtime import Runtime
from .stopwatch import SILENT, Stopwatch

Clock = Callable[[], float]

SOUND_FRAMES: Final = 200  # 4 s of sound by WebRTC
OVER_S: Final = 0.001  # behind the end of a second, so that it is surely over
PATIENCE: Final = 8
FAILURES: Final = 10  # of the engine in a row, one a hop; one more ends the session

logger = logging.getLogger("segue.live")


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """``tick_s``: while no frame comes, the session's time goes on at least that often, and with the end of each
    second. ``finish_s``: the longest wait at the end for the answers still under way. ``useful_hops``: for so many hops
    after it began a hop may still wait for the engine; with two or more it would cost the hop that waits behind it."""

    session: SessionOptions = field(default_factory=SessionOptions)
    tick_s: float = 0.25
    finish_s: float = 2.0
    useful_hops: float = 2.0


@dataclass(slots=True)
class LiveStats:
    """Counts since the start. ``late_ms`` is that of the newest suggestions."""

    frames: int = 0
    replaced: int = 0
    sampled: int = 0
    stale: int = 0
    undated: int = 0
    undecoded: int = 0
    suggestions: int = 0
    skipped_hops: int = 0
    resets: int = 0
    late_hops: int = 0  # of the skipped ones, those given up because the engine was too slow
    failed_hops: int = 0  # of the skipped ones, those in which the engine failed
    late_ms: float | None = None

    @property
    def arrived(self) -> int:
        """Frames that arrived, but for those that there was no time to decode."""
        return self.frames - self.undecoded

    @property
    def dropped(self) -> int:
        """Frames lost to overload or bad timestamps."""
        return self.replaced + self.stale + self.undated + self.undecoded


class LiveDriver:
    """``sink`` gets every notice on the event loop, the last of them ``End``.

    A failure (a broken picture, an engine's error) ends this session alone: ``Failed`` with a reason, then ``End``.
    An index that does not answer costs lists, never the session: ``Warned`` tells it once, and once that it is back.
    ``recorder`` keeps every call of the session; it must be among its sinks as well.
    """

    def __init__(
        self,
        runtime: Runtime,
        options: LiveOptions,
        sink: Sink,
        clock: Clock = time.monotonic,
        *,
        workers: Executor,
        stopwatch: Stopwatch = SILENT,
        recorder: Recorder | None = None,
    ) -> None:
        self._sink = sink
        self._runtime = runtime
        self._options = options
        self._clock = clock
        self._workers = workers
        self._stopwatch = stopwatch
        self._driver = SessionDriver(
            runtime, options.session, self._publish, self._ask, stopwatch=stopwatch, recorder=recorder
        )
        self._session, self._sampler, self._handle = self._driver.session, self._driver.sampler, self._driver.handle
        self._stats = LiveStats()
        self._slot: tuple[av.VideoFrame, float, float] | None = None  # capacity 1, newest wins
        self._wake = asyncio.Event()
        self._done = asyncio.Event()
        self._answering = Asking(runtime, workers, stopwatch, self._take_answer)
        self._due = DueTimes()
        self._offered_s = 0.0  # when the newest frame with a usable time was offered
        self._picture_held = True  # its picture is still on the screen
        self._sound: deque[av.AudioFrame] = deque(maxlen=SOUND_FRAMES)
        self._sound_second = 0
        self._speech_task: asyncio.Task[None] | None = None
        self._hop_s = FULL.hop_s
        self._failures = 0  # of the engine since the newest list
        self._index_away = IndexAway()
        self._patience = 1  # how many times ``useful_hops`` the next hop is given
        self._hop_begun_s = self._deadline_s = 0.0  # of the hop under way
        self._running = self._stop = False
        self._failure: BaseException | None = None

    @property
    def stats(self) -> LiveStats:
        """The present counts."""
        sampler, session = self._sampler, self._session
        self._stats.sampled, self._stats.stale, self._stats.undated = session.sampled, sampler.stale, sampler.undated
        self._stats.suggestions, self._stats.skipped_hops = session.suggestions, session.skipped_hops
        self._stats.resets = session.resets
        return self._stats

    @property
    def media_s(self) -> float:
        """Media time now, since the first frame or the last reset; 0 before the first frame."""
        return self._media_s() if self._sampler.dated else 0.0

    def offer(self, arrival: Arrival) -> None:
        """Take a frame; never blocks. Call on the event loop. Ignored after the end. Lateness counts from
        ``arrived_s``, which is by the session's clock."""
        if self._stop or self._failure is not None:
            return
        self._stats.frames += 1 + arrival.passed + arrival.replaced + arrival.undecoded
        self._stats.undecoded += arrival.undecoded
        self._stats.replaced += arrival.replaced
        self._stats.replaced += self._slot is not None
        self._picture_held = True
        now_s = self._clock()
        arrived_s = now_s if arrival.arrived_s is None else min(arrival.arrived_s, now_s)
        self._slot = arrival.frame, now_s, arrived_s
        self._wake.set()

    def listen(self, frame: av.AudioFrame) -> None:
        """Take sound; never blocks. Call on the event loop.

        Once a second of media time is over, the session gets its share of speech. At most ``SOUND_FRAMES`` wait, the
        newest win; while one second is analysed, the next ones are ignored.
        """
        if self._stop or self._failure is not None or not self._sampler.dated:
            return
        second = int(self._media_s())  # also while a picture is held
        if second != self._sound_second:
            if self._sound and not self._speech_task:
                self._speech_task = asyncio.get_running_loop().create_task(
                    self._hear(list(self._sound), self._sound_second)
                )
            self._sound.clear()
            self._sound_second = second
        self._sound.append(frame)

    def blank(self) -> None:
        """The publisher is gone: until the next frame no picture is held. Call on the event loop."""
        self._picture_held = False

    def follow(self, level: QualityLevel) -> None:
        """Follow the pictures at this quality level from now on. Call on the event loop."""
        self._sampler.stride = level.stride
        self._hop_s = level.hop_s
        self._handle(self._session.follow(level.hop_s, level.stride))

    @property
    def asked(self) -> ViewerState:
        """The wishes of all viewers as they stand."""
        return self._session.asked

    def command(self, message: Mapping[str, Any]) -> None:
        """Carry out a viewer's command (see PROTOCOL.md); the answer is published as Accepted or Refused."""
        self._handle(self._session.command(message))

    async def run(self) -> None:
        """Work until closed (or failed); returns after ``End`` was published. Safe to cancel. To be called once."""
        if self._running:
            raise RuntimeError("run() was called before: a session runs once")
        self._running = True
        try:
            await self._work()
            await self._finish()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not take other sessions along
            self._fail(error)
        finally:
            self._answering.cancel()
            if self._speech_task is not None:
                self._speech_task.cancel()
            self._end()
            self._driver.close()
            self._sink = Sinks()  # a sink may hold its driver: breaks that cycle too
            self._done.set()

    async def close(self) -> None:
        """End the session and wait until ``run`` has returned. May be called any number of times."""
        self._stop = True
        self._wake.set()
        if self._running:
            await self._done.wait()

    async def _work(self) -> None:
        while not self._stop and self._failure is None:
            try:
                async with asyncio.timeout(self._wait_s()):
                    await self._wake.wait()
            except TimeoutError:
                self._tick()
                continue
            self._wake.clear()
            newest, self._slot = self._slot, None
            if newest is not None:
                await self._take(*newest)

    def _media_s(self) -> float:
        """Media time now: that of the newest frame plus the time since."""
        return self._sampler.elapsed_s + max(0.0, self._clock() - self._offered_s)

    def _wait_s(self) -> float:
        """How long to wait for a frame before a tick."""
        if not self._sampler.dated:
            return self._options.tick_s
        return min(self._options.tick_s, 1.0 - self._media_s() % 1.0 + OVER_S)

    def _tick(self) -> None:
        if self._sampler.dated:
            now_s = self._media_s()
            if self._picture_held:
                self._due.record_passing(int(now_s))
            self._handle(self._session.tick(now_s, self._picture_held))

    async def _take(self, frame: av.VideoFrame, offered: float, arrival: float) -> None:
        """Sample by timestamp; only a frame that fills a slot has its pixels converted."""
        sampled = self._driver.sample(frame, arrival)
        if sampled.restarted:
            self._begin_anew()
        if self._sampler.dated:
            self._offered_s = offered
        if (slot := sampled.slot) is None:
            return
        loop = asyncio.get_running_loop()
        elapsed_s, stride = self._sampler.elapsed_s, self._sampler.stride
        analysis = await loop.run_in_executor(self._workers, self._driver.analyzer.analyze, frame, elapsed_s)
        self._due.record_frame(elapsed_s, arrival, slot // MOTION_FPS, (slot // stride + 1) * stride // MOTION_FPS)
        self._driver.push(analysis, slot)

    def _begin_anew(self) -> None:
        """Time has jumped: drop work that belongs to the time before."""
        self._due.clear()
        self._sound.clear()
        self._sound_second = 0
        if self._speech_task is not None:
            self._speech_task.cancel()
            self._speech_task = None

    async def _hear(self, frames: Sequence[av.AudioFrame], second: int) -> None:
        try:
            loop = asyncio.get_running_loop()
            share = await loop.run_in_executor(self._workers, self._runtime.speech.share, frames)
            self._handle(self._session.hear(share, second))
        except Exception as error:  # noqa: BLE001 - suggestions go on without speech
            logger.warning("a second of sound could not be listened to: %s", error)
        finally:
            if self._speech_task is asyncio.current_task():  # not one that began after a jump
                self._speech_task = None

    def _ask(self, question: Question) -> None:
        self._answering.ask(self._add_deadline(question) if isinstance(question, Infer) else question)

    def _take_answer(self, question: Question, future: "Future[Answer]") -> None:
        try:
            try:
                answer = future.result()
            except EngineBusy as error:
                self._skip_late_hop(question, error)
            except EngineFailed as error:
                self._skip_failed_hop(question, error)
            except SearchIndexError as error:
                self._skip_unsearched_hop(question, error)
            else:
                for warned in self._index_away.answered(question):
                    self._publish(warned)
                self._driver.answer(question, answer)
        except Exception as error:  # noqa: BLE001 - ends this session, with the reason
            self._fail(error)

    def _add_deadline(self, question: Infer) -> Infer:
        """The question with its owner and the deadline of its hop."""
        if question.first:
            self._hop_begun_s = self._clock()
            self._deadline_s = self._hop_begun_s + self._options.useful_hops * self._hop_s * self._patience
        return replace(question, owner=id(self), deadline_s=self._deadline_s)

    def _skip_late_hop(self, question: Question, error: EngineBusy) -> None:
        """Go on without an answer; the hop of the newest second is next."""
        skipped = self._session.skipped_hops
        events = self._session.give_up(question.id)
        if self._session.skipped_hops > skipped:  # its hop was still the one under way
            logger.debug("a hop is given up: %s", error)
            self._stats.late_hops += 1
            self._patience = min(PATIENCE, 2 * self._patience)
            self._publish(GivenUp(1000.0 * (self._clock() - self._hop_begun_s)))
        self._handle(events)

    def _skip_failed_hop(self, question: Question, error: EngineFailed) -> None:
        """One failed run costs one list; an engine that fails time after time ends the session."""
        skipped = self._session.skipped_hops
        events = self._session.give_up(question.id)
        if self._session.skipped_hops > skipped:  # not so for a second question of the same hop
            self._failures += 1
            self._stats.failed_hops += 1
            if self._failures > FAILURES:
                raise error
            logger.warning("an engine failed, its hop is skipped: %s", error)
        self._handle(events)

    def _skip_unsearched_hop(self, question: Question, error: SearchIndexError) -> None:
        """The last list stays; each hop asks the index anew."""
        for warned in self._index_away.failed(error):
            self._publish(warned)
        self._handle(self._session.give_up(question.id))

    def _publish(self, notice: Notice) -> None:
        if isinstance(notice, Suggestions):
            self._patience = max(1, self._patience // 2)
            self._failures = 0
            due = self._due.at(math.ceil(notice.pts_s))
            late_ms = None if due is None else 1000.0 * max(0.0, self._clock() - due)
            self._stats.late_ms = late_ms
            notice = replace(notice, late_ms=late_ms)
        self._sink.put(notice)

    async def _finish(self) -> None:
        """Wait for the answers of the open hop and the last frames, for a bounded time."""
        if self._failure is not None:
            return
        self._tick()
        if self._sampler.dated:
            self._due.record_end(int(self._media_s()) + 1, self._clock())
        self._handle(self._session.finish(self._stats.frames, self.stats.dropped))
        until = self._clock() + self._options.finish_s
        while self._answering and self._failure is None and (left := until - self._clock()) > 0:
            await self._answering.wait(left)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            expected = isinstance(error, ValueError | OSError)  # needs no traceback: ``Failed`` passes its text on
            logger.log(
                logging.INFO if expected else logging.ERROR,
                "session failed: %s",
                error,
                exc_info=not expected and error,
            )
            self._failure = error
        self._wake.set()

    def _end(self) -> None:
        """Publish the reason of a failure, if there is one, and one ``End``."""
        notices: list[Event] = [] if self._failure is None else [Failed(_reason(self._failure))]
        if not self._session.ended:
            notices += self._session.finish(self._stats.frames, self.stats.dropped, flush=False)
        elif self._failure is not None:
            return  # it was publishing End that failed
        for notice in notices:
            if isinstance(notice, Failed | End):
                try:
                    self._sink.put(notice)
                except Exception as error:  # noqa: BLE001 - no sink is left
                    logger.info("the last words of a session were lost: %s", error)


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, ValueError) else f"internal error, {type(error).__name__}: {text}"
