"""The application: one engine, one catalogue, one hub of sessions, and the page.

Parts start in the order of their dependencies and stop in reverse: socket, engine, catalogue, workers, sessions. All
mistakes that the user can correct are reported before the server takes its first request.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
from starlette.requests import HTTPConnection

from stream.driver.live import LiveDriver
from stream.driver.stopwatch import Stopwatch
from stream.sinks.base import Sinks
from stream.sources.webrtc import adapt
from stream.sources.webrtc.peer import forgive
from stream.sources.webrtc.ports import hold_to

from . import key_redirect
from .actions import action_routes
from .address import base_url as base_url_of
from .address import public_origins, resolved
from .cues import cue_routes
from .drain import Drain
from .engine import degraded, engine_state
from .find import find_routes
from .hand_pages import hand_pages
from .health import health_routes
from .hub import Hub
from .ingest import ingest_routes
from .key_redirect import no_redirect
from .kits import Kits, kit_routes
from .listening import Listener, listening
from .memory import give_back, glibc_trim
from .metrics import HubCollector, Metrics, metrics_routes
from .music_watch import MusicWatch
from .now import now_of, now_routes
from .now_file import NowFile
from .now_text import text_of
from .obs_input import ObsInput
from .obs_play import ObsPlay
from .options import ServeOptions
from .parts import Parts
from .pick import Pick, newest
from .place import Place
from .playlists import playlist_routes
from .preview import preview_routes
from .pulls import pull_routes
from .restock import Restock
from .security import Guard, is_loopback
from .viewer_routes import viewer_routes
from .whip import whip_routes

PAGE_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def create_app(parts: Parts, options: ServeOptions, base_url: str = "", place: Place | None = None) -> FastAPI:
    """The application; its lifespan ends every session before the parts may be closed.

    ``base_url`` (see `address.resolved`) goes before the addresses of sessions; ``place``: for one of several workers.
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
        if parts.cues is not None:
            sinks.add(parts.cues.begin(lambda: driver.media_s))
        return driver

    hub = Hub(start, options.hub)
    drain = Drain(hub, options.drain_s)
    listeners: list[Listener] = []
    kits = Kits(options.catalog)
    obs = None  # of several processes only the first has it
    if options.obs is not None and (place is None or place.first):
        obs = ObsInput(hub, options.obs)
        if parts.cues is not None:
            parts.cues.timecodes = obs.clock.timecodes
    watch = None
    if options.watch.folders and (place is None or place.first):
        watch = MusicWatch(options.watch, options.catalog)
    obs_play = None
    if obs is not None and options.obs_play is not None:
        obs_play = ObsPlay(parts.catalog, options.obs_play, kits.get)
        obs_play.join(hub, obs)
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
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(hub.close)
            if trim is not None:
                await stack.enter_async_context(background(give_back(lambda: len(hub.sessions), trim)))
            await stack.enter_async_context(background(Restock(parts.catalog, lambda: hub.sessions).run()))
            if watch is not None:
                await stack.enter_async_context(background(watch.run()))
            if now_file is not None:
                await stack.enter_async_context(background(now_file.run()))
            if obs is not None:
                obs.start()
                stack.push_async_callback(obs.close)
            if obs_play is not None:
                stack.push_async_callback(obs_play.close)
            listeners.extend(await stack.enter_async_context(listening(hub, parts.ports, options.listen)))
            yield

    now_file = None
    if options.now_file is not None:
        form = options.now_format
        now_file = NowFile(options.now_file, lambda: text_of(now_of(newest(hub.sessions), parts.catalog), form))

    def facts() -> dict[str, object]:
        engine = parts.runtime.engine
        recordings = None if parts.recordings is None else parts.recordings.counts()
        fields: dict[str, object] = {
            "tracks": len(parts.catalog),
            "bundle": engine.bundle.identity,
            "engine": engine.name,
        }
        state = parts.catalog.search_state  # its reason may name files: for log and metrics only
        search = {"device": state.device, "proposed": state.proposed, "passed_on": state.passed_on}
        fields |= {"webrtc": adapt.standing(), "search": search, "recordings": recordings}
        fields |= {"listen": [listener.state for listener in listeners]} if listeners else {}
        if obs is not None:
            fields["obs"] = obs.state
        if watch is not None:
            fields["watch"] = watch.state
        return {**fields, "engine_state": engine_state(engine)}

    def degradation() -> str:
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
    redirect = no_redirect if place is None else key_redirect.redirect_to_holder(hub, place, options.public_url)
    app.include_router(whip_routes(hub, options.access, options.whip, base_url, redirect))
    app.include_router(ingest_routes(hub, options.access, base_url=base_url, redirect=redirect))
    app.include_router(pull_routes(hub, options.pull, options.access, base_url, redirect))
    if parts.cues is not None:
        app.include_router(cue_routes(parts.cues, parts.catalog, options.access, base_url))
    lister = partial(list_sessions, hub, base_url, options.public_url, place)
    app.include_router(viewer_routes(hub, options.access, lister, redirect))
    app.include_router(playlist_routes(parts.catalog, options.access))
    app.include_router(find_routes(parts.catalog, options.access))
    app.include_router(preview_routes(parts.catalog, options.access))
    pick = Pick(hub, redirect, place, options.public_url)
    app.include_router(now_routes(pick, parts.catalog, options.access))
    app.include_router(action_routes(pick, parts.catalog, kits.get, options.access))
    app.include_router(kit_routes(kits, options.access))
    app.include_router(hand_pages(options.public_url))
    app.include_router(health_routes(hub, drain, facts, degradation))
    app.include_router(metrics_routes(metrics, partial(metrics_refusal, place), options.access))
    _add_page(app)
    return app


@contextlib.asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Work that goes on beside the server and is ended with it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def list_sessions(
    hub: Hub, base: str, public_url: str, place: Place | None, request: HTTPConnection
) -> list[dict[str, object]]:
    """Every session of this process and, for one of several workers, of the others; each with its own address."""
    rows = [(base, session.summary()) for session in hub.sessions]
    for other in () if place is None else place.statuses.others:
        rows += [(base_url_of(public_url, other.port), session) for session in other.sessions]
    return [{**session, "events": f"{resolved(where, request)}{session.get('events', '')}"} for where, session in rows]


def metrics_refusal(place: Place | None, request: HTTPConnection) -> str:
    """Why the port of this request does not give a process's own figures; empty if it does."""
    if place is None or (request.scope.get("server") or ("", place.port))[1] == place.port:
        return ""
    ports = ", ".join(map(str, place.ports[1:]))
    return f"each worker counts for itself: read /metrics at every one of the ports {ports}"


def _add_page(app: FastAPI) -> None:
    """Serve the page's files: those that are in the folder when the server starts, and nothing else."""
    folder = Path(str(resources.files("stream.web")))
    files = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in PAGE_TYPES}

    @app.get("/")
    @app.get("/dock")  # the same page: it looks at its address
    def index() -> FileResponse:
        return page("index.html")

    @app.get("/{name}")
    def page(name: str) -> FileResponse:
        if name not in files:
            raise HTTPException(404, "no such page")
        headers = {"cache-control": "no-cache"}  # else a browser may run old scripts against a new server
        return FileResponse(files[name], media_type=PAGE_TYPES[files[name].suffix], headers=headers)
