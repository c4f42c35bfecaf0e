"""Decoders take turns on a few threads, in the order in which their frames came.

aiortc gives every track a thread. With fifteen publishers on a core, fifteen decoders and the event loop share it in
slices: pictures that came one after another are all finished late, and the loop gets a small share. With one thread a
core each picture is decoded in one go, and the loop gets a large share.
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
    """Replaces a receiver's queue: the tasks go to ``take`` on ``threads``, one after another.

    After each, other receivers have their turn, unless ``take`` returns True: the task was skipped. An error of
    ``take`` ends `serve`, which raises it.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._lock = threading.Lock()  # held for moments: the event loop waits for it
        self._news = threading.Condition(self._lock)
        self._tasks: deque[Any] = deque()
        self._take: Callable[..., bool] | None = None
        self._busy = False  # a turn is submitted or under way
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    def qsize(self) -> int:
        """How many tasks wait."""
        return len(self._tasks)

    def put(self, task: tuple[Any, ...] | None) -> None:
        """Queue arguments for ``take``; never blocks. None ends it and drops waiting tasks."""
        with self._lock:
            if task is None:
                self._tasks.clear()
                self._take = None  # its owner holds this queue: the cycle would keep its decoder
                self._ended.set()
                self._news.notify_all()
            elif not self._ended.is_set():
                self._tasks.append(task)
                self._news.notify()
                self._next()

    def get(self) -> Any:
        """The next task, for a thread that takes them itself, like aiortc's; blocks. None at the end."""
        with self._news:
            self._news.wait_for(lambda: self._tasks or self._ended.is_set())
            return self._tasks.popleft() if self._tasks else None

    def serve(self, take: Callable[..., bool]) -> None:
        """Let ``take`` be called with all tasks, until the end; one turn may still be under way then."""
        with self._lock:
            if not self._ended.is_set():
                self._take = take
                self._next()
        self._ended.wait()
        if self._failure is not None:
            raise self._failure

    def _next(self) -> None:
        """Submit a turn, if a task waits and no turn is submitted. With the lock held."""
        if self._take is None or self._busy or not self._tasks:
            return
        self._busy = True  # before: if no more threads can be started, the turn waits for the present ones
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
