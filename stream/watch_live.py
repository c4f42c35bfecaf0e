"""A live session that something feeds, until either ends: what a file in its own time, a live URL and OBS have in
common."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from stream.core.events import Failed, Notice
from stream.core.session import SessionOptions
from stream.driver.live import LiveDriver, LiveOptions
from stream.driver.runtime import Runtime
from stream.driver.stopwatch import SILENT, Stopwatch
from stream.recording.recorder import Recorder
from stream.sinks.base import Sink, Sinks

WORKERS: Final = 2  # one for pixels, one for answers


async def watch_live(
    feed: Callable[[LiveDriver, Sink], Awaitable[None]],
    runtime: Runtime,
    options: SessionOptions,
    sink: Sink,
    recorder: Recorder | None = None,
    *,
    stopwatch: Stopwatch = SILENT,
    around: Callable[[Sink], Sink] = lambda sinks: sinks,
) -> None:
    """Send ``sink`` the notices of a session that ``feed(live, sinks)`` gives its pictures; it is cancelled where the
    session ends first. ``around`` may put something before all sinks.

    Raises what ``feed`` raises, OSError where the reader of our lines went away, and RuntimeError for a failure inside
    the session.
    """
    outcome = _Outcome(sink)
    sinks = around(Sinks(() if recorder is None else (recorder,), needed=[outcome]))
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="watch") as workers:
        live = LiveDriver(
            runtime, LiveOptions(session=options), sinks, workers=workers, stopwatch=stopwatch, recorder=recorder
        )
        running = asyncio.ensure_future(live.run())
        feeding = asyncio.ensure_future(feed(live, sinks))
        try:
            await asyncio.wait({running, feeding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            feeding.cancel()
            await live.close()
            await asyncio.gather(running, feeding, return_exceptions=True)
    if outcome.gone is not None:
        raise outcome.gone
    if not feeding.cancelled() and (error := feeding.exception()) is not None:
        raise error
    if outcome.failure:
        raise RuntimeError(outcome.failure)


class _Outcome:
    """``sink``, and what to raise at the end: why the session failed, or that the reader of our lines went away, which
    is no failure of the session."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.failure = ""
        self.gone: OSError | None = None

    def put(self, notice: Notice) -> None:
        if isinstance(notice, Failed):
            self.failure = self.failure or notice.reason
        try:
            self._sink.put(notice)
        except OSError as error:
            self.gone = self.gone or error
            raise
