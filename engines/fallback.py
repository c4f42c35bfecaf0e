"""A preferred engine with another one behind it, so that a GPU that fails costs a session nothing but time.

A valid request that the preferred engine does not answer, within ``limit_s`` and with finite numbers of the right
shapes, goes to the reserve; so do all later requests, until a trial shows that the preferred engine works again:

    preferred --a request fails or hangs--> reserve --back-off is over, a trial succeeds--> preferred

The trial is a request of zeros, of the graph and batch size that failed. The first request after the back-off starts it
and does not wait for it: it runs in the preferred engine's own thread (``timeout_worker.py``). An engine that fails the
trial is opened anew, where the caller says how, since a lost device does not come back within an open engine. The
back-off doubles with each failure, up to ``longest_wait_s``, and starts again from ``wait_s`` once the preferred engine
has worked for ``sound_s``.

*Bounds*: one call of the preferred engine at a time. A call that hangs stays in its thread, its late answer is thrown
away, and that engine gets no other request until the call returns; no second thread is ever started for it.

An invalid request is refused as by any engine, and is not counted here.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from .base import Arrays, Engine, check_inputs, check_outputs, example_inputs
from .bundle import Bundle
from .errors import EngineBusy, EngineClosed, EngineError, EngineFailed
from .manifest import GraphSpec
from .timeout_worker import TimeoutWorker, WorkerTimeout

FAILED, HUNG, BROKEN, BUSY = "failed", "timeout", "error", "busy"
REASONS: Final = (FAILED, HUNG, BROKEN, BUSY)  # a closed set: metrics make a series of each

Outputs = dict[str, NDArray[Any]]

log = logging.getLogger("segue.engine")


@dataclass(frozen=True)
class FallbackOptions:
    """``limit_s``: how long a request may take; half a hop. ``warmup_s``: the same for the warm-up. ``wait_s``: the
    first back-off, ``longest_wait_s`` the longest; ``sound_s``: see the module. ``close_s``: how long ``close`` waits
    for a call that hangs."""

    limit_s: float = 0.5
    warmup_s: float = 120.0
    wait_s: float = 1.0
    longest_wait_s: float = 60.0
    sound_s: float = 60.0
    close_s: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise EngineError(f"{name} is {value}, must be more than 0")


@dataclass(frozen=True)
class FallbackState:
    """The state, for people and for metrics. ``for_s``: how long the reserve has been in use, 0 if it is not;
    ``kind`` (one of ``REASONS``) and ``reason`` (the error's text) of the newest fallback, also after it is over; empty
    before the first. ``fallbacks``: how often, by ``REASONS``;
    ``reserve_requests``: answered by the reserve; ``trials`` of the preferred one, ``returns`` to it. ``stuck_s``: how
    long a call that was given up has been hanging."""

    preferred: str
    reserve: str
    degraded: bool
    for_s: float
    kind: str
    reason: str
    fallbacks: Mapping[str, int]
    reserve_requests: int
    trials: int
    returns: int
    stuck_s: float

    @property
    def in_use(self) -> str:
        return self.reserve if self.degraded else self.preferred


class Calls(Protocol):
    """The part of a ``TimeoutWorker`` that is needed."""

    @property
    def busy_s(self) -> float: ...
    def call(self, work: Callable[[], Outputs | None], limit_s: float, /) -> Outputs | None: ...
    def post(self, work: Callable[[], None], /) -> "Future[None]": ...
    def close(self, last: Callable[[], object], limit_s: float, /) -> bool: ...


class FallbackEngine:
    """An ``Engine``; it owns both engines from now on and closes them. They must run one bundle.

    ``reopen`` makes another preferred engine; without it the same engine is tried again. ``clock``
    and ``worker`` are for tests.
    """

    def __init__(
        self,
        preferred: Engine,
        reserve: Engine,
        options: FallbackOptions | None = None,
        reopen: Callable[[], Engine] | None = None,
        clock: Callable[[], float] = time.monotonic,
        worker: Calls | None = None,
    ) -> None:
        if preferred.bundle.identity != reserve.bundle.identity:
            raise EngineError(
                f"engine {preferred.name} runs bundle {preferred.bundle.path}, {reserve.name} behind it runs "
                f"{reserve.bundle.path}; open both with one bundle"
            )
        self._preferred = preferred
        self._reserve = reserve
        self._options = options or FallbackOptions()
        self._reopen = reopen
        self._clock = clock
        self._worker: Calls = worker or TimeoutWorker(f"engine {preferred.name}")
        self._name = f"{preferred.name}+{reserve.name}"
        self._lock = threading.Lock()  # guards what follows; never held while an engine works
        self._degraded = self._in_trial = self._closed = False
        self._since_s = 0.0  # when the reserve took over, or the preferred one came back
        self._wait_s = 0.0  # the current back-off; 0 before the first failure
        self._retry_s = 0.0  # when it is over
        self._failed_request: tuple[str, int] = ("", 0)  # graph and rows of what failed
        self._kind = self._reason = ""
        self._fallbacks = dict.fromkeys(REASONS, 0)
        self._reserve_requests = self._trials = self._returns = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def bundle(self) -> Bundle:
        return self._reserve.bundle

    @property
    def state(self) -> FallbackState:
        with self._lock:
            return FallbackState(
                preferred=self._preferred.name,
                reserve=self._reserve.name,
                degraded=self._degraded,
                for_s=self._clock() - self._since_s if self._degraded else 0.0,
                kind=self._kind,
                reason=self._reason,
                fallbacks=dict(self._fallbacks),
                reserve_requests=self._reserve_requests,
                trials=self._trials,
                returns=self._returns,
                stuck_s=self._worker.busy_s if self._degraded else 0.0,
            )

    def spec(self, graph: str) -> GraphSpec:
        return self._reserve.spec(graph)

    def run(self, graph: str, inputs: Arrays) -> Outputs:
        if self._use_preferred():
            try:
                return self._run_preferred(graph, inputs)
            except Exception as error:  # noqa: BLE001 - whatever a runtime raises; now the request is checked
                rows = check_inputs(self.spec(graph), inputs)  # an invalid request is the caller's error
                self._fall_back(graph, rows, error)
        return self._reserve.run(graph, inputs)

    def warmup(self) -> None:
        """Warm up both; fall back to the reserve where the preferred engine cannot be warmed up."""
        self._reserve.warmup()
        with self._lock:
            if self._degraded or self._closed:
                return
        try:
            self._worker.call(self._preferred.warmup, self._options.warmup_s)
        except Exception as error:  # noqa: BLE001 - whatever a runtime raises
            self._fall_back(next(iter(self.bundle.manifest.graphs)), 1, error)

    def close(self) -> None:
        """Waits ``close_s`` seconds for a call that hangs, then leaves it to its thread, which ends with the
        process."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if not self._worker.close(lambda: self._preferred.close(), self._options.close_s):  # it may have been reopened
            log.warning("engine %s hangs and is left to itself", self._preferred.name)
        self._reserve.close()

    def _use_preferred(self) -> bool:
        """Whether the request goes to the preferred engine; starts a trial where one is due."""
        with self._lock:
            if self._closed:
                raise EngineClosed(f"engine {self.name} is closed; open another")
            if not self._degraded:
                return True
            self._reserve_requests += 1
            if not self._in_trial and self._clock() >= self._retry_s:
                self._in_trial = True
                self._trials += 1
                self._worker.post(self._run_trial)
            return False

    def _run_preferred(self, graph: str, inputs: Arrays) -> Outputs:
        outputs = self._worker.call(lambda: self._preferred.run(graph, inputs), self._options.limit_s)
        assert outputs is not None
        check_outputs(self.spec(graph), outputs, len(next(iter(inputs.values()))))
        return outputs

    def _fall_back(self, graph: str, rows: int, error: Exception) -> None:
        kind, text = reason_of(error), f"{type(error).__name__}: {error}"
        with self._lock:
            if self._closed:
                raise EngineClosed(f"engine {self.name} is closed; open another") from error
            self._reserve_requests += 1
            if self._degraded:  # another thread's request failed first
                return
            now_s = self._clock()
            if now_s - self._since_s >= self._options.sound_s:
                self._wait_s = 0.0
            self._degraded, self._since_s, self._failed_request = True, now_s, (graph, rows)
            self._kind, self._reason = kind, text
            self._fallbacks[kind] += 1
            self._back_off(now_s)
            wait_s = self._wait_s
        log.warning(
            "engine %s fails (%s, graph %s, batch %d: %s); %s answers, and it is tried again after %g s",
            *(self._preferred.name, kind, graph, rows, text, self._reserve.name, wait_s),
        )

    def _back_off(self, now_s: float) -> None:
        """Wait twice as long as before; with the lock."""
        self._wait_s = min(self._options.longest_wait_s, 2 * self._wait_s or self._options.wait_s)
        self._retry_s = now_s + self._wait_s

    def _run_trial(self) -> None:
        """The trial, in the preferred engine's thread."""
        try:
            self._test_preferred()
        except Exception as error:  # noqa: BLE001 - whatever a runtime raises; it is tried again later
            with self._lock:
                self._in_trial = False
                self._back_off(self._clock())
                wait_s = self._wait_s
            log.info("engine %s still fails (%s); again after %g s", self._preferred.name, error, wait_s)
            return
        with self._lock:
            self._in_trial = False
            now_s = self._clock()
            away_s, self._since_s = now_s - self._since_s, now_s
            self._degraded = False
            self._returns += 1
        log.warning("engine %s works again, after %.1f s", self._preferred.name, away_s)

    def _test_preferred(self) -> None:
        """Return once the preferred engine, or a new one in its place, has answered."""
        try:
            self._run_example(self._preferred)
        except Exception:
            if self._reopen is None or self._closed:
                raise
            try:
                self._preferred.close()
            except Exception as error:  # noqa: BLE001 - what is broken need not close well
                log.info("engine %s did not close well: %s", self._preferred.name, error)
            engine = self._reopen()
            try:
                engine.warmup()
                self._run_example(engine)
            except BaseException:
                engine.close()
                raise
            self._preferred = engine

    def _run_example(self, engine: Engine) -> None:
        graph, rows = self._failed_request
        spec = self.spec(graph)
        check_outputs(spec, engine.run(graph, example_inputs(spec, rows)), rows)


def reason_of(error: Exception) -> str:
    """Which of ``REASONS`` an exception of the preferred engine is."""
    match error:
        case WorkerTimeout():
            return HUNG
        case EngineFailed():
            return FAILED
        case EngineBusy():
            return BUSY
        case _:
            return BROKEN
