"""Files analysed side by side in processes of their own.

At most two files per process are under way, so a folder of any size takes bounded memory. A file that kills its process
(a decoder's crash, memory) breaks the pool; what was under way is then tried again one file at a time, and only the
culprit is refused.
"""

import multiprocessing
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from .worker import Heard, Job, Refused, Source, hear_in_process, prepare

Outcome = Heard | Refused
PER_PROCESS = 2  # one at work, one waiting


def hear_all(work: Iterator[Job], source: Source, catalog: Path, jobs: int) -> Generator[tuple[Path, Outcome]]:
    """Each path with its outcome, in the order in which they are done. ``work`` is drawn from as places come free."""
    suspects: deque[Job] = deque()
    while True:
        yield from _round(work, source, catalog, jobs, suspects)
        if not suspects:
            return
        while suspects:
            yield from _alone(suspects.popleft(), source, catalog)


def _round(
    work: Iterator[Job], source: Source, catalog: Path, jobs: int, suspects: deque[Job]
) -> Generator[tuple[Path, Outcome]]:
    """One pool's life: until ``work`` ends, or until it breaks and leaves what was under way in ``suspects``."""
    pending: dict[Future[Outcome], Job] = {}
    pool = _pool(source, jobs)
    try:
        for job in work:
            suspects.append(job)  # until it is safely among the pending
            pending[pool.submit(hear_in_process, job, source, catalog)] = job
            suspects.pop()
            while len(pending) >= jobs * PER_PROCESS:
                yield from _done(pending)
        while pending:
            yield from _done(pending)
    except BrokenProcessPool:
        suspects.extend(pending.values())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _done(pending: dict[Future[Outcome], Job]) -> Generator[tuple[Path, Outcome]]:
    ready, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in ready:
        outcome = future.result()  # before the path leaves: a broken pool raises here
        yield pending.pop(future).path, outcome


def _alone(job: Job, source: Source, catalog: Path) -> Generator[tuple[Path, Outcome]]:
    with _pool(source, 1) as pool:
        try:
            outcome = pool.submit(hear_in_process, job, source, catalog).result()
        except BrokenProcessPool:
            outcome = Refused("ended the process that read it (a decoder's crash, or too little memory)")
    yield job.path, outcome


def _pool(source: Source, jobs: int) -> ProcessPoolExecutor:
    # spawn: forking a process that holds threads (FAISS, ONNX Runtime, rich) may deadlock the child.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=prepare, initargs=(source,))
