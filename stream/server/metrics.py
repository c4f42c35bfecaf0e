"""What the server counts and times, for Prometheus: ``GET /metrics`` in its text format or in OpenMetrics.

Each app has a registry of its own. ``LiveDriver``'s probe feeds the histograms of stages; everything else is read at a
scrape: the counts of the running sessions, plus the sums of those that ended, so totals never decrease. Labels come
from closed sets, never from clients: clients cannot make the number of series grow.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import asdict
from itertools import accumulate
from typing import Final
from weakref import WeakSet

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from engines.base import Engine
from engines.batcher import QUEUEING_EDGES_S, BatchStats, MicroBatcher
from engines.fallback import REASONS
from stream.core.events import End, Notice, Suggestions
from stream.core.quality_level import STEPS
from stream.driver import stopwatch
from stream.driver.live import LiveDriver
from stream.driver.runtime import Runtime

from .access import AccessOptions, require
from .engine import fallback_of
from .hub import Hub
from .pool import SessionPool

STAGES: Final = tuple(stage for stage in stopwatch.STAGES if stage != stopwatch.DECODE)  # that is the sources'
OTHER: Final = "other"  # a stage that is not in the list: counted, never a label of its own
STAGE_BUCKETS_S: Final = (0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
FRESH_BUCKETS_S: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0)
LOSSES: Final = ("replaced", "stale", "undated", "undecoded")  # the fields of LiveStats that count lost frames
SUMMED: Final = ("frames", "sampled", *LOSSES, "suggestions", "skipped_hops", "late_hops", "failed_hops", "resets")
ENGINE_TEXTS: Final = {
    "requests": "Requests that the engine has run.",
    "runs": "Batches that the engine has run.",
    "rows": "Requested rows in those batches.",
    "padded_rows": "Rows added to reach a fixed batch size.",
    "refused": "Requests refused because too many waited.",
    "late": "Requests dropped without a run, because their answers were no longer of use.",
}


class Metrics:
    """The measurements of one app. ``probe`` may be called from any thread, everything else on the event loop."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        stages = Histogram(
            "segue_stage_seconds",
            "Time of one piece of work, by stage.",
            ["stage"],
            buckets=STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self._stages = {name: stages.labels(name) for name in (*STAGES, OTHER)}
        self._fresh = Histogram(
            "segue_freshness_seconds",
            "From the moment when a second of the stream was over to the publication of its suggestions.",
            buckets=FRESH_BUCKETS_S,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self._sums = dict.fromkeys(SUMMED, 0)
        self._ended: WeakSet[LiveDriver] = WeakSet()

    def probe(self, stage: str, seconds: float) -> None:
        """Observe a duration of a stage."""
        self._stages.get(stage, self._stages[OTHER]).observe(seconds)

    def sink(self, driver: LiveDriver) -> "SessionMetrics":
        """The sink for the notices of a driver's session."""
        return SessionMetrics(self, driver)

    def observe_freshness(self, late_ms: float) -> None:
        """Observe how late a list was."""
        self._fresh.observe(late_ms / 1000)

    def end_session(self, driver: LiveDriver) -> None:
        """Add the final counts of a session; from now on it is no longer read. Further calls for it do nothing."""
        if driver in self._ended:
            return
        self._ended.add(driver)
        for name in SUMMED:
            self._sums[name] += getattr(driver.stats, name)

    def totals(self, running: Iterable[LiveDriver]) -> dict[str, int]:
        """The counts of the sessions that ended and of those that run, by the names in ``SUMMED``."""
        stats = [live.stats for live in running if live not in self._ended]
        return {name: self._sums[name] + sum(getattr(stat, name) for stat in stats) for name in SUMMED}


class SessionMetrics:
    """A sink: freshness of each list, and the counts of a session once it ends."""

    def __init__(self, metrics: Metrics, driver: LiveDriver) -> None:
        self._metrics, self._driver = metrics, driver

    def put(self, notice: Notice) -> None:
        if isinstance(notice, Suggestions) and notice.late_ms is not None:
            self._metrics.observe_freshness(notice.late_ms)
        elif isinstance(notice, End):
            self._metrics.end_session(self._driver)


class HubCollector(Collector):
    """Reads hub, engine and workers at a scrape. On the event loop only."""

    def __init__(self, metrics: Metrics, hub: Hub, runtime: Runtime, workers: Executor, restarts: int = 0) -> None:
        """``restarts``: how often a process in this place ended by itself and was replaced."""
        self._metrics, self._hub, self._workers, self._restarts = metrics, hub, workers, restarts
        self._engine, self._catalog = runtime.engine, runtime.catalog

    def describe(self) -> Iterable[Metric]:
        return []  # without this the registry would collect at once, to learn the names

    def collect(self) -> Iterator[Metric]:
        yield from self._frames()
        yield from self._sessions()
        yield from self._queues()
        yield from self._of_engine()
        yield from self._of_search()

    def _frames(self) -> Iterator[Metric]:
        lives = (session.live for session in self._hub.sessions)
        totals = self._metrics.totals(live for live in lives if isinstance(live, LiveDriver))
        yield _counter("segue_frames_received", "Frames that arrived.", totals["frames"])
        yield _counter("segue_frames_sampled", "Frames that were analysed.", totals["sampled"])
        dropped = CounterMetricFamily("segue_frames_dropped", "Frames lost, by reason.", labels=["reason"])
        for reason in LOSSES:
            dropped.add_metric([reason], totals[reason])
        yield dropped
        yield _counter("segue_suggestions", "Suggestions published.", totals["suggestions"])
        skipped = "Hops without suggestions because the one before was still being computed."
        yield _counter("segue_hops_skipped", skipped, totals["skipped_hops"])
        late = "Of the skipped hops, those that the engine did not reach in time."
        yield _counter("segue_hops_late", late, totals["late_hops"])
        failed = "Of the skipped hops, those in which the engine failed."
        yield _counter("segue_hops_failed", failed, totals["failed_hops"])
        restarted = "Times that this worker ended by itself and was started again."
        yield _counter("segue_worker_restarts", restarted, self._restarts)
        yield _counter("segue_resets", "Times that a stream's timestamps broke.", totals["resets"])

    def _sessions(self) -> Iterator[Metric]:
        hub = self._hub
        sessions = hub.sessions
        viewers = [viewer for session in sessions for viewer in session.viewers]
        step = STEPS.index(hub.shedding.level)
        yield _gauge("segue_easing_step", "0: full; 1: longer hop; 2: lower motion rate.", step)
        yield _gauge("segue_sessions", "Sessions now, publishers still connecting included.", len(sessions))
        yield _gauge("segue_sessions_limit", "The most sessions at a time.", hub.options.max_sessions)
        yield _gauge("segue_viewers", "Viewers now.", len(viewers))
        counts = asdict(hub.counters)
        lost = counts.pop("lost_messages") + sum(session.viewers.lost for session in sessions)
        yield _counter("segue_messages_lost", "Messages that a viewer was too slow for.", lost)
        events = CounterMetricFamily("segue_hub_events", "What became of publishers.", labels=["event"])
        for event, count in counts.items():
            events.add_metric([event], count)
        yield events

    def _queues(self) -> Iterator[Metric]:
        depths = GaugeMetricFamily("segue_queue_depth", "What waits now, by queue.", labels=["queue"])
        waiting = [len(viewer) for session in self._hub.sessions for viewer in session.viewers]
        depths.add_metric(["viewers"], sum(waiting))
        depths.add_metric(["slowest_viewer"], max(waiting, default=0))
        if isinstance(self._engine, MicroBatcher):
            depths.add_metric(["engine"], self._engine.waiting)
        if isinstance(self._workers, SessionPool):
            depths.add_metric(["workers"], self._workers.waiting)
        yield depths

    def _of_engine(self) -> Iterator[Metric]:
        bundle = self._engine.bundle
        facts = {"engine": self._engine.name, "system": bundle.manifest.system, "bundle": bundle.identity}
        yield InfoMetricFamily("segue_engine", "What runs the networks, and which.", facts)
        yield from _of_fallback(self._engine)
        if isinstance(self._engine, MicroBatcher):
            stats: BatchStats = self._engine.stats
            for field, text in ENGINE_TEXTS.items():
                yield _counter(f"segue_engine_{field}", text, getattr(stats, field))
            yield _queueing(stats)

    def _of_search(self) -> Iterator[Metric]:
        state = self._catalog.search_state
        yield InfoMetricFamily(
            "segue_search", "Where segments are searched.", {"device": state.device, "reason": state.reason}
        )
        yield _counter("segue_search_gpu_queries", "Queries that a GPU answered.", state.proposed)
        yield _counter("segue_search_passed_on", "Queries that the CPU answered for a GPU.", state.passed_on)


def metrics_routes(metrics: Metrics, refusal: Callable[[Request], str], access: AccessOptions) -> APIRouter:
    """``/metrics``, for clients that may view; ``refusal`` says why a request cannot be answered here, or is empty."""
    router = APIRouter()

    @router.get("/metrics", dependencies=[Depends(require(access, "view"))])
    async def scrape(request: Request) -> Response:
        if reason := refusal(request):
            return Response(reason + "\n", 404, media_type="text/plain")
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"content-type": kind})

    return router


def _of_fallback(engine: Engine) -> Iterator[Metric]:
    """Which engine answers now, and how the preferred one fared; zeros for an engine without a reserve."""
    fallback = fallback_of(engine)
    state = None if fallback is None else fallback.state
    in_use = GaugeMetricFamily("segue_engine_in_use", "1 for the engine that answers now.", labels=["engine"])
    counts = CounterMetricFamily(
        "segue_engine_fallbacks",
        "Times that another engine took over, by what the preferred one did.",
        labels=["reason"],
    )
    for reason in REASONS:
        counts.add_metric([reason], 0 if state is None else state.fallbacks[reason])
    if state is None:
        in_use.add_metric([engine.engine.name if isinstance(engine, MicroBatcher) else engine.name], 1)
    else:
        for name in dict.fromkeys((state.preferred, state.reserve)):
            in_use.add_metric([name], name == state.in_use)
    yield in_use
    yield counts
    returns, reserve, stuck_s = (0, 0, 0.0) if state is None else (state.returns, state.reserve_requests, state.stuck_s)
    yield _counter("segue_engine_returns", "Times that the preferred engine worked again.", returns)
    yield _counter("segue_engine_reserve_requests", "Batches answered by the engine behind the preferred one.", reserve)
    yield _gauge("segue_engine_stuck_seconds", "How long a given-up call has been hanging.", stuck_s)


def _queueing(stats: BatchStats) -> Metric:
    text = "Time that a request has waited for its batch."
    family = HistogramMetricFamily("segue_engine_queueing_seconds", text)
    edges = (*map(floatToGoString, QUEUEING_EDGES_S), "+Inf")
    family.add_metric([], list(zip(edges, accumulate(stats.queueing), strict=True)), stats.queueing_s)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
