"""Exact search on a GPU by FAISS: a single worker owns the device; callers wait for it or search on the CPU.

A GPU's resources (stream, scratch memory) must not be used by two threads at once, so everything that touches them
happens in one thread, also making and dropping them. One call answers all queries that wait there. The GPU only
*proposes* rows: the CPU computes all scores, so both ways rank alike (except for ties at the end of the fetched rows).
It never makes a search fail: at the bound of the queue, for more rows than a GPU selects, and after any failure the
answer is None, and the caller searches on the CPU. A failure lasts until the catalogue is opened again; ``state`` says
why.

Tests compare names and signatures with those of faiss-gpu-cu12 1.14.1 (``tests/catalog/index``); it has not run on a
GPU yet.
"""

import logging
import threading
from collections import deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.errors import SearchDeviceError
from catalog.records import Floats

from .base import SearchState

log = logging.getLogger(__name__)

DEVICES: Final = ("cpu", "gpu", "auto")
MAX_ROWS: Final = 2048  # what FAISS's selection on a GPU gives at most
MAX_WAITING: Final = 64  # queries; beyond it a caller searches on the CPU
ANSWER_S: Final = 2.0  # wait for an answer
OPEN_S: Final = 60.0  # wait for the start: a first use of CUDA loads its libraries and copies the vectors
SCRATCH_BYTES: Final = 64 << 20  # for selection; FAISS's own default takes 1.5 GB of a device that engines share
AUTO_ROWS: Final = 50_000  # a core needs two milliseconds for as many (128 numbers each); ``auto`` uses it below

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Query:
    vector: Floats
    rows: int
    answer: "Future[Rows]"


class GpuSearcher:
    """The vectors (rows, E) float32 on GPU ``device``. ``library`` is the module ``faiss``, or a stand-in.

    Raises ``SearchDeviceError`` where there is no GPU in FAISS or in the machine, or not enough memory.
    """

    def __init__(self, vectors: Floats, device: int = 0, library: Any = None, answer_s: float = ANSWER_S) -> None:
        self._library = gpu_library() if library is None else library
        if reason := probe(self._library, device):
            raise SearchDeviceError(f"search device gpu: {reason}")
        self._name = f"gpu-{device}"
        self._device = device
        self._total = len(vectors)
        self._answer_s = answer_s
        self._changed = threading.Condition()
        self._queue: deque[_Query] = deque()
        self._state = SearchState(self._name)
        self._closed = False
        ready: Future[None] = Future()
        self._worker = threading.Thread(target=self._work, args=(vectors, ready), name="gpu-search", daemon=True)
        self._worker.start()
        try:
            ready.result(OPEN_S)
        except FutureTimeoutError:
            self._fail(f"it was not ready within {OPEN_S:.0f} s")
            raise SearchDeviceError(f"search device gpu: {self.state.reason}; use --search-device cpu") from None
        except Exception as error:
            raise SearchDeviceError(
                f"search device gpu: {len(vectors)} vectors cannot be put there ({message_of(error)}); "
                "free its memory or use --search-device cpu"
            ) from error

    @property
    def state(self) -> SearchState:
        with self._changed:
            return self._state

    def propose(self, query: Floats, rows: int) -> Rows | None:
        """The ``rows`` rows nearest to ``query`` (E,), in any order; None where the CPU has to search."""
        with self._changed:
            if self._closed or self._state.reason:
                return None
            if rows > MAX_ROWS or len(self._queue) >= MAX_WAITING:
                self._count(passed_on=1)
                return None
            pending = _Query(np.ascontiguousarray(query, dtype=np.float32), rows, Future())
            self._queue.append(pending)
            self._changed.notify()
        try:
            return pending.answer.result(self._answer_s)
        except FutureTimeoutError:
            self._fail(f"{self._name} did not answer within {self._answer_s:g} s")
            return None
        except Exception:  # noqa: BLE001 - the worker has recorded why
            return None

    def close(self) -> None:
        """Let the worker drop what it holds on the device. May be called twice."""
        with self._changed:
            self._closed = True
            waiting = list(self._queue)
            self._queue.clear()
            self._changed.notify()
        for query in waiting:
            query.answer.set_exception(RuntimeError("closed"))
        self._worker.join(self._answer_s)

    def _work(self, vectors: Floats, ready: "Future[None]") -> None:
        try:
            index = self._put(vectors)
        except Exception as error:  # noqa: BLE001 - raised where the searcher is opened
            ready.set_exception(error)
            return
        del vectors
        ready.set_result(None)
        batch: list[_Query] = []
        try:
            while batch := self._take():
                self._count(proposed=len(batch))
                for query, rows in zip(batch, self._search(index, batch), strict=True):
                    query.answer.set_result(rows)
        except Exception as error:  # noqa: BLE001 - FAISS raises RuntimeError for whatever CUDA says
            self._fail(f"{self._name} failed ({message_of(error)})")
            for query in batch:
                if not query.answer.done():
                    query.answer.set_exception(error)

    def _put(self, vectors: Floats) -> Any:
        """(index, the resources that it needs) on the device."""
        resources = self._library.StandardGpuResources()
        resources.setTempMemory(SCRATCH_BYTES)
        config = self._library.GpuIndexFlatConfig()
        config.device = self._device
        config.useFloat16 = False
        index = self._library.GpuIndexFlatIP(resources, int(vectors.shape[1]), config)
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return index, resources

    def _take(self) -> list[_Query]:
        """All queries that wait; empty once closed or failed."""
        with self._changed:
            while not self._queue and not self._closed and not self._state.reason:
                self._changed.wait()
            if self._closed or self._state.reason:
                return []
            batch = list(self._queue)
            self._queue.clear()
            return batch

    def _search(self, held: Any, batch: list[_Query]) -> list[Rows]:
        index, _ = held
        most = max(query.rows for query in batch)
        _, nearest = index.search(np.stack([query.vector for query in batch]), most)
        rows = np.asarray(nearest, dtype=np.int64)
        if rows.shape != (len(batch), most) or rows.min() < 0 or rows.max() >= self._total:
            raise RuntimeError(f"it gave rows {rows.shape} from {rows.min()} to {rows.max()} of {self._total}")
        return [row[: query.rows] for query, row in zip(batch, rows, strict=True)]

    def _count(self, proposed: int = 0, passed_on: int = 0) -> None:
        with self._changed:
            old = self._state
            self._state = SearchState(old.device, old.reason, old.proposed + proposed, old.passed_on + passed_on)

    def _fail(self, reason: str) -> None:
        """Search on the CPU from now on, also for the queries that wait."""
        with self._changed:
            old = self._state
            self._state = SearchState("cpu", old.reason or reason, old.proposed, old.passed_on)
            waiting = list(self._queue)
            self._queue.clear()
            self._changed.notify()
        if not old.reason:
            log.warning("searches go to the CPU from now on: %s", reason)
        for query in waiting:
            query.answer.set_exception(RuntimeError(reason))


def open_searcher(
    device: str, vectors: Floats, library: Any = None, auto_rows: int = AUTO_ROWS
) -> tuple[GpuSearcher | None, SearchState]:
    """Open what ``--search-device`` names; the searcher and its state. ``library``: as for ``GpuSearcher``.

    ``gpu`` raises ``SearchDeviceError`` where there is none; ``auto`` stays on the CPU then, and for a small catalogue.
    """
    if device not in DEVICES:
        raise SearchDeviceError(f"search device {device!r}: must be one of {', '.join(DEVICES)}")
    if device == "cpu":
        return None, SearchState("cpu")
    if device == "auto" and len(vectors) < auto_rows:
        return None, SearchState("cpu", f"{len(vectors)} segments, a GPU is used from {auto_rows}")
    if not len(vectors):
        return None, SearchState("cpu", "the catalogue is empty")
    try:
        searcher = GpuSearcher(vectors, library=library)
    except SearchDeviceError as error:
        if device == "gpu":
            raise
        return None, SearchState("cpu", str(error))
    return searcher, searcher.state


def gpu_library() -> Any:
    """``faiss``, which the CPU's index has loaded already."""
    import faiss

    return faiss


def probe(library: Any = None, device: int = 0) -> str | None:
    """Why FAISS cannot search on that GPU here, and the cure; None where it sees the device."""
    library = gpu_library() if library is None else library
    if not hasattr(library, "StandardGpuResources"):
        version = getattr(library, "__version__", "unknown")
        return f"FAISS {version} here is built without GPUs; install faiss-gpu-cu12 in the place of faiss-cpu"
    try:
        count = int(library.get_num_gpus())
    except RuntimeError as error:
        return f"FAISS cannot reach a GPU ({message_of(error)}); mend the driver, or use --search-device cpu"
    if device >= count:
        return f"FAISS sees {count} GPUs, number {device} was asked for; check nvidia-smi and CUDA_VISIBLE_DEVICES"
    return None


def message_of(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1][:300]
