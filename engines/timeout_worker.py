"""One thread for calls that may never return: callers wait for them for a limited time.

A call into a driver or over a network cannot be interrupted. Here it is left to its thread instead, and since there is
one thread, at most one call hangs; the calls behind it wait, or are removed when their callers give up.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
Work = Callable[[], Any]


class WorkerTimeout(Exception):  # noqa: N818 - what happened to the caller
    """The time was over before the call came back; it may still be running."""


class TimeoutWorker:
    """``name`` is the thread's. *Bound*: one entry for each thread that waits in ``call``, and each call that was
    ``post``-ed."""

    def __init__(self, name: str) -> None:
        self._entries: queue.SimpleQueue[tuple[Future[Any], Work] | None] = queue.SimpleQueue()
        self._begun_s: float | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def busy_s(self) -> float:
        """How long the current call has been running; 0 between calls."""
        begun_s = self._begun_s
        return 0.0 if begun_s is None else time.monotonic() - begun_s

    def call(self, work: Callable[[], T], limit_s: float) -> T:
        """What ``work`` returns or raises; ``WorkerTimeout`` after ``limit_s`` seconds, time in the queue included."""
        future = self.post(work)
        try:
            return future.result(limit_s)
        except TimeoutError:
            if future.done():  # the error is the work's own, or the answer came at the last moment
                return future.result()
            future.cancel()  # a call that has not begun never will; one that runs is left to itself
            raise WorkerTimeout(f"no answer within {limit_s:g} s") from None

    def post(self, work: Callable[[], T]) -> "Future[T]":
        """Queue a call that nobody waits for."""
        future: Future[T] = Future()
        self._entries.put((future, work))
        return future

    def close(self, last: Callable[[], object], limit_s: float) -> bool:
        """Do ``last`` after the queued calls and end the thread; True if it ended within ``limit_s`` seconds. If a call
        hangs, ``last`` is done when that returns, or never."""
        self.post(last)
        self._entries.put(None)
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (entry := self._entries.get()) is not None:
            future, work = entry
            if future.set_running_or_notify_cancel():
                self._begun_s = time.monotonic()
                try:
                    outcome, error = work(), None
                except BaseException as raised:  # noqa: BLE001 - it goes to the caller; the thread goes on
                    outcome, error = None, raised
                self._begun_s = None
                if error is None:
                    future.set_result(outcome)
                else:
                    future.set_exception(error)
            del entry, future, work
