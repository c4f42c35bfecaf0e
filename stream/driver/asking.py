"""The open questions of a live session: each is handed over once, and its answer comes back to the event loop once.

A question for an engine with its own queue is submitted from the loop, any other runs in a thread of the pool. Whoever
has the answer schedules its taking on the loop; there is no task and no second future between.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial

from stream.core.events import Answer, Question

from .answers import answer
from .runtime import Runtime
from .stopwatch import Stopwatch, stage_of

Taken = Callable[[Question, "Future[Answer]"], None]


class Asking:
    """``take`` is called on the event loop with each answered question and a future that is done: never before ``ask``
    returns, not for a cancelled question, and in the context of the one who asked. To be used on the loop only.

    Bound: a session has no more open questions than one hop and one track on air ask.
    """

    def __init__(self, runtime: Runtime, workers: Executor, stopwatch: Stopwatch, take: Taken) -> None:
        self._runtime, self._workers, self._stopwatch = runtime, workers, stopwatch
        self._take: Taken | None = take
        self._open: set[Future[Answer]] = set()
        self._waiter: asyncio.Future[None] | None = None  # of ``wait``

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, question: Question) -> None:
        """Hand a question over. Never blocks; where that fails, ``take`` gets the error like any other."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        begun = self._stopwatch.start()
        future: Future[Answer]
        try:
            submitted = self._runtime.submit(question)
            future = (
                self._workers.submit(answer, self._runtime, question, self._stopwatch)
                if submitted is None
                else submitted  # type: ignore[assignment]
            )
        except Exception as error:  # noqa: BLE001 - of an engine, or of a pool that is closed
            future, submitted = Future(), None
            future.set_exception(error)
        self._open.add(future)
        done = partial(self._done, question, begun if submitted is not None else None)
        future.add_done_callback(partial(_on_loop, loop, context, done))

    def cancel(self) -> None:
        """No answer is taken any more; what was not begun is not run."""
        self._take = None
        futures, self._open = self._open, set()
        for future in futures:
            future.cancel()

    async def wait(self, timeout_s: float) -> None:
        """Until the next answer was taken, or for so long; at once where nothing is open."""
        if not self._open:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._waiter
        self._waiter = None

    def _done(self, question: Question, begun: float | None, future: "Future[Answer]") -> None:
        self._open.discard(future)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._take is None or future.cancelled():
            return
        if begun is not None and future.exception() is None:  # elsewhere the thread that answers has told
            self._stopwatch.lap(stage_of(question, self._runtime.model), begun)
        self._take(question, future)


def _on_loop(
    loop: asyncio.AbstractEventLoop,
    context: contextvars.Context,
    done: "Callable[[Future[Answer]], None]",
    future: "Future[Answer]",
) -> None:
    """Of any thread; a loop that is closed takes nothing."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(done, future, context=context)
