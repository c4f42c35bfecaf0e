"""Files analysed side by side in processes of their own.

At most two files per process are under way, so a folder of any size takes bounded memory. A file that kills its process
(a decoder's crash, memory) breaks the pool; the files under way are then tried again one at a time, and only the
culprit is rejected.
"""

import multiprocessing
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from .worker import AnalysedFile, EngineSpec, Job, RejectedFile, analyse_in_process, prepare

Outcome = AnalysedFile | RejectedFile
PER_PROCESS = 2  # one at work, one waiting


def analyse_all(work: Iterator[Job], spec: EngineSpec, catalog: Path, jobs: int) -> Generator[tuple[Path, Outcome]]:
    """Each path with its outcome, in the order in which they end. A job is taken from ``work`` whenever a place is
    free."""
    suspects: deque[Job] = deque()
    while True:
        yield from _round(work, spec, catalog, jobs, suspects)
        if not suspects:
            return
        while suspects:
            yield from _alone(suspects.popleft(), spec, catalog)


def _round(
    work: Iterator[Job], spec: EngineSpec, catalog: Path, jobs: int, suspects: deque[Job]
) -> Generator[tuple[Path, Outcome]]:
    """The life of one pool: until ``work`` ends, or until it breaks and leaves the jobs under way in ``suspects``."""
    pending: dict[Future[Outcome], Job] = {}
    pool = _pool(spec, jobs)
    try:
        for job in work:
            suspects.append(job)  # until it is safely among the pending
            pending[pool.submit(analyse_in_process, job, spec, catalog)] = job
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


def _alone(job: Job, spec: EngineSpec, catalog: Path) -> Generator[tuple[Path, Outcome]]:
    with _pool(spec, 1) as pool:
        try:
            outcome = pool.submit(analyse_in_process, job, spec, catalog).result()
        except BrokenProcessPool:
            outcome = RejectedFile("ended the process that read it (a decoder's crash, or too little memory)")
    yield job.path, outcome


def _pool(spec: EngineSpec, jobs: int) -> ProcessPoolExecutor:
    # spawn: forking a process that holds threads (FAISS, ONNX Runtime, rich) may deadlock the child.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=prepare, initargs=(spec,))
