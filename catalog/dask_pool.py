"""Files analysed on a Dask cluster: what ``pool.analyse_all`` does with processes of this machine.

A task is a file. At most two per thread of the cluster are under way, and each answer is handed on and released as it
comes. A task that fails since its workers died is tried once more, alone, before its file is refused: Dask lets
innocent tasks that wait on a dying worker fail as well.
"""

import asyncio
import logging
import os
import random
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from .dask_team import Team, Tell
from .dask_worker import BLOCK, Away, Broken, Glimpse, NotReady, Order, analyse_here, glimpse, identity_of
from .errors import ClusterError
from .store import Store
from .worker import AnalysedFile, EngineSpec, Job, RejectedFile

if TYPE_CHECKING:
    from distributed import Client, Future

Outcome = AnalysedFile | RejectedFile
Analyse = Callable[[Iterator[Job], EngineSpec, Path], Generator[tuple[Path, Outcome]]]
KILLED = "KilledWorker"  # Dask's error
PER_THREAD = 2  # one at work, one waiting
GLIMPSES = 16  # files that each worker must see as we do before it starts
UNREADY = 3  # times that a task may come to such a worker before it counts as failed
CONNECT_S = 10.0
SETTLED_S = 120.0  # network folders are remembered for up to a minute
LOOK_S = 2.0  # between two looks at who is there
AGAIN = "what was analysed is kept, and the same command goes on from there"


@dataclass(slots=True)
class Task:
    """A file's way: how often the cluster failed to run it, how often it came to a worker that was not ready, the sizes
    of its files, and the workers that may run it."""

    job: Job
    failures: int = 0
    unready: int = 0
    sizes: tuple[tuple[Path, int], ...] = ()
    only: frozenset[str] = frozenset()


def on_cluster(address: str, tell: Tell) -> Analyse:
    """An ``analyse_all`` that works on the cluster of the scheduler at ``address``. ``tell`` takes what a person may
    want to know of the cluster. It raises ``ClusterError``, and connects when there is something to analyse."""

    def analyse_all(work: Iterator[Job], spec: EngineSpec, catalog: Path) -> Generator[tuple[Path, Outcome]]:
        jobs = list(work)
        if not jobs:
            return
        from distributed import Client

        with ExitStack() as stack:
            stack.enter_context(hushed())
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # of versions: the team is asked
                    client = stack.enter_context(Client(address, timeout=CONNECT_S, set_as_default=False))
            except (OSError, ValueError, TypeError) as error:
                raise ClusterError(
                    f"{address}: no Dask scheduler answers ({error}); give its address as tcp://HOST:8786, and look "
                    "whether it runs (dask scheduler)"
                ) from error
            yield from _Run(client, address, jobs, spec, catalog, tell).outcomes()

    return analyse_all


@contextmanager
def hushed() -> Iterator[None]:
    """Without Dask's own tracebacks of connections that end: ``ClusterError`` tells of them."""
    loggers = [logging.getLogger(f"distributed.{name}") for name in ("client", "core", "comm", "batched")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _Run:
    def __init__(
        self, client: "Client", address: str, jobs: Sequence[Job], spec: EngineSpec, catalog: Path, tell: Tell
    ) -> None:
        self._client, self._address, self._tell = client, address, tell
        self._todo = deque(Task(job) for job in jobs)
        self._suspects: deque[Task] = deque()
        self._pending: dict[Future, Task] = {}
        self._done: SimpleQueue[tuple[Future, Any]] = SimpleQueue()
        self._order = order_of(jobs, spec, catalog)
        self._team = Team(client, self._order, tell)
        self._looked = 0.0
        self._waiting = False

    def outcomes(self) -> Generator[tuple[Path, Outcome]]:
        try:
            self._team.gather()
            self._looked = time.monotonic()
            while self._todo or self._pending or self._suspects:
                yield from self._step()
        except OSError as error:  # a connection that ended
            raise ClusterError(self._gone(str(error))) from error
        finally:
            with suppress(OSError, RuntimeError):
                if self._client.status == "running":
                    self._client.cancel(list(self._pending))

    def _step(self) -> Generator[tuple[Path, Outcome]]:
        """Send what there is room for, and take one answer, if one comes soon."""
        room = max(1, self._team.threads) * PER_THREAD
        while self._team.fit and self._todo and len(self._pending) < room:
            yield from self._send(self._todo.popleft())
        if not self._pending and not self._todo and self._suspects:
            self._look_around()  # the one before may have ended workers
            if self._team.fit:
                yield from self._send(self._suspects.popleft())  # alone
        try:
            future, answer = self._done.get(timeout=LOOK_S)
        except Empty:
            pass
        else:
            task = self._pending.pop(future, None)
            if task is not None:
                yield from self._take(future, task, answer)
        if time.monotonic() - self._looked >= LOOK_S:
            self._look_around()
            yield from self._deserted()

    def _send(self, task: Task) -> Generator[tuple[Path, Outcome]]:
        try:
            task.sizes = sizes_of(task.job)
        except OSError as error:
            yield task.job.path, RejectedFile(f"cannot be read: {error.strerror}")
            return
        # Only those that are ready: on others a task would end well, and Dask forget how many workers it has ended.
        task.only = frozenset(self._team.fit)
        future = self._client.submit(
            analyse_here, task.job, task.sizes, self._order.run, pure=False, retries=0, workers=list(task.only)
        )
        self._pending[future] = task
        self._client.loop.add_callback(self._fetch, future)

    async def _fetch(self, future: "Future") -> None:
        """On the client's loop: an answer may be lost with its worker after Dask has said that it is there, and is then
        waited for until the task has run again, which can be never. So nobody else waits for it."""
        try:
            answer = await future
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever ended the task
            answer = error
        self._done.put((future, answer))

    def _take(self, future: "Future", task: Task, answer: Any) -> Generator[tuple[Path, Outcome]]:
        if future.status == "cancelled":
            raise ClusterError(self._gone("it was restarted, or the connection ended"))
        future.release()
        if isinstance(answer, BaseException):
            yield from self._failed(task, type(answer).__name__, str(answer))
            return
        if isinstance(answer, NotReady):
            # Started again under its old address, perhaps since this very file had ended it.
            self._team.fit.pop(answer.worker, None)
            self._look_around()
            task.unready += 1
            if task.unready % UNREADY:
                self._todo.appendleft(task)
            else:
                yield from self._failed(task, KILLED, "its workers were started again")
        elif isinstance(answer, Away) and changing(task):
            yield task.job.path, RejectedFile("changes while it is read; index the folder again when it is whole")
        elif isinstance(answer, Away):
            self._team.dismiss(answer.worker, f"{answer.reason}; mount the folder of music there as it is here")
            self._look_around()
            self._todo.appendleft(task)
        elif isinstance(answer, Broken):
            yield from self._failed(task, f"on {answer.worker}", answer.reason)
        else:
            yield task.job.path, answer

    def _failed(self, task: Task, kind: str, reason: str) -> Generator[tuple[Path, Outcome]]:
        """A task that the cluster could not run: once more, and then no more."""
        task.failures += 1
        killed = kind == KILLED
        if killed and task.failures == 1:
            self._tell(f"{task.job.path}: its worker died; it is tried again at the end, alone")
            self._suspects.append(task)
        elif killed:
            text = "ended the processes that read it (a decoder's crash, or too little memory)"
            yield task.job.path, RejectedFile(text)
        elif task.failures == 1:
            self._look_around()  # a worker that joined just now may lack the program
            self._todo.append(task)
        else:
            raise ClusterError(
                f"{self._address}: the cluster cannot analyse {task.job.path} ({kind}: {reason}); look at its "
                f"workers' logs; {AGAIN}"
            )

    def _look_around(self) -> None:
        """Ask workers that joined."""
        self._team.look_around()
        self._looked = time.monotonic()
        if not self._team.fit and not self._waiting:
            self._tell(f"{self._address}: no worker is left; waiting for one to join")
        self._waiting = not self._team.fit

    def _deserted(self) -> Generator[tuple[Path, Outcome]]:
        """Tasks whose workers have all left have failed: one of them may have ended these."""
        for future in [future for future, task in self._pending.items() if task.only.isdisjoint(self._team.fit)]:
            task = self._pending.pop(future)
            self._client.cancel([future])
            yield from self._failed(task, KILLED, "its workers have left")

    def _gone(self, reason: str) -> str:
        return f"{self._address}: the scheduler is gone ({reason}); start it again; {AGAIN}"


def sizes_of(job: Job) -> tuple[tuple[Path, int], ...]:
    """The files that a job reads, as long as they are now. Raises ``OSError``."""
    return tuple((path, path.stat().st_size) for path in (job.path, job.sheet) if path is not None)


def changing(task: Task) -> bool:
    """Whether one of a task's files is being written; others may see that later than we do."""
    try:
        newest = max(path.stat().st_mtime for path, _ in task.sizes)
        return sizes_of(task.job) != task.sizes or time.time() - newest < SETTLED_S
    except OSError:
        return True


def order_of(jobs: Sequence[Job], spec: EngineSpec, catalog: Path) -> Order:
    """What workers need for a run over ``jobs``."""
    store = Store(catalog, write=False)
    try:
        known = frozenset(store.sounds.known())
    finally:
        store.close()
    spec = replace(spec, bundle=os.path.realpath(spec.bundle))
    return Order(uuid.uuid4().hex, spec, identity_of(spec.bundle), known, glimpses_of(jobs))


def glimpses_of(jobs: Sequence[Job]) -> tuple[Glimpse, ...]:
    """Some of the files at random, each at a random place."""
    seen = []
    for job in random.sample(jobs, min(GLIMPSES, len(jobs))):
        with suppress(OSError):
            size = job.path.stat().st_size
            seen.append(glimpse(job.path, random.randrange(max(1, size - BLOCK + 1))))
    return tuple(seen)
