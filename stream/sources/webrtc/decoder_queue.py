"""Decoders take turns on a few threads, in the order in which their frames came.

aiortc gives every track a thread. With fifteen publishers on a core, fifteen decoders and the event loop share it in
slices: pictures that came one after the other are all finished late, together, and the loop is one among many. With as
many threads as cores each picture is decoded at a stretch, and the loop's share is a large one.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

log = logging.getLogger(__name__)


class DecoderQueue:
    """In the place of a receiver's queue: what is put here is given to ``take`` on ``threads``, one after the other.

    After each, other receivers have their turn, unless ``take`` says with True that it was passed over. A failure of
    ``take`` ends `serve`, which raises it.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._lock = threading.Lock()  # held for moments: the event loop waits for it
        self._came = threading.Condition(self._lock)
        self._tasks: deque[Any] = deque()
        self._take: Callable[..., bool] | None = None
        self._busy = False  # a turn is waited for, or taken
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    def qsize(self) -> int:
        """How many wait."""
        return len(self._tasks)

    def put(self, task: tuple[Any, ...] | None) -> None:
        """Arguments for ``take``; never blocks. None ends it: what waits is not taken any more."""
        with self._lock:
            if task is None:
                self._tasks.clear()
                self._take = None  # whose it is knows this queue: a circle that would hold its decoder
                self._ended.set()
                self._came.notify_all()
            elif not self._ended.is_set():
                self._tasks.append(task)
                self._came.notify()
                self._next()

    def get(self) -> Any:
        """The next, for a thread that takes them itself, as aiortc's own does; blocks. None at the end."""
        with self._came:
            self._came.wait_for(lambda: self._tasks or self._ended.is_set())
            return self._tasks.popleft() if self._tasks else None

    def serve(self, take: Callable[..., bool]) -> None:
        """Let ``take`` be called with what was put and will be; returns at the end, with one turn perhaps under way."""
        with self._lock:
            if not self._ended.is_set():
                self._take = take
                self._next()
        self._ended.wait()
        if self._failure is not None:
            raise self._failure

    def _next(self) -> None:
        """Wait for a turn, if there is something to take and none is waited for. With the lock held."""
        if self._take is None or self._busy or not self._tasks:
            return
        self._busy = True  # before: where no thread can be started any more, the turn waits for those that there are
        try:
            self._threads.submit(self._turn)
        except RuntimeError as error:
            log.warning("pictures wait for a decoder: %s", error)

    def _turn(self) -> None:
        passed_over = True
        while passed_over:
            with self._lock:
                task, take = self._tasks.popleft() if self._tasks else None, self._take
            if task is None or take is None:
                break
            try:
                passed_over = take(*task)
            except BaseException as error:  # noqa: BLE001 - raised by `serve`
                self._failure = error
                self.put(None)
        with self._lock:
            self._busy = False
            self._next()


def decoder_threads() -> ThreadPoolExecutor:
    """As many threads as there are cores for this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(cores, thread_name_prefix="decoder")
