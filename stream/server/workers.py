"""Several processes on one port: a parent that starts, restarts and ends them.

Each worker has an engine and a hub of its own. A publisher comes to the shared port, gets the least loaded worker (see
`shared_acceptor`) and stays there: the addresses in the answer name the worker's own port. The parent only waits: it
keeps the sockets open, so that connections wait in the backlog while a worker restarts.

A worker that ends by itself is restarted after `BACKOFF_S`, doubled at every failure, at most `BACKOFF_MAX_S`; after
`SOUND_S` of life the count starts again. The others are not affected.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Final, Protocol

from catalog.errors import CatalogError
from catalog.worker import leave_with_parent
from engines.errors import EngineError
from stream.errors import StreamError

from .address import address_of, bind, port_of
from .errors import ServeError
from .logs import Logs
from .options import ServeOptions
from .place import Place
from .worker_status import WorkerStatuses, entry
from .workers_folder import workers_folder

log = logging.getLogger("segue.workers")

LOOK_S: Final = 0.2
BACKOFF_S: Final = 0.5
BACKOFF_MAX_S: Final = 30.0
SOUND_S: Final = 60.0
END_S: Final = 15.0  # beyond the drain, for sessions and connections to end


class Serve(Protocol):
    """What a worker runs; a module's function, since it is passed to another process by name."""

    def __call__(self, options: ServeOptions, place: Place, ready: Callable[[], None], /) -> None: ...


def supervise(options: ServeOptions, serve: Serve, ready: Callable[[str], None]) -> None:
    """Run ``options.workers`` processes until a signal ends them; ``ready`` gets the shared URL once all take requests.

    Raises `ServeError` with the reason when a worker cannot start at the beginning.
    """
    if os.name != "posix":
        raise ServeError("--workers needs sockets that processes share, and this system has none; leave it out")
    with contextlib.ExitStack() as stack:
        shared, own = _sockets(options, stack)
        folder = stack.enter_context(workers_folder())
        stack.enter_context(Logs(options.log_format, options.log_level))
        url = address_of(shared, options.host, "http" if options.tls is None else "https")
        _Supervisor(options, serve, shared, own, folder).run(lambda: ready(url))


def _sockets(options: ServeOptions, stack: contextlib.ExitStack) -> tuple[socket.socket, list[socket.socket]]:
    shared = stack.enter_context(bind(options.host, options.port))
    ports = own_ports(port_of(shared) if options.port else 0, options.workers, options.worker_ports)
    return shared, [stack.enter_context(bind(options.host, port, "--worker-ports")) for port in ports]


def own_ports(port: int, workers: int, chosen: tuple[int, int] | None) -> list[int]:
    """A port for each worker: from the chosen range, else the ports after ``port``; 0: any free ports."""
    if chosen is not None:
        first, last = chosen
        if last - first + 1 < workers:
            raise ServeError(
                f"--worker-ports {first}-{last} are {last - first + 1} ports for {workers} workers; name more"
            )
        return list(range(first, first + workers))
    if port == 0:
        return [0] * workers
    if port + workers > 65535:
        raise ServeError(f"there are not {workers} ports after {port}; choose some with --worker-ports FIRST-LAST")
    return list(range(port + 1, port + 1 + workers))


def backoff_s(failures: int) -> float:
    """How long to wait before the restart of a worker that has ended so many times in a row."""
    return min(BACKOFF_MAX_S, BACKOFF_S * 2.0 ** min(failures - 1, 30))


class _Worker:
    """One process, as the parent knows it."""

    def __init__(self) -> None:
        self.process: BaseProcess | None = None
        self.news: Connection | None = None
        self.begun_s = 0.0
        self.failures = 0  # in a row
        self.restarts = 0  # in all
        self.due_s = 0.0  # when to start it (again)
        self.ready = False


class _Supervisor:
    def __init__(
        self, options: ServeOptions, serve: Serve, shared: socket.socket, own: list[socket.socket], folder: Path
    ) -> None:
        self._options, self._serve, self._shared, self._own, self._folder = options, serve, shared, own, folder
        self._workers = [_Worker() for _ in own]
        self._signals: list[int] = []  # not passed on yet
        self._until_s: float | None = None  # set once all have to end
        self._refusal = ""
        self._announced = False

    def run(self, ready: Callable[[], None]) -> None:
        with _collecting(self._signals):
            try:
                while self._until_s is None or any(worker.process for worker in self._workers):
                    self._pass_on()
                    self._start_due()
                    self._read_news()
                    if not self._announced and all(worker.ready for worker in self._workers):
                        self._announced = True
                        ready()
            finally:
                self._kill()
        if self._refusal:
            raise ServeError(self._refusal)

    def _start_due(self) -> None:
        for index, worker in enumerate(self._workers):
            if worker.process is None and self._until_s is None and time.monotonic() >= worker.due_s:
                self._start(index, worker)

    def _start(self, index: int, worker: _Worker) -> None:
        context = multiprocessing.get_context("spawn")  # the parent may hold threads
        worker.news, theirs = context.Pipe(duplex=False)
        ports = tuple(port_of(bound) for bound in (self._shared, *self._own))
        arguments = (
            self._options,
            self._serve,
            index,
            self._own[index],
            self._shared,
            ports,
            self._folder,
            theirs,
            worker.restarts,
        )
        worker.process = context.Process(target=_work, args=arguments, name=f"worker-{index}")
        worker.process.start()
        theirs.close()
        worker.begun_s, worker.ready = time.monotonic(), False

    def _read_news(self) -> None:
        """Wait a moment for news of the workers, and handle them."""
        news = [worker.news for worker in self._workers if worker.news is not None]
        ends = [worker.process.sentinel for worker in self._workers if worker.process is not None]
        ready_objects = wait([*news, *ends], LOOK_S)
        if not ends:
            time.sleep(LOOK_S)
        for index, worker in enumerate(self._workers):
            if worker.news is not None and worker.news in ready_objects:
                self._take_news(worker)
            if worker.process is not None and worker.process.sentinel in ready_objects:
                self._reap(index, worker)

    def _take_news(self, worker: _Worker) -> None:
        assert worker.news is not None
        try:
            reason: str = worker.news.recv()
        except (EOFError, OSError):
            worker.news.close()
            worker.news = None
            return
        if not reason:
            worker.ready = True
        elif self._announced:
            log.error("a worker cannot start: %s", reason)
        else:
            self._refusal = self._refusal or reason
            self._end(signal.SIGINT)

    def _reap(self, index: int, worker: _Worker) -> None:
        assert worker.process is not None
        worker.process.join()
        code = worker.process.exitcode
        if worker.news is not None:
            if worker.news.poll():
                self._take_news(worker)  # its last message
            if worker.news is not None:
                worker.news.close()
        worker.process.close()
        worker.process = worker.news = None
        with contextlib.suppress(OSError):
            entry(self._folder, index).unlink()
        if self._until_s is not None:
            return
        if not self._announced:
            self._refusal = f"worker {index} ended with {code} while it was starting; --log-level info may show why"
            self._end(signal.SIGINT)
            return
        worker.failures = 1 if time.monotonic() - worker.begun_s > SOUND_S else worker.failures + 1
        worker.restarts += 1
        again_s = backoff_s(worker.failures)
        worker.due_s = time.monotonic() + again_s
        log.error("worker %d ended with %s; it restarts in %g s", index, code, again_s)

    def _pass_on(self) -> None:
        while self._signals:
            self._end(self._signals.pop(0))
        if self._until_s is not None and time.monotonic() > self._until_s:
            self._kill()

    def _end(self, sig: int) -> None:
        """Pass a signal on to the workers; none of them is restarted."""
        if self._until_s is None:
            self._until_s = time.monotonic() + self._options.drain_s + END_S
        for worker in self._workers:
            if worker.process is not None and worker.process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    # a worker that is still starting would print a traceback on SIGINT
                    os.kill(worker.process.pid, sig if worker.ready else signal.SIGTERM)

    def _kill(self) -> None:
        for worker in self._workers:
            if worker.process is not None:
                worker.process.kill()


@contextlib.contextmanager
def _collecting(signals: list[int]) -> Iterator[None]:
    """While the block lasts, append each SIGTERM and SIGINT to ``signals`` (in the main thread; else does nothing)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def collect(sig: int, _: FrameType | None) -> None:
        signals.append(sig)

    before = {sig: signal.signal(sig, collect) for sig in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def _work(
    options: ServeOptions,
    serve: Serve,
    index: int,
    own: socket.socket,
    shared: socket.socket,
    ports: tuple[int, ...],
    folder: Path,
    news: Connection,
    restarts: int,
) -> None:
    """Run a worker. It sends the parent "" once it takes requests, or the reason why it cannot."""
    os.setpgid(0, 0)  # only the parent gets Ctrl-C
    threading.Thread(target=leave_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the server handles it, it ends the process
    try:
        serve(options, Place(own, shared, ports, WorkerStatuses(folder, index), restarts), lambda: news.send(""))
    except (StreamError, CatalogError, EngineError) as error:
        news.send(str(error))
