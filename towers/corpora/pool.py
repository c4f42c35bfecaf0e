"""Runs work in parallel processes of one thread each.

At most two items a process are in work, so any number of items takes bounded memory. An item that ends its process (a
decoder's crash, memory) breaks the pool; the items in work are then done again one at a time, so that only the culprit
is reported.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Final, TypeVar

import cv2

Item = TypeVar("Item")
Done = TypeVar("Done")
PER_PROCESS: Final = 2  # one at work, one waiting


@dataclass(frozen=True, slots=True)
class Crashed:
    """The item ended the process that worked on it."""

    reason: str = "ended the process that read it (a decoder's crash, or too little memory)"


def side_by_side(
    work: Callable[[Item], Done], items: Iterable[Item], jobs: int
) -> Generator[tuple[Item, Done | Crashed]]:
    """Each item with the result of ``work``, in the order in which they finish. ``work`` is a module's function.

    With one job the work is done in this process, and a crash ends it.
    """
    if jobs == 1:
        for item in items:
            yield item, work(item)
        return
    waiting = iter(items)
    suspects: deque[Item] = deque()
    with single_threaded():
        while True:
            yield from _round(work, waiting, jobs, suspects)
            if not suspects:
                return
            while suspects:
                yield _alone(work, suspects.popleft())


def _round(
    work: Callable[[Item], Done], items: Iterator[Item], jobs: int, suspects: deque[Item]
) -> Generator[tuple[Item, Done | Crashed]]:
    """Run one pool until ``items`` ends, or until it breaks and leaves the items in work in ``suspects``."""
    pending: dict[Future[Done], Item] = {}
    pool = _pool(jobs)
    try:
        for item in items:
            suspects.append(item)  # until it is safely among the pending
            pending[pool.submit(work, item)] = item
            suspects.pop()
            while len(pending) >= jobs * PER_PROCESS:
                yield from _ready(pending)
        while pending:
            yield from _ready(pending)
    except BrokenProcessPool:
        suspects.extend(pending.values())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ready(pending: dict[Future[Done], Item]) -> Generator[tuple[Item, Done]]:
    finished, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in finished:
        result = future.result()  # before the item is removed: a broken pool raises here
        yield pending.pop(future), result


def _alone(work: Callable[[Item], Done], item: Item) -> tuple[Item, Done | Crashed]:
    with _pool(1) as pool:
        try:
            return item, pool.submit(work, item).result()
        except BrokenProcessPool:
            return item, Crashed()


def _pool(jobs: int) -> ProcessPoolExecutor:
    # spawn: no process inherits a thread pool; the variables hold numeric libraries to a thread each.
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=start_process)


class single_threaded:  # noqa: N801 - reads as a statement
    """Environment for child processes only; restored on leaving."""

    NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

    def __enter__(self) -> None:
        self.before = {name: os.environ.get(name) for name in self.NAMES}
        os.environ.update(dict.fromkeys(self.NAMES, "1"))

    def __exit__(self, *_: object) -> None:
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def start_process() -> None:
    """Set up a process: one thread, Ctrl-C ends it without a traceback, and it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    cv2.setNumThreads(1)
    threading.Thread(target=leave_with_parent, daemon=True).start()


def leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
