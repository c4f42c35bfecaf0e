"""Micro-batching: many sessions ask for a row or two each, the engine is most efficient with many rows at once.

One worker thread takes the request whose owner is first in turn. It waits until the window since the oldest arrival has
passed or a full batch of its graph is there, and runs them as one batch. ``fair_queue.py`` decides who is next and says
what owners can rely on. Batch sizes are padded to a few fixed ones, since runtimes plan memory (and pick kernels) anew
for every shape they have not seen. On a CPU core ONNX Runtime loses less by new shapes than by padded rows, which cost
as much as real ones: there ``sizes=range(1, 33)``, no padding, does less work.

*Bound*: ``limit`` requests wait at most; at the bound ``submit`` raises ``EngineBusy`` and the refusal is counted.
*Deadline*: a request may have a deadline, after which its answer is of no use. When the worker comes to it later, it is
dropped: its future fails with ``EngineLate``, the engine does not run it, and it is counted.
"""

import bisect
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final

from .base import Arrays, Engine, check_inputs
from .bundle import Bundle
from .errors import EngineBusy, EngineClosed, EngineError, EngineLate
from .fair_queue import FairQueue
from .manifest import GraphSpec
from .rows import SIZES, Outputs, checked_sizes, cut, join, pad, padded_size

# upper ends of the histogram of queueing times, in seconds; a last one, without end, comes behind them
QUEUEING_EDGES_S: Final = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)

Sizes = Sequence[int] | Mapping[str, Sequence[int]]
Run = Callable[[str, Arrays], Outputs]


@dataclass(frozen=True)
class BatchStats:
    """Totals since the start. ``queueing_s`` sums the time from arrival to the start of the run, over ``requests``;
    ``queueing`` counts them by that time: up to each of ``QUEUEING_EDGES_S``, and above the last."""

    requests: int = 0  # taken from the queue and run
    runs: int = 0  # calls of the wrapped engine
    rows: int = 0  # requested rows in those runs
    padded_rows: int = 0  # rows added to reach a fixed batch size
    queueing_s: float = 0.0
    queueing: tuple[int, ...] = (0,) * (len(QUEUEING_EDGES_S) + 1)
    refused: int = 0  # at the bound
    late: int = 0  # dropped, since their deadline had passed


@dataclass(frozen=True, eq=False)
class _Request:
    graph: str
    inputs: Arrays
    rows: int
    owner: Hashable
    future: "Future[Outputs]"
    arrived_s: float  # monotonic, as the deadline
    deadline_s: float | None


class MicroBatcher:
    """An ``Engine`` in front of ``engine``, which it owns from now on: closing this closes that.

    ``window_ms`` is the longest that a lone request waits for company (0: no wait, only what queued up is joined);
    ``limit`` is the number of requests that may wait; ``sizes``, ascending, are the batch sizes that are run, for every
    graph or by the graph's name (those that are not named have ``SIZES``).
    """

    def __init__(self, engine: Engine, window_ms: float = 3.0, limit: int = 256, sizes: Sizes = SIZES) -> None:
        if not 0 <= window_ms <= 1000:
            raise EngineError(f"window_ms is {window_ms}, must be between 0 and 1000")
        if limit < 1:
            raise EngineError(f"limit is {limit}, must be at least 1")
        self._engine = engine
        self._run_checked: Run = getattr(engine, "run_checked", engine.run)  # requests were checked as they came
        by_graph = sizes if isinstance(sizes, Mapping) else dict.fromkeys(engine.bundle.manifest.graphs, sizes)
        self._sizes = {graph: checked_sizes(of_graph) for graph, of_graph in by_graph.items()}
        self._window_s = window_ms / 1000
        self._limit = limit
        self._queue: FairQueue[_Request] = FairQueue()
        self._changed = threading.Condition()
        self._closed = False
        self._stats = BatchStats()
        self._worker = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._worker.start()

    @property
    def name(self) -> str:
        return f"{self._engine.name}-batched"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The batch sizes of all graphs."""
        return tuple(sorted({size for graph in self.bundle.manifest.graphs for size in self._sizes.get(graph, SIZES)}))

    @property
    def engine(self) -> Engine:
        """The wrapped engine."""
        return self._engine

    @property
    def bundle(self) -> Bundle:
        return self._engine.bundle

    @property
    def stats(self) -> BatchStats:
        with self._changed:
            return self._stats

    @property
    def waiting(self) -> int:
        """Requests in the queue now."""
        with self._changed:
            return len(self._queue)

    def spec(self, graph: str) -> GraphSpec:
        return self._engine.spec(graph)

    def warmup(self) -> None:
        self._engine.warmup()

    def submit(
        self, graph: str, inputs: Arrays, *, owner: Hashable = None, deadline_s: float | None = None
    ) -> "Future[Outputs]":
        """Queue a request of one or more rows; its arrays must stay as they are until the future is done.

        ``owner``: the owner of the request; owners are served in turn. ``deadline_s``, by ``time.monotonic``: not run
        after it. The future gives what ``Engine.run`` gives, or its error, or ``EngineLate``; cancelling it before its
        run removes the request. Raises ``EngineError`` at once for invalid inputs, ``EngineLate`` for a deadline that
        has passed, ``EngineBusy`` at the bound, ``EngineClosed`` after ``close``.
        """
        rows = check_inputs(self.spec(graph), inputs)
        future: Future[Outputs] = Future()
        late: list[_Request] = []
        try:
            with self._changed:
                if self._closed:
                    raise EngineClosed(f"engine {self.name} is closed; open another")
                now_s = time.monotonic()
                if deadline_s is not None and now_s >= deadline_s:
                    self._stats = replace(self._stats, late=self._stats.late + 1)
                    raise EngineLate(f"engine {self.name}: the deadline passed before the request came; ask sooner")
                if len(self._queue) >= self._limit:
                    late = self._drop_late(now_s)
                if len(self._queue) >= self._limit:
                    self._stats = replace(self._stats, refused=self._stats.refused + 1)
                    raise EngineBusy(f"engine {self.name}: {self._limit} requests wait, the bound; try again later")
                self._queue.push(_Request(graph, dict(inputs), rows, owner, future, now_s, deadline_s))
                self._changed.notify_all()
        finally:
            self._fail_late(late)
        return future

    def run(self, graph: str, inputs: Arrays) -> Outputs:
        if threading.current_thread() is self._worker:
            raise EngineError("run was called from a future's callback, which would wait for itself; use submit there")
        return self.submit(graph, inputs).result()

    def close(self, drain: bool = True) -> None:
        """Refuse new requests, answer those that wait (or cancel them, without ``drain``), close the wrapped engine."""
        with self._changed:
            self._closed = True
            left = [] if drain else self._queue.clear()
            self._changed.notify_all()
        for request in left:
            request.future.cancel()
        if threading.current_thread() is not self._worker:
            self._worker.join()
        self._engine.close()

    def _work(self) -> None:
        while True:
            batch, late = self._take()
            self._fail_late(late)
            late.clear()
            if not batch and self._over():
                return
            try:
                if batch:
                    self._answer(batch)
            finally:
                batch.clear()  # the next wait may be long; do not keep the arrays alive

    def _over(self) -> bool:
        with self._changed:
            return self._closed and not len(self._queue)

    def _take(self) -> tuple[list[_Request], list[_Request]]:
        """The next batch, all of one graph and not cancelled, and the requests that are too late; both empty when
        closed and drained."""
        with self._changed:
            while True:
                while not len(self._queue) and not self._closed:
                    self._changed.wait()
                self._gather()
                late = self._drop_late(time.monotonic())
                self._queue.drop(lambda request: request.future.cancelled())
                leader = self._queue.leader()
                batch = [] if leader is None else self._pick(self._max_rows(leader.graph))
                if batch or late or (self._closed and not len(self._queue)):
                    return batch, late

    def _gather(self) -> None:
        """Wait for company until the window since the oldest request's arrival has passed."""
        while not self._closed and (leader := self._queue.leader()) is not None:
            left_s = self._queue.oldest_s() + self._window_s - time.monotonic()
            if left_s <= 0 or self._queue.rows(leader.graph) >= self._max_rows(leader.graph):
                return
            self._changed.wait(left_s)

    def _pick(self, max_rows: int) -> list[_Request]:
        batch = self._queue.take(max_rows, lambda request: request.future.set_running_or_notify_cancel())
        now_s = time.monotonic()
        waits_s = [now_s - request.arrived_s for request in batch]
        before = self._stats
        counts = list(before.queueing)
        for wait_s in waits_s:
            counts[bisect.bisect_left(QUEUEING_EDGES_S, wait_s)] += 1
        if batch:
            self._stats = replace(
                before,
                requests=before.requests + len(batch),
                queueing_s=before.queueing_s + sum(waits_s),
                queueing=tuple(counts),
            )
        return batch

    def _drop_late(self, now_s: float) -> list[_Request]:
        """Remove the requests whose deadline has passed; with the lock. Their futures fail outside it."""
        gone = self._queue.drop(lambda request: request.deadline_s is not None and now_s >= request.deadline_s)
        late = [request for request in gone if request.future.set_running_or_notify_cancel()]
        if late:
            self._stats = replace(self._stats, late=self._stats.late + len(late))
        return late

    def _fail_late(self, late: Sequence[_Request]) -> None:
        for request in late:
            waited_ms = 1000 * (time.monotonic() - request.arrived_s)
            request.future.set_exception(
                EngineLate(
                    f"engine {self.name}: a request for {request.graph} waited {waited_ms:.0f} ms, past its deadline, "
                    "and was dropped; the engine has more to do than it can: end a session or give it more cores"
                )
            )

    def _max_rows(self, graph: str) -> int:
        return self._sizes.get(graph, SIZES)[-1]

    def _answer(self, batch: Sequence[_Request]) -> None:
        try:
            outputs = self._run(batch[0].graph, join([request.inputs for request in batch]))
        except Exception as error:  # noqa: BLE001 - whatever the runtime raises goes to the caller
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for request in batch:  # one of them is to blame; the others must not fail with it
                self._answer([request])
            return
        start = 0
        for request in batch:
            stop = start + request.rows
            # Copies, so that one answer does not keep the whole batch's memory alive or share it.
            request.future.set_result({name: array[start:stop].copy() for name, array in outputs.items()})
            start = stop

    def _run(self, graph: str, inputs: Outputs) -> Outputs:
        """Run any number of rows in slices of at most the largest size, each padded to a fixed one."""
        sizes = self._sizes.get(graph, SIZES)
        parts: list[Outputs] = []
        for rows, count in cut(inputs, self._max_rows(graph)):
            size = padded_size(count, sizes)
            part = {name: pad(array, size) for name, array in rows.items()}
            with self._changed:
                s = self._stats
                self._stats = replace(s, runs=s.runs + 1, rows=s.rows + count, padded_rows=s.padded_rows + size - count)
            outputs = self._run_checked(graph, part)
            for name, array in outputs.items():
                if array.shape[:1] != (size,):
                    raise EngineError(f"graph {graph}: output {name} has shape {array.shape} for a batch of {size}")
            parts.append({name: array[:count] for name, array in outputs.items()})
        return join(parts)
