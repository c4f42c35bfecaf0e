"""Micro-batching: many sessions ask for a row or two each, the engine is most efficient with many rows at once.

One worker thread takes the oldest request, waits until the window since its arrival has passed or 32 rows of its graph
stand by, and runs them as one batch. Requests of one graph keep their order; the oldest request of all decides which
graph is next, so no graph starves another. Batch sizes are padded to a few fixed ones, since runtimes plan memory (and
pick kernels) anew for every shape they have not seen. ONNX Runtime on a CPU core minds new shapes less than the padded
rows, which cost it as much as real ones: there ``sizes=range(1, 33)``, no padding, does less work.

*Bound*: ``limit`` requests wait at most; at the bound ``submit`` raises ``EngineBusy`` and the refusal is counted.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import Arrays, Engine, check_inputs
from .bundle import Bundle
from .errors import EngineBusy, EngineClosed, EngineError
from .manifest import GraphSpec

SIZES: Final = (1, 2, 4, 8, 16, 32)

Outputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class BatchStats:
    """Totals since the start. ``queueing_s`` sums the time from arrival to the start of the run, over ``requests``."""

    requests: int = 0  # taken from the queue and run
    runs: int = 0  # calls of the wrapped engine
    rows: int = 0  # rows that somebody asked for, in those runs
    padded_rows: int = 0  # rows added to reach a fixed batch size
    queueing_s: float = 0.0
    refused: int = 0  # at the bound


@dataclass(frozen=True, eq=False)
class _Request:
    graph: str
    inputs: Arrays
    rows: int
    future: "Future[Outputs]"
    arrived_s: float  # monotonic


class MicroBatcher:
    """An ``Engine`` in front of ``engine``, which it owns from now on: closing this closes that.

    ``window_ms`` is the longest that a lone request waits for company (0: no wait, only what queued up is joined);
    ``limit`` is the number of requests that may wait; ``sizes``, ascending, are the batch sizes that are run.
    """

    def __init__(self, engine: Engine, window_ms: float = 3.0, limit: int = 256, sizes: Sequence[int] = SIZES) -> None:
        if not 0 <= window_ms <= 1000:
            raise EngineError(f"window_ms is {window_ms}, must be between 0 and 1000")
        if limit < 1:
            raise EngineError(f"limit is {limit}, must be at least 1")
        if not sizes or sizes[0] < 1 or any(low >= high for low, high in pairwise(sizes)):
            raise EngineError(f"sizes are {list(sizes)}, must be positive and ascend")
        self._engine = engine
        self._sizes = tuple(sizes)
        self._max_rows = self._sizes[-1]
        self._window_s = window_ms / 1000
        self._limit = limit
        self._queue: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._stats = BatchStats()
        self._worker = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._worker.start()

    @property
    def name(self) -> str:
        return f"{self._engine.name}-batched"

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

    def submit(self, graph: str, inputs: Arrays) -> "Future[Outputs]":
        """Queue a request of one or more rows; its arrays must stay as they are until the future is done.

        The future gives what ``Engine.run`` gives, or its error; cancelling it before its run takes it out. Raises
        ``EngineError`` at once for invalid inputs, ``EngineBusy`` at the bound, ``EngineClosed`` after ``close``.
        """
        rows = check_inputs(self.spec(graph), inputs)
        future: Future[Outputs] = Future()
        with self._changed:
            if self._closed:
                raise EngineClosed(f"engine {self.name} is closed; open another")
            if len(self._queue) >= self._limit:
                self._stats = replace(self._stats, refused=self._stats.refused + 1)
                raise EngineBusy(f"engine {self.name}: {self._limit} requests wait, the bound; try again later")
            self._queue.append(_Request(graph, dict(inputs), rows, future, time.monotonic()))
            self._changed.notify_all()
        return future

    def run(self, graph: str, inputs: Arrays) -> Outputs:
        if threading.current_thread() is self._worker:
            raise EngineError("run was called from a future's callback, which would wait for itself; use submit there")
        return self.submit(graph, inputs).result()

    def close(self, drain: bool = True) -> None:
        """Refuse new requests, answer those that wait (or cancel them, without ``drain``), close the wrapped engine."""
        with self._changed:
            self._closed = True
            left = [] if drain else list(self._queue)
            if not drain:
                self._queue.clear()
            self._changed.notify_all()
        for request in left:
            request.future.cancel()
        if threading.current_thread() is not self._worker:
            self._worker.join()
        self._engine.close()

    def _work(self) -> None:
        while batch := self._take():
            try:
                self._answer(batch)
            finally:
                batch.clear()  # the next wait may be long; do not keep the arrays alive

    def _take(self) -> list[_Request]:
        """The next batch, all of one graph and not yet cancelled; empty when closed and drained."""
        with self._changed:
            while True:
                while not self._queue and not self._closed:
                    self._changed.wait()
                if not self._queue:
                    return []
                self._gather(self._queue[0])
                if batch := self._pick():
                    return batch

    def _gather(self, oldest: _Request) -> None:
        """Wait for company until the window since the oldest request's arrival has passed."""
        while not self._closed and sum(r.rows for r in self._queue if r.graph == oldest.graph) < self._max_rows:
            left_s = oldest.arrived_s + self._window_s - time.monotonic()
            if left_s <= 0 or not self._queue or self._queue[0] is not oldest:
                return
            self._changed.wait(left_s)

    def _pick(self) -> list[_Request]:
        """Take the oldest request and, in order, those of its graph that fit beside it."""
        batch: list[_Request] = []
        kept: deque[_Request] = deque()
        graph, rows, full = self._queue[0].graph, 0, False
        for request in self._queue:
            if request.graph != graph or full:
                kept.append(request)
            elif batch and rows + request.rows > self._max_rows:
                full = True  # a later, smaller one must not overtake this one
                kept.append(request)
            elif request.future.set_running_or_notify_cancel():
                batch.append(request)
                rows += request.rows
        self._queue = kept
        now_s = time.monotonic()
        waited_s = sum(now_s - request.arrived_s for request in batch)
        before = self._stats
        requests, queueing_s = before.requests + len(batch), before.queueing_s + waited_s
        self._stats = replace(before, requests=requests, queueing_s=queueing_s)
        return batch

    def _answer(self, batch: Sequence[_Request]) -> None:
        try:
            outputs = self._run(batch[0].graph, join([request.inputs for request in batch]))
        except Exception as error:  # noqa: BLE001 - whatever the runtime raises belongs to who asked
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for request in batch:  # one of them is to blame; the others must not pay for it
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
        rows = len(next(iter(inputs.values())))
        parts: list[Outputs] = []
        for start in range(0, rows, self._max_rows):
            count = min(self._max_rows, rows - start)
            size = padded_size(count, self._sizes)
            part = {name: pad(array[start : start + count], size) for name, array in inputs.items()}
            with self._changed:
                s = self._stats
                self._stats = replace(s, runs=s.runs + 1, rows=s.rows + count, padded_rows=s.padded_rows + size - count)
            outputs = self._engine.run(graph, part)
            for name, array in outputs.items():
                if array.shape[:1] != (size,):
                    raise EngineError(f"graph {graph}: output {name} has shape {array.shape} for a batch of {size}")
            parts.append({name: array[:count] for name, array in outputs.items()})
        return parts[0] if len(parts) == 1 else join(parts)


def padded_size(rows: int, sizes: Sequence[int] = SIZES) -> int:
    """The smallest of ``sizes`` that holds ``rows``, which is at most the last of them."""
    return next(size for size in sizes if size >= rows)


def pad(array: NDArray[Any], size: int) -> NDArray[Any]:
    """``array`` with its last row repeated up to ``size`` rows: a valid row, so that no mask is all false."""
    missing = size - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array


def join(parts: Sequence[Arrays]) -> Outputs:
    """One set of arrays out of many with the same names, along the batch axis."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
