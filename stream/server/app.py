"""The application: one engine, one catalogue, one hub of sessions, and the page.

Parts start in the order in which they depend on each other and stop in reverse: socket, engine, catalogue, workers,
sessions. Whatever the user can mend is found before the first request is taken.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Final

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
from starlette.requests import HTTPConnection

from catalog.catalog import Catalog
from engines.bundle import default_bundle, load_bundle
from engines.choose import AUTO, EngineOptions
from features.spec import FEATURES
from stream.driver.live import LiveDriver, LiveOptions
from stream.driver.stopwatch import Stopwatch
from stream.recording.header import RecordOptions
from stream.recording.recorder import Recordings
from stream.runtime import Runtime
from stream.sinks.base import Sinks
from stream.sources.webrtc import adapt
from stream.sources.webrtc.peer import forgive
from stream.sources.webrtc.ports import PortRange, hold_to

from . import takeover
from .access import AccessOptions
from .address import base_url as base_url_of
from .address import public_origins, resolved
from .drain import Drain
from .engine import degraded, open_batched, standing
from .errors import ServeError
from .health import health_routes
from .hub import Hub, HubOptions
from .ingest import ingest_routes
from .memory import give_back, glibc_trim
from .metrics import HubCollector, Metrics, metrics_routes
from .pool import SessionPool
from .preview import preview_routes
from .pulls import PullOptions, pull_routes
from .security import Guard, is_loopback
from .takeover import nowhere
from .tls import TlsOptions
from .viewers import viewer_routes
from .whip import WhipOptions, whip_routes
from .workers import Place

log = logging.getLogger(__name__)

PAGE_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
RECORD_WAIT_S: Final = 10.0  # at the end, for a slow disk


@dataclass(frozen=True)
class ServeOptions:
    """What ``segue serve`` is told. ``bundle`` None: the one that is shipped."""

    catalog: Path
    bundle: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8765
    threads: int = 1  # of the engine
    engine: str = AUTO
    engines: EngineOptions = field(default_factory=EngineOptions)  # but for ``threads``
    search_device: str = "cpu"
    target_lufs: float | None = None  # None: the catalogue's own
    batch_sizes: tuple[int, ...] | None = None  # None: those of ``engines.batcher``
    origins: tuple[str, ...] = ()
    access: AccessOptions = field(default_factory=AccessOptions)
    tls: TlsOptions | None = None
    max_connections: int | None = None  # of each process; None: from ``hub`` (see `connections_for`)
    drain_s: float = 20.0  # sessions may go on for so long after SIGTERM
    workers: int = 1  # processes
    worker_ports: tuple[int, int] | None = None  # first and last; None: those after ``port``
    public_url: str = ""  # by which clients reach this very machine; empty: as they came
    log_format: str = "text"
    log_level: str = "warning"
    hub: HubOptions = field(default_factory=HubOptions)
    whip: WhipOptions = field(default_factory=WhipOptions)
    pull: PullOptions = field(default_factory=PullOptions)
    udp_ports: PortRange | None = None  # of WebRTC; None: any
    plain_webrtc: bool = False
    live: LiveOptions = field(default_factory=LiveOptions)
    record: Path | None = None  # a folder, to keep a recording of each session
    recording: RecordOptions = field(default_factory=RecordOptions)


@dataclass(frozen=True)
class Parts:
    """What every session shares."""

    runtime: Runtime
    catalog: Catalog
    workers: Executor
    recordings: Recordings | None = None
    taken: str = ""  # which engine, and why


@contextlib.contextmanager
def open_parts(options: ServeOptions) -> Iterator[Parts]:
    """Engine, catalogue and workers, started in this order and stopped in reverse.

    Raises the errors of bundles, engines and catalogues.
    """
    with contextlib.ExitStack() as stack:
        bundle = load_bundle(options.bundle or default_bundle(), FEATURES)
        engines = replace(options.engines, threads=options.threads)
        engine, taken = open_batched(bundle, options.engine, engines, options.batch_sizes)
        stack.callback(engine.close)
        catalog = stack.enter_context(Catalog.open(options.catalog, bundle, options.search_device, options.target_lufs))
        if reason := catalog.search_state.reason:
            log.info("segments are searched on the CPU: %s", reason)
        if not len(catalog):
            raise ServeError(f"{options.catalog}: the catalogue is empty; segue index MUSIC_DIR -c CATALOG fills it")
        # a worker waits while the engine computes, so there are more of them than cores
        count = max(2, min(options.hub.max_sessions, 2 * (os.cpu_count() or 1)))
        workers = stack.enter_context(SessionPool(count))
        runtime = Runtime(engine, catalog)
        recordings = None
        if options.record is not None:
            recorded = replace(options.recording, threads=options.threads)
            recordings = Recordings(options.record, runtime, catalog, options.live.session, recorded)
            stack.callback(recordings.close, RECORD_WAIT_S)
        yield Parts(runtime, catalog, workers, recordings, taken)


def create_app(parts: Parts, options: ServeOptions, base_url: str = "", place: Place | None = None) -> FastAPI:
    """The application; its lifespan ends every session before the parts may be closed.

    ``base_url`` (see `address.resolved`) stands before the addresses of sessions; ``place``: as one of several workers.
    """
    metrics = Metrics()
    stopwatch = Stopwatch(metrics.probe)

    def start(sinks: Sinks) -> LiveDriver:
        recorder = None if parts.recordings is None else parts.recordings.start()
        driver = LiveDriver(
            parts.runtime, options.live, sinks, workers=parts.workers, stopwatch=stopwatch, recorder=recorder
        )
        if recorder is not None:
            sinks.add(recorder)
        sinks.add(metrics.sink(driver))
        return driver

    hub = Hub(start, options.hub)
    drain = Drain(hub, options.drain_s)
    metrics.registry.register(
        HubCollector(metrics, hub, parts.runtime, parts.workers, 0 if place is None else place.restarts)
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(forgive)
        adapt.adapt_aiortc(options.plain_webrtc)
        if options.udp_ports is not None:
            hold_to(loop, options.udp_ports)
        trim = glibc_trim()
        giving = None if trim is None else loop.create_task(give_back(lambda: len(hub.sessions), trim))
        try:
            yield
        finally:
            if giving is not None:
                giving.cancel()
            await hub.close()

    def facts() -> dict[str, object]:
        engine = parts.runtime.engine
        recordings = None if parts.recordings is None else parts.recordings.counts()
        found: dict[str, object] = {
            "tracks": len(parts.catalog),
            "bundle": engine.bundle.identity,
            "engine": engine.name,
        }
        state = parts.catalog.search_state  # its reason may name files and addresses: for the log and /metrics
        search = {"device": state.device, "proposed": state.proposed, "passed_on": state.passed_on}
        found |= {"webrtc": adapt.standing(), "search": search, "recordings": recordings}
        return {**found, "engine_state": standing(engine)}

    def lacks() -> str:
        return "; ".join(filter(None, (degraded(parts.runtime.engine), adapt.degraded())))

    app = FastAPI(title="Segue", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hub, app.state.drain = hub, drain
    app.add_middleware(
        Guard,
        loopback_only=is_loopback(options.host),
        origins=options.origins,
        ports=() if place is None else place.ports,
        public=public_origins(options.public_url, () if place is None else place.ports),
    )
    moved = nowhere if place is None else takeover.elsewhere(hub, place, options.public_url)
    app.include_router(whip_routes(hub, options.access, options.whip, base_url, moved))
    app.include_router(ingest_routes(hub, options.access, base_url=base_url, elsewhere=moved))
    app.include_router(pull_routes(hub, options.pull, options.access, base_url, moved))
    listing = partial(listed, hub, base_url, options.public_url, place)
    app.include_router(viewer_routes(hub, options.access, listing, moved))
    app.include_router(preview_routes(parts.catalog, options.access))
    app.include_router(health_routes(hub, drain, facts, lacks))
    app.include_router(metrics_routes(metrics, partial(elsewhere, place), options.access))
    _add_page(app)
    return app


def listed(
    hub: Hub, base: str, public_url: str, place: Place | None, request: HTTPConnection
) -> list[dict[str, object]]:
    """Every session of this process and, as one of several, of the others; each with its own address."""
    found = [(base, session.summary()) for session in hub.sessions]
    for other in () if place is None else place.board.others:
        found += [(base_url_of(public_url, other.port), session) for session in other.sessions]
    return [{**session, "events": f"{resolved(where, request)}{session.get('events', '')}"} for where, session in found]


def elsewhere(place: Place | None, request: HTTPConnection) -> str:
    """Why a process's own figures cannot be had at the port where this request came in."""
    if place is None or (request.scope.get("server") or ("", place.port))[1] == place.port:
        return ""
    ports = ", ".join(map(str, place.ports[1:]))
    return f"each worker counts for itself: read /metrics at every one of the ports {ports}"


def _add_page(app: FastAPI) -> None:
    """The page's files, by the names that the folder has when the server starts; nothing else can be asked for."""
    folder = Path(str(resources.files("stream.web")))
    files = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in PAGE_TYPES}

    @app.get("/{name}")
    def page(name: str) -> FileResponse:
        if name not in files:
            raise HTTPException(404, "no such page")
        fresh = {"cache-control": "no-cache"}  # else a browser may run yesterday's scripts against today's server
        return FileResponse(files[name], media_type=PAGE_TYPES[files[name].suffix], headers=fresh)

    @app.get("/")
    def index() -> FileResponse:
        return page("index.html")
